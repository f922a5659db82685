/* Clocks. A replay gives the recorded values; past the last of them time goes on from there at the real pace, as
 * event loops would never reach their timers otherwise. */
#include "tape.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define BILLION 1000000000ll
#define REAL_MONOTONIC 0x7e570001 /* the agent's own reads: never taped (agent/envfreeze_agent_report.py) */

int64_t clock_offset[CLOCKS];
char clock_known[CLOCKS];
static int64_t last_given[CLOCKS];

static int (*libc_clock_gettime)(clockid_t, struct timespec *);
static int (*libc_gettimeofday)(struct timeval *, void *);
static time_t (*libc_time)(time_t *);

__attribute__((constructor)) static void find(void) {
  libc_clock_gettime = (__typeof__(libc_clock_gettime))dlsym(RTLD_NEXT, "clock_gettime");
  libc_gettimeofday = (__typeof__(libc_gettimeofday))dlsym(RTLD_NEXT, "gettimeofday");
  libc_time = (__typeof__(libc_time))dlsym(RTLD_NEXT, "time");
}

int real_clock_gettime(clockid_t clock, struct timespec *time) {
  if (libc_clock_gettime) return libc_clock_gettime(clock, time);
  return (int)syscall(SYS_clock_gettime, clock, time);
}

int64_t real_now(clockid_t clock) {
  struct timespec time = {0};
  real_clock_gettime(clock, &time);
  return time.tv_sec * BILLION + time.tv_nsec;
}

/* Clocks that show the same time share an index. */
int clock_class(clockid_t clock) {
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE: return 1;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI: return clock;
    default: return -1;
  }
}

static const void *asked_by(const void *caller, int class) {
  if (python_reads) return python_reader();
  const struct site *site = class == 0 ? tape_site(caller) : NULL;
  const void *python = site && site->interpreter ? python_dater() : NULL;
  return python ? python : caller;
}

/* The value to return for what the real clock says, both in ns. */
static int64_t through_tape(struct thread *thread, clockid_t clock, int64_t real, const void *asker) {
  int class = clock_class(clock);
  struct stream *stream = tape_stream(thread, asker, CLOCK + (unsigned)clock);
  if (!stream) return real;
  if (tape_mode == TAPE_RECORD) {
    if (!stream->ignored) tape_put(stream, real);
    return real;
  }
  int64_t value = real;
  if (stream->ignored) {
    thread->offset[class] = 0;
  } else {
    if (tape_seeded) {
      value = strict_clock(stream, class);
    } else if (!play_take(thread, stream, &value)) {
      value = real + __atomic_load_n(&clock_offset[class], __ATOMIC_RELAXED);
      int64_t last = __atomic_load_n(&last_given[class], __ATOMIC_RELAXED);
      if (value <= last) value = last + 1;
    }
    thread->offset[class] = value - real;
    __atomic_store_n(&clock_offset[class], value - real, __ATOMIC_RELAXED);
    __atomic_store_n(&last_given[class], value, __ATOMIC_RELAXED);
    clock_known[class] = 1;
  }
  thread->given[class] = value;
  thread->read[class] = 1;
  return value;
}

void clock_through_tape(clockid_t clock, struct timespec *time, const void *caller) {
  const void *asker = asked_by(caller, clock_class(clock));
  struct thread *thread = tape_enter();
  if (!thread) return;
  int64_t real = time->tv_sec * BILLION + time->tv_nsec;
  int64_t value = through_tape(thread, clock, real, asker);
  tape_leave(thread);
  if (value != real) {
    time->tv_sec = value / BILLION;
    time->tv_nsec = value % BILLION;
  }
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *time) {
  if (clock == REAL_MONOTONIC) return real_clock_gettime(CLOCK_MONOTONIC, time);
  int result = real_clock_gettime(clock, time);
  if (tape_mode != TAPE_OFF && result == 0 && clock_class(clock) >= 0)
    clock_through_tape(clock, time, __builtin_return_address(0));
  return result;
}

EXPORT int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  int result = libc_gettimeofday ? libc_gettimeofday(time, zone) : (int)syscall(SYS_gettimeofday, time, zone);
  KEEP_CHECKS(time);
  if (tape_mode != TAPE_OFF && result == 0 && time) {
    struct timespec precise = {time->tv_sec, time->tv_usec * 1000};
    clock_through_tape(CLOCK_REALTIME, &precise, __builtin_return_address(0));
    time->tv_sec = precise.tv_sec;
    time->tv_usec = precise.tv_nsec / 1000;
    bash_seeds(&time->tv_sec, __builtin_return_address(0));
  }
  return result;
}

EXPORT int timespec_get(struct timespec *time, int base) {
  if (base != TIME_UTC || real_clock_gettime(CLOCK_REALTIME, time) != 0) return 0;
  if (tape_mode != TAPE_OFF) clock_through_tape(CLOCK_REALTIME, time, __builtin_return_address(0));
  return base;
}

EXPORT time_t time(time_t *where) {
  time_t now = libc_time ? libc_time(NULL) : real_now(CLOCK_REALTIME_COARSE) / BILLION;
  const void *asker = tape_mode == TAPE_OFF ? NULL : asked_by(__builtin_return_address(0), 0);
  struct thread *thread = tape_enter();
  if (thread) {
    struct stream *stream = tape_stream(thread, asker, SECONDS);
    int64_t value;
    if (stream && tape_mode == TAPE_RECORD) tape_put(stream, now);
    else if (stream && tape_seeded) now = stream->ignored ? now : strict_clock(stream, 0) / BILLION;
    else if (stream && play_take(thread, stream, &value)) now = value;
    else if (stream) now += clock_offset[0] / BILLION;
    if (stream && tape_mode == TAPE_REPLAY && !clock_known[0]) {
      clock_offset[0] = now * BILLION - real_now(CLOCK_REALTIME);
      clock_known[0] = 1;
    }
    tape_leave(thread);
  }
  if (where) *where = now;
  return now;
}

/* clock(3): processor time in units of CLOCKS_PER_SEC, a million. */
EXPORT clock_t clock(void) {
  struct timespec time;
  if (real_clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) return (clock_t)-1;
  if (tape_mode != TAPE_OFF) clock_through_tape(CLOCK_PROCESS_CPUTIME_ID, &time, __builtin_return_address(0));
  return time.tv_sec * CLOCKS_PER_SEC + time.tv_nsec / (BILLION / CLOCKS_PER_SEC);
}
