/* Waits of a given length: in the profile strict their thread's time goes on by it (strict.c). */
#include "tape.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#define MILLION 1000000

EXPORT int nanosleep(const struct timespec *wanted, struct timespec *left) {
  NEXT(nanosleep);
  int result = next(wanted, left);
  if (result == 0) strict_slept(wanted->tv_sec, wanted->tv_nsec);
  return result;
}

EXPORT int usleep(useconds_t microseconds) {
  NEXT(usleep);
  int result = next(microseconds);
  if (result == 0) strict_slept(microseconds / MILLION, microseconds % MILLION * 1000);
  return result;
}

EXPORT unsigned sleep(unsigned seconds) {
  NEXT(sleep);
  unsigned left = next(seconds);
  if (left == 0) strict_slept(seconds, 0);
  return left;
}

static int timed_out(int result, int milliseconds) {
  if (result == 0 && milliseconds > 0) strict_slept(milliseconds / 1000, milliseconds % 1000 * MILLION);
  return result;
}

EXPORT int poll(struct pollfd *files, nfds_t count, int milliseconds) {
  NEXT(poll);
  return timed_out(next(files, count, milliseconds), milliseconds);
}

EXPORT int epoll_wait(int descriptor, struct epoll_event *events, int most, int milliseconds) {
  NEXT(epoll_wait);
  return timed_out(next(descriptor, events, most, milliseconds), milliseconds);
}

EXPORT int select(int count, fd_set *restrict reading, fd_set *restrict writing, fd_set *restrict failing,
                  struct timeval *restrict limit) {
  NEXT(select);
  struct timeval wanted = limit ? *limit : (struct timeval){0, 0}; /* Linux writes what is left into it */
  int result = next(count, reading, writing, failing, limit);
  if (result == 0 && limit) strict_slept(wanted.tv_sec, wanted.tv_usec * 1000);
  return result;
}
