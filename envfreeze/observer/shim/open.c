/* Opening files. */
#include "shim.h"
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Before the call: keeps what would be lost. Returns whether the path is to be noted afterwards. */
static int before(int directory, const char *path, int flags, char *buffer, size_t size) {
  int kept = errno, noted = 0;
  if (log_enter()) {
    noted = absolute(directory, path, buffer, size);
    if (noted && (flags & O_ACCMODE) != O_RDONLY) about_to_write(buffer);
    log_leave();
  }
  errno = kept;
  return noted;
}

static void after(int failed, int flags, const char *path) {
  int kept = errno;
  if (log_enter()) {
    if (failed) {
      if ((kept == ENOENT || kept == ENOTDIR) && in_project(path)) log_once(SOUGHT, path);
    } else {
      int made_anew = flags & (O_TRUNC | O_EXCL); /* else the earlier content matters, in appending too */
      log_once((flags & O_ACCMODE) == O_RDONLY ? READ : made_anew ? WROTE : UPDATED, path);
    }
    log_leave();
  }
  errno = kept;
}

#define MODE \
  mode_t mode = 0; \
  if (flags & (O_CREAT | __O_TMPFILE)) { \
    va_list rest; \
    va_start(rest, flags); \
    mode = va_arg(rest, mode_t); \
    va_end(rest); \
  }

#define OPEN(name) \
  EXPORT int name(const char *path, int flags, ...) { \
    MODE; \
    NEXT(name); \
    char buffer[4352], led[256]; \
    const char *asked = path; \
    path = pids_path(path, led, sizeof led); \
    int noted = before(AT_FDCWD, path, flags, buffer, sizeof buffer); \
    temporary_before(path, flags); \
    int result = system_opened(next(path, flags, mode), asked, flags); \
    temporary_after(result, path, flags); \
    tape_opened(result, path); \
    if (noted) after(result < 0, flags, buffer); \
    return result; \
  }

#define OPENAT(name) \
  EXPORT int name(int directory, const char *path, int flags, ...) { \
    MODE; \
    NEXT(name); \
    char buffer[4352], led[256]; \
    const char *asked = path; \
    path = pids_path(path, led, sizeof led); \
    int noted = before(directory, path, flags, buffer, sizeof buffer); \
    int result = system_opened(next(directory, path, flags, mode), asked, flags); \
    tape_opened(result, path); \
    if (noted) after(result < 0, flags, buffer); \
    return result; \
  }

#define CREAT(name) \
  EXPORT int name(const char *path, mode_t mode) { \
    NEXT(name); \
    char buffer[4352], led[256]; \
    path = pids_path(path, led, sizeof led); \
    int flags = O_CREAT | O_WRONLY | O_TRUNC, noted = before(AT_FDCWD, path, flags, buffer, sizeof buffer); \
    int result = next(path, mode); \
    if (noted) after(result < 0, flags, buffer); \
    return result; \
  }

/* fopen(3): r reads, w truncates, a appends, + does both, x wants no file there. */
static int flags_of(const char *mode) {
  int both = strchr(mode, '+') != NULL;
  if (*mode == 'r') return both ? O_RDWR : O_RDONLY;
  return (both ? O_RDWR : O_WRONLY) | O_CREAT | (*mode == 'w' ? O_TRUNC : O_APPEND);
}

#define FOPEN(name) \
  EXPORT FILE *name(const char *path, const char *mode) { \
    NEXT(name); \
    char buffer[4352], led[256]; \
    const char *asked = path; \
    path = pids_path(path, led, sizeof led); \
    int flags = flags_of(mode), noted = before(AT_FDCWD, path, flags, buffer, sizeof buffer); \
    FILE *result = next(path, mode); \
    tape_opened(result ? fileno(result) : -1, path); \
    if (result) system_opened(fileno(result), asked, flags); \
    if (noted) after(!result, flags, buffer); \
    return result; \
  }

#define FREOPEN(name) \
  EXPORT FILE *name(const char *path, const char *mode, FILE *stream) { \
    NEXT(name); \
    char buffer[4352], led[256]; \
    path = pids_path(path, led, sizeof led); \
    int flags = flags_of(mode), noted = path && before(AT_FDCWD, path, flags, buffer, sizeof buffer); \
    FILE *result = next(path, mode, stream); \
    if (noted) after(!result, flags, buffer); \
    return result; \
  }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
CREAT(creat)
CREAT(creat64)
FOPEN(fopen)
FOPEN(fopen64)
FREOPEN(freopen)
FREOPEN(freopen64)

/* With _FORTIFY_SOURCE, compilers call these for open without a mode. */
int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);
EXPORT int __open_2(const char *path, int flags) { return open(path, flags); }
EXPORT int __open64_2(const char *path, int flags) { return open64(path, flags); }
EXPORT int __openat_2(int directory, const char *path, int flags) { return openat(directory, path, flags); }
EXPORT int __openat64_2(int directory, const char *path, int flags) { return openat64(directory, path, flags); }
