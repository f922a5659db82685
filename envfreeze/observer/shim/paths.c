/* Paths: made absolute, and files kept before they are overwritten. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEEP_AT_MOST (256ll << 20) /* bytes of one file; larger ones are named in the lock as not kept */

/* The path as an absolute one, neither normalised nor resolved; 0 when it cannot be told. */
int absolute(int directory, const char *path, char *buffer, size_t size) {
  size_t used = 0;
  if (!path || !*path) return 0;
  if (*path != '/') {
    long length;
    if (directory == AT_FDCWD) {
      length = syscall(SYS_getcwd, buffer, size);
      if (length <= 0 || buffer[0] != '/') return 0; /* the folder was deleted */
      used = (size_t)length - 1;
    } else {
      char link[64];
      snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
      length = syscall(SYS_readlink, link, buffer, size - 1);
      if (length <= 0 || buffer[0] != '/') return 0;
      used = (size_t)length;
    }
    if (used + 1 >= size) return 0;
    if (used > 1 || buffer[0] != '/') buffer[used++] = '/';
    else used = 1;
  }
  size_t length = strlen(path);
  if (used + length + 1 > size) return 0;
  memcpy(buffer + used, path, length + 1);
  return 1;
}

static int in_project(const char *path) {
  size_t length = strlen(log_project());
  return !strncmp(path, log_project(), length) && path[length] == '/';
}

/* Keeps the content of a project file that the run is about to overwrite, once: the first writer wins. */
void about_to_write(const char *path) {
  static long long started;
  struct stat status;
  if (!in_project(path)) return;
  if (!started) started = atoll(getenv("ENVFREEZE_STARTED") ? getenv("ENVFREEZE_STARTED") : "0");
  int source = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
  if (source < 0) return;
  if (fstat(source, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= KEEP_AT_MOST &&
      status.st_mtim.tv_sec < started) { /* a file that the run made itself needs no keeping */
    uint64_t name = 14695981039346656037ull;
    for (const char *at = path; *at; at++) name = (name ^ (unsigned char)*at) * 1099511628211ull;
    char kept[3200], event[8192];
    snprintf(kept, sizeof kept, "%s/before/%016llx", log_folder(), (unsigned long long)name);
    int target = syscall(SYS_openat, AT_FDCWD, kept, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (target >= 0) {
      long long left = status.st_size;
      while (left > 0) {
        ssize_t sent = syscall(SYS_sendfile, target, source, NULL, (size_t)left);
        if (sent <= 0) break;
        left -= sent;
      }
      syscall(SYS_close, target);
      if (left > 0) syscall(SYS_unlink, kept);
      else {
        snprintf(event, sizeof event, "%016llx %s", (unsigned long long)name, path);
        log_event(KEPT, event);
      }
    }
  }
  syscall(SYS_close, source);
}
