/* System calls that programs make by number: CPython's os.getrandom, waits of C++ and Rust libraries. */
#include "tape.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/syscall.h>

#define SIX \
  va_list rest; \
  va_start(rest, number); \
  long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long), d = va_arg(rest, long), \
       e = va_arg(rest, long), f = va_arg(rest, long); \
  va_end(rest)

/* Reads more arguments than were given, perhaps; as the C library's own does. */
static long find(long number, ...) {
  SIX;
  raw_syscall = (__typeof__(raw_syscall))dlsym(RTLD_NEXT, "syscall");
  return raw_syscall(number, a, b, c, d, e, f);
}

long (*raw_syscall)(long, ...) = find;

/* These futex operations take a point in time, the others a duration: futex(2). */
static const struct timespec *moved_deadline(long operation, const struct timespec *deadline, struct timespec *at) {
  long command = operation & FUTEX_CMD_MASK;
  int absolute = command == FUTEX_WAIT_BITSET || command == FUTEX_WAIT_REQUEUE_PI || command == FUTEX_LOCK_PI;
  if (!deadline || !absolute || tape_mode != TAPE_REPLAY) return deadline;
  int real = command == FUTEX_LOCK_PI || (operation & FUTEX_CLOCK_REALTIME);
  *at = wait_moved(real ? CLOCK_REALTIME : CLOCK_MONOTONIC, deadline);
  return at;
}

#undef syscall
EXPORT long syscall(long number, ...) {
  SIX;
  if (tape_mode == TAPE_OFF) return raw_syscall(number, a, b, c, d, e, f);
  const void *caller = __builtin_return_address(0);
  struct timespec at;
  if (number == SYS_futex) d = (long)moved_deadline(b, (const struct timespec *)d, &at);
  if (number == SYS_tgkill) b = pids_real((pid_t)b);
  if (number == SYS_tgkill || number == SYS_tkill || number == SYS_kill) a = pids_real((pid_t)a);
#ifdef SYS_pidfd_open
  if (number == SYS_pidfd_open) a = pids_real((pid_t)a);
#endif
  long result = raw_syscall(number, a, b, c, d, e, f);
  if (number == SYS_getpid) return pids_own((pid_t)result);
  if (number == SYS_getppid) return pids_parent((pid_t)result);
  if (number == SYS_gettid) return pids_thread((pid_t)result);
  if (number == SYS_getrandom && result > 0) entropy_through_tape((void *)a, (size_t)result, caller);
  if (number == SYS_clock_gettime && result == 0 && clock_class((clockid_t)a) >= 0)
    clock_through_tape((clockid_t)a, (struct timespec *)b, caller);
  return result;
}
