/* Timed waits with a deadline. During a replay the deadline was reckoned from a replayed clock: it lies in the
 * past, so that the program spins, or days ahead, so that it hangs. It is moved back to real time. */
#include "tape.h"

#include <errno.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/timerfd.h>

#define BILLION 1000000000ll
#define FAR (3600 * BILLION) /* a reading that is this far from a deadline is not where it came from */

static int64_t distance(int64_t deadline, clockid_t clock, int64_t offset) {
  return llabs(deadline - (real_now(clock) + offset));
}

/* How far a deadline is from real time: by this thread's last read of the clock, unless that is implausible. */
static int64_t offset_of(const struct thread *thread, int64_t deadline, clockid_t clock) {
  int class = clock_class(clock);
  int64_t own = thread && thread->read[class] ? thread->offset[class] : clock_offset[class];
  int64_t others = clock_offset[class], best = own;
  if (distance(deadline, clock, own) < FAR) return own;
  if (distance(deadline, clock, others) < distance(deadline, clock, best)) best = others;
  if (distance(deadline, clock, 0) < distance(deadline, clock, best)) best = 0;
  return best;
}

struct timespec wait_moved(clockid_t clock, const struct timespec *deadline) {
  if (tape_mode != TAPE_REPLAY || deadline->tv_nsec < 0 || deadline->tv_nsec >= BILLION || clock_class(clock) < 0 ||
      deadline->tv_sec > INT64_MAX / BILLION - 1 || deadline->tv_sec <= 0)
    return *deadline;
  int64_t wanted = deadline->tv_sec * BILLION + deadline->tv_nsec;
  int64_t value = wanted - offset_of(thread_self(), wanted, clock);
  if (value < 0) value = 0;
  return (struct timespec){value / BILLION, value % BILLION};
}

/* For waits whose clock was set elsewhere: the one whose time is nearer. The two are decades apart. */
static struct timespec moved_by_guess(const struct timespec *deadline) {
  if (tape_mode != TAPE_REPLAY || deadline->tv_sec > INT64_MAX / BILLION - 1) return *deadline;
  int64_t wanted = deadline->tv_sec * BILLION;
  int64_t real = distance(wanted, CLOCK_REALTIME, offset_of(thread_self(), wanted, CLOCK_REALTIME));
  int64_t monotonic = distance(wanted, CLOCK_MONOTONIC, offset_of(thread_self(), wanted, CLOCK_MONOTONIC));
  return wait_moved(monotonic < real ? CLOCK_MONOTONIC : CLOCK_REALTIME, deadline);
}

/* Some of them return the error, others set errno. */
static int timed_out(int result) { return result == ETIMEDOUT || (result == -1 && errno == ETIMEDOUT); }

#define WAIT(name, parameters, arguments, clock) \
  EXPORT int name parameters { \
    NEXT(name); \
    int kept = errno; \
    struct timespec at; \
    KEEP_CHECKS(deadline); \
    const struct timespec *given = deadline; \
    if (deadline) { \
      at = wait_moved(clock, deadline); \
      deadline = &at; \
    } \
    errno = kept; \
    int done = next arguments; \
    if (done != 0 && given && tape_seeded && timed_out(done)) strict_reached(clock, given); \
    return done; \
  }
typedef const struct timespec *restrict deadline_t;

WAIT(sem_timedwait, (sem_t *restrict s, deadline_t deadline), (s, deadline), CLOCK_REALTIME)
WAIT(pthread_mutex_timedlock, (pthread_mutex_t *restrict m, deadline_t deadline), (m, deadline), CLOCK_REALTIME)
WAIT(pthread_rwlock_timedrdlock, (pthread_rwlock_t *restrict l, deadline_t deadline), (l, deadline), CLOCK_REALTIME)
WAIT(pthread_rwlock_timedwrlock, (pthread_rwlock_t *restrict l, deadline_t deadline), (l, deadline), CLOCK_REALTIME)
WAIT(pthread_timedjoin_np, (pthread_t t, void **result, const struct timespec *deadline), (t, result, deadline),
     CLOCK_REALTIME)
#if __GLIBC_PREREQ(2, 30)
WAIT(sem_clockwait, (sem_t *restrict s, clockid_t clock, deadline_t deadline), (s, clock, deadline), clock)
WAIT(pthread_mutex_clocklock, (pthread_mutex_t *restrict m, clockid_t clock, deadline_t deadline),
     (m, clock, deadline), clock)
WAIT(pthread_rwlock_clockrdlock, (pthread_rwlock_t *restrict l, clockid_t clock, deadline_t deadline),
     (l, clock, deadline), clock)
WAIT(pthread_rwlock_clockwrlock, (pthread_rwlock_t *restrict l, clockid_t clock, deadline_t deadline),
     (l, clock, deadline), clock)
WAIT(pthread_cond_clockwait,
     (pthread_cond_t *restrict c, pthread_mutex_t *restrict m, clockid_t clock, deadline_t deadline),
     (c, m, clock, deadline), clock)
#endif

/* dlsym may find the LinuxThreads form, of another layout: the version is named where there are two. */
EXPORT int pthread_cond_timedwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m, deadline_t deadline) {
  static int (*next)(pthread_cond_t *restrict, pthread_mutex_t *restrict, deadline_t);
  if (!next) next = (__typeof__(next))dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (!next) next = (__typeof__(next))dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  int kept = errno;
  struct timespec at = moved_by_guess(deadline);
  errno = kept;
  int result = next(c, m, &at);
  /* CPython waits like this for its own lock only, for as long as others keep it. */
  if (result == ETIMEDOUT && tape_seeded && !python_marks())
    strict_reached(deadline->tv_sec > FAR / BILLION * 10000 ? CLOCK_REALTIME : CLOCK_MONOTONIC, deadline);
  return result;
}

EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left) {
  NEXT(clock_nanosleep);
  int result;
  if (!(flags & TIMER_ABSTIME) || !wanted) {
    result = next(clock, flags, wanted, left);
    if (result == 0 && wanted) strict_slept(wanted->tv_sec, wanted->tv_nsec);
    return result;
  }
  struct timespec at = wait_moved(clock, wanted);
  result = next(clock, flags, &at, left);
  if (result == 0) strict_reached(clock, wanted);
  return result;
}

static struct itimerspec moved_timer(const struct itimerspec *wanted) {
  struct itimerspec at = *wanted;
  if (at.it_value.tv_sec || at.it_value.tv_nsec) at.it_value = moved_by_guess(&at.it_value); /* zero disarms */
  return at;
}

EXPORT int timerfd_settime(int descriptor, int flags, const struct itimerspec *wanted, struct itimerspec *before) {
  NEXT(timerfd_settime);
  if (!(flags & TFD_TIMER_ABSTIME) || !wanted) return next(descriptor, flags, wanted, before);
  struct itimerspec at = moved_timer(wanted);
  return next(descriptor, flags, &at, before);
}

/* Before glibc 2.34 these were in librt, which may be out of sight. */
#define ELSEWHERE \
  if (!next) { \
    errno = ENOSYS; \
    return -1; \
  }

EXPORT int timer_settime(timer_t timer, int flags, const struct itimerspec *restrict wanted,
                         struct itimerspec *restrict before) {
  static int (*next)(timer_t, int, const struct itimerspec *restrict, struct itimerspec *restrict);
  if (!next) next = (__typeof__(next))dlvsym(RTLD_NEXT, "timer_settime", "GLIBC_2.3.3");
  if (!next) next = (__typeof__(next))dlsym(RTLD_NEXT, "timer_settime");
  ELSEWHERE;
  if (!(flags & TIMER_ABSTIME) || !wanted) return next(timer, flags, wanted, before);
  struct itimerspec at = moved_timer(wanted);
  return next(timer, flags, &at, before);
}

EXPORT ssize_t mq_timedreceive(mqd_t queue, char *restrict text, size_t size, unsigned *restrict priority,
                               deadline_t deadline) {
  NEXT(mq_timedreceive);
  struct timespec at;
  ELSEWHERE;
  KEEP_CHECKS(deadline);
  if (deadline) {
    at = wait_moved(CLOCK_REALTIME, deadline);
    deadline = &at;
  }
  return next(queue, text, size, priority, deadline);
}

EXPORT int mq_timedsend(mqd_t queue, const char *text, size_t size, unsigned priority, const struct timespec *deadline) {
  NEXT(mq_timedsend);
  struct timespec at;
  ELSEWHERE;
  KEEP_CHECKS(deadline);
  if (deadline) {
    at = wait_moved(CLOCK_REALTIME, deadline);
    deadline = &at;
  }
  return next(queue, text, size, priority, deadline);
}
