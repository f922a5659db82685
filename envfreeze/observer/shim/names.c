/* Renaming, removing, truncating, and looking for files. */
#include "shim.h"
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int resolve(int directory, const char *path, char *buffer, size_t size, int loses_content) {
  int kept = errno, noted = 0;
  if (log_enter()) {
    noted = absolute(directory, path, buffer, size);
    if (noted && loses_content) about_to_write(buffer);
    log_leave();
  }
  errno = kept;
  return noted;
}

static void note(enum kind kind, const char *path) {
  if (log_enter()) {
    log_event(kind, path);
    log_leave();
  }
}

static int moved(int result, int known, const char *from, const char *to) {
  if (result == 0 && known && log_enter()) {
    log_pair(MOVED, from, BECAME, to);
    log_leave();
  }
  return result;
}

#define TWO_PATHS char from[4352], to[4352]

EXPORT int rename(const char *old, const char *new) {
  NEXT(rename);
  TWO_PATHS;
  int known = resolve(AT_FDCWD, old, from, sizeof from, 0) & resolve(AT_FDCWD, new, to, sizeof to, 1);
  return moved(next(old, new), known, from, to);
}

EXPORT int renameat(int a, const char *old, int b, const char *new) {
  NEXT(renameat);
  TWO_PATHS;
  int known = resolve(a, old, from, sizeof from, 0) & resolve(b, new, to, sizeof to, 1);
  return moved(next(a, old, b, new), known, from, to);
}

EXPORT int renameat2(int a, const char *old, int b, const char *new, unsigned flags) {
  NEXT(renameat2);
  TWO_PATHS;
  int known = resolve(a, old, from, sizeof from, 0) & resolve(b, new, to, sizeof to, 1);
  return moved(next(a, old, b, new, flags), known, from, to);
}

EXPORT int unlink(const char *path) {
  NEXT(unlink);
  char buffer[4352];
  int known = resolve(AT_FDCWD, path, buffer, sizeof buffer, 1), result = next(path);
  if (result == 0 && known) note(REMOVED, buffer);
  return result;
}

EXPORT int unlinkat(int directory, const char *path, int flags) {
  NEXT(unlinkat);
  char buffer[4352];
  int known = resolve(directory, path, buffer, sizeof buffer, !(flags & AT_REMOVEDIR));
  int result = next(directory, path, flags);
  if (result == 0 && known && !(flags & AT_REMOVEDIR)) note(REMOVED, buffer);
  return result;
}

EXPORT int remove(const char *path) {
  NEXT(remove);
  char buffer[4352];
  int known = resolve(AT_FDCWD, path, buffer, sizeof buffer, 1), result = next(path);
  if (result == 0 && known) note(REMOVED, buffer);
  return result;
}

EXPORT int truncate(const char *path, off_t length) {
  NEXT(truncate);
  char buffer[4352];
  int known = resolve(AT_FDCWD, path, buffer, sizeof buffer, 1), result = next(path, length);
  if (result == 0 && known) note(UPDATED, buffer);
  return result;
}

/* Only names inside the project: an interpreter looks for thousands of modules elsewhere. */
static int sought(int result, int directory, const char *path) {
  if (result != 0 && (errno == ENOENT || errno == ENOTDIR) && path && *path) {
    int kept = errno;
    if (log_enter()) {
      char buffer[4352];
      if (absolute(directory, path, buffer, sizeof buffer) && in_project(buffer)) log_once(SOUGHT, buffer);
      log_leave();
    }
    errno = kept;
  }
  return result;
}

#define STAT(name, type) \
  EXPORT int name(const char *path, struct type *status) { \
    NEXT(name); \
    char led[256]; \
    path = pids_path(path, led, sizeof led); \
    return stamps_given(sought(next(path, status), AT_FDCWD, path), AT_FDCWD, path, (struct stat *)status); \
  }
#define FSTAT(name, type) \
  EXPORT int name(int descriptor, struct type *status) { \
    NEXT(name); \
    return stamps_given(next(descriptor, status), descriptor, NULL, (struct stat *)status); \
  }
#define FSTATAT(name, type) \
  EXPORT int name(int directory, const char *path, struct type *status, int flags) { \
    NEXT(name); \
    char led[256]; \
    path = pids_path(path, led, sizeof led); \
    int result = sought(next(directory, path, status, flags), directory, path); \
    return stamps_given(result, directory, path, (struct stat *)status); \
  }
#if __GLIBC_PREREQ(2, 33)
STAT(stat, stat)
STAT(stat64, stat64)
STAT(lstat, stat)
STAT(lstat64, stat64)
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)
FSTATAT(fstatat, stat)
FSTATAT(fstatat64, stat64)
#endif

/* What programs call that were linked with glibc before 2.33. */
#define OLD_STAT(name, type) \
  int name(int, const char *, struct type *); \
  EXPORT int name(int version, const char *path, struct type *status) { \
    NEXT(name); \
    char led[256]; \
    path = pids_path(path, led, sizeof led); \
    int result = sought(next(version, path, status), AT_FDCWD, path); \
    return stamps_given(result, AT_FDCWD, path, (struct stat *)status); \
  }
#define OLD_FSTAT(name, type) \
  int name(int, int, struct type *); \
  EXPORT int name(int version, int descriptor, struct type *status) { \
    NEXT(name); \
    return stamps_given(next(version, descriptor, status), descriptor, NULL, (struct stat *)status); \
  }
#define OLD_FSTATAT(name, type) \
  int name(int, int, const char *, struct type *, int); \
  EXPORT int name(int version, int directory, const char *path, struct type *status, int flags) { \
    NEXT(name); \
    char led[256]; \
    path = pids_path(path, led, sizeof led); \
    int result = sought(next(version, directory, path, status, flags), directory, path); \
    return stamps_given(result, directory, path, (struct stat *)status); \
  }
#if defined(__x86_64__) && !defined(__ILP32__)
OLD_STAT(__xstat, stat)
OLD_STAT(__xstat64, stat64)
OLD_STAT(__lxstat, stat)
OLD_STAT(__lxstat64, stat64)
OLD_FSTAT(__fxstat, stat)
OLD_FSTAT(__fxstat64, stat64)
OLD_FSTATAT(__fxstatat, stat)
OLD_FSTATAT(__fxstatat64, stat64)
#endif

EXPORT int access(const char *path, int mode) {
  NEXT(access);
  return sought(next(path, mode), AT_FDCWD, path);
}

EXPORT int faccessat(int directory, const char *path, int mode, int flags) {
  NEXT(faccessat);
  return sought(next(directory, path, mode, flags), directory, path);
}
