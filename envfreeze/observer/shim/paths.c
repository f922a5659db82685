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
#define KEEP_ELSEWHERE (64ll << 20) /* the same outside of the project */

static char root[3072]; /* where "/" is as seen from outside, without a slash at its end: chroot(2) */

void root_became(const char *path) {
  size_t length = strlen(path);
  while (length && path[length - 1] == '/') length--;
  if (length >= sizeof root) length = 0;
  memcpy(root, path, length);
  root[length] = 0;
}

/* The path as an absolute one, neither normalised nor resolved; 0 when it cannot be told. */
int absolute(int directory, const char *path, char *buffer, size_t size) {
  size_t used = strlen(root);
  if (!path || !*path || used + 1 >= size) return 0;
  memcpy(buffer, root, used);
  if (*path != '/') {
    char link[64], *folder = buffer + used;
    long length;
    if (directory == AT_FDCWD) {
      length = syscall(SYS_getcwd, folder, size - used) - 1;
    } else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
      length = syscall(SYS_readlinkat, AT_FDCWD, link, folder, size - used - 1);
    }
    if (length <= 0 || *folder != '/') return 0; /* it was deleted, or lies in another root */
    used += length > 1 ? (size_t)length : 0;
    if (used + 1 >= size) return 0;
    buffer[used++] = '/';
  }
  size_t length = strlen(path);
  if (used + length + 1 > size) return 0;
  memcpy(buffer + used, path, length + 1);
  return 1;
}

/* Makes the folders above a file. */
static void make_parents(char *path, size_t from) {
  for (char *at = path + from + 1; (at = strchr(at, '/')); at++) {
    *at = 0;
    syscall(SYS_mkdirat, AT_FDCWD, path, 0700);
    *at = '/';
  }
}

static int copy(int source, const char *name, const struct stat *status) {
  int target = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (target < 0) return 0;
  long long left = status->st_size;
  while (left > 0) {
    ssize_t sent = syscall(SYS_sendfile, target, source, NULL, (size_t)left);
    if (sent <= 0) break;
    left -= sent;
  }
  struct timespec times[2] = {status->st_atim, status->st_mtim};
  syscall(SYS_utimensat, target, NULL, times, 0);
  syscall(SYS_close, target);
  return left <= 0;
}

static int skipped(const char *relative) {
  return strstr(relative, "/.envfreeze/") || strstr(relative, "/.git/") || strstr(relative, "/__pycache__/") ||
         strstr(relative, "/../") || strstr(relative, "/./") || strstr(relative, "//");
}

/* Neither the system's nor a device. */
static int may_be_data(const char *path) {
  static const char *const others[] = {"/proc/", "/sys/",  "/dev/", "/run/",     "/usr/",    "/lib",
                                       "/bin/",  "/sbin/", "/etc/", "/var/log/", "/var/lib/"};
  for (size_t at = 0; at < sizeof others / sizeof *others; at++)
    if (!strncmp(path, others[at], strlen(others[at]))) return 0;
  return 1;
}

/* Keeps the content of a file that the run is about to overwrite: as <folder>/before/<path in the project>, or
 * as <folder>/elsewhere/<absolute path>. Of several processes the first wins: each copies before it writes, so
 * that one is whole. */
void about_to_write(const char *path) {
  static struct timespec began;
  const char *inside = in_project(path), *relative = inside ? inside : may_be_data(path) ? path : NULL;
  char agent[3200], name[8192], unfinished[3300];
  struct stat status;
  if (*root || !relative || skipped(relative)) return; /* in another root nothing can be copied */
  if (!began.tv_sec) { /* what is newer than the agent's folder was made by the run itself */
    snprintf(agent, sizeof agent, "%s/../agent", log_folder());
    if (syscall(SYS_newfstatat, AT_FDCWD, agent, &status, 0) == 0) began = status.st_mtim;
  }
  /* Opening a pipe, even for a moment, would wake its writer, and then end it by SIGPIPE. */
  if (syscall(SYS_newfstatat, AT_FDCWD, path, &status, 0) != 0 || !S_ISREG(status.st_mode)) return;
  int source = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
  if (source < 0) return;
  snprintf(name, sizeof name, "%s/%s%s", log_folder(), inside ? "before" : "elsewhere", relative);
  if (syscall(SYS_fstat, source, &status) == 0 && S_ISREG(status.st_mode) &&
      status.st_size <= (inside ? KEEP_AT_MOST : KEEP_ELSEWHERE) &&
      (!began.tv_sec || status.st_mtim.tv_sec < began.tv_sec ||
       (status.st_mtim.tv_sec == began.tv_sec && status.st_mtim.tv_nsec < began.tv_nsec)) &&
      syscall(SYS_faccessat, AT_FDCWD, name, F_OK) != 0) {
    snprintf(unfinished, sizeof unfinished, "%s/%ld.part", log_folder(), (long)syscall(SYS_gettid));
    make_parents(name, strlen(log_folder()));
    if (copy(source, unfinished, &status)) syscall(SYS_linkat, AT_FDCWD, unfinished, AT_FDCWD, name, 0);
    syscall(SYS_unlinkat, AT_FDCWD, unfinished, 0);
  }
  syscall(SYS_close, source);
}
