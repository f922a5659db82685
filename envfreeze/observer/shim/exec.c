/* Starting programs: noted, and the new program is watched too even when it gets another environment. */
#include "shim.h"
#include "tape.h"

#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const OURS[] = {"LD_PRELOAD",      "ENVFREEZE_AGENT",      "ENVFREEZE_PROJECT",  "ENVFREEZE_TAPE",
                                   "ENVFREEZE_TAPES", "ENVFREEZE_TAPE_STATE", "ENVFREEZE_TAPE_KEYS",
                                   "ENVFREEZE_TAPE_ROOT", "ENVFREEZE_SEED",     "ENVFREEZE_HOLD"};
#define COUNT (sizeof OURS / sizeof *OURS)
static char values[COUNT][4400]; /* "NAME=value" as at our start; the first names the shim */
static char shim[4400];          /* path of this library */
static char others[4400];        /* "LD_PRELOAD=…" without it; empty when there is nothing else */

__attribute__((constructor)) static void remember(void) {
  for (size_t i = 0; i < COUNT; i++) {
    const char *value = getenv(OURS[i]);
    if (value) snprintf(values[i], sizeof values[i], "%s=%s", OURS[i], value);
  }
  const char *preloaded = getenv(OURS[0]);
  if (preloaded) {
    size_t length = strcspn(preloaded, ":");
    snprintf(shim, sizeof shim, "%.*s", (int)length, preloaded);
    if (preloaded[length]) snprintf(others, sizeof others, "%s=%s", OURS[0], preloaded + length + 1);
  }
}

/* Whether a program started now could load the shim. In another root (chroot(2)), or as a user who may not read
 * it, its loader would complain in the program's own output. */
static int loadable(void) {
  int kept = errno, descriptor = syscall(SYS_openat, AT_FDCWD, shim, O_RDONLY | O_CLOEXEC, 0);
  if (descriptor >= 0) syscall(SYS_close, descriptor);
  errno = kept;
  return descriptor >= 0;
}

static int is_set(char *const *environment, const char *name) {
  size_t length = strlen(name);
  for (; environment && *environment; environment++)
    if (!strncmp(*environment, name, length) && (*environment)[length] == '=') return 1;
  return 0;
}

static size_t count(char *const *list) {
  size_t n = 0;
  while (list && list[n]) n++;
  return n;
}

#define NAME 64
typedef size_t (*namer)(char *, size_t);

/* Fills `with` (count + COUNT + 2 places) with the environment, what of ours it lacks, and the program's name on
 * the tapes in place of our own. A child between fork and exec may not allocate, so the caller brings the memory. */
static char *const *complete(char *const *environment, char **with, char *name, namer named) {
  size_t n = count(environment), used = 0;
  int loads = loadable();
  if (loads && !log_ready() && tape_mode == TAPE_OFF) return environment;
  if (tape_mode != TAPE_OFF && named(name, NAME) >= NAME) return environment;
  for (size_t i = 0; i < n; i++) {
    if (!loads && !strcmp(environment[i], values[0])) {
      if (*others) with[used++] = others;
    } else if (tape_mode == TAPE_OFF || strncmp(environment[i], SELF "=", sizeof SELF)) {
      with[used++] = environment[i];
    }
  }
  for (size_t i = !loads; i < COUNT; i++)
    if (*values[i] && !is_set(environment, OURS[i])) with[used++] = values[i];
  if (tape_mode != TAPE_OFF) with[used++] = name;
  with[used] = NULL;
  return with;
}

#define COMPLETE(environment, named) \
  complete(environment, alloca((count(environment) + COUNT + 2) * sizeof(char *)), alloca(NAME), named)

static void note(const char *path) {
  char buffer[4352];
  if (log_enter()) {
    if (path && strchr(path, '/') && absolute(AT_FDCWD, path, buffer, sizeof buffer))
      log_write_elsewhere(EXECUTED, buffer);
    log_leave();
  }
}

/* A name without a slash is looked for as execvp(3) does. */
static void note_found(const char *file) {
  char path[4352];
  const char *folders = getenv("PATH");
  if (!file || strchr(file, '/')) {
    note(file);
    return;
  }
  for (const char *at = folders ? folders : "/bin:/usr/bin", *end; *at; at = *end ? end + 1 : end) {
    end = strchrnul(at, ':');
    int length = snprintf(path, sizeof path, "%.*s/%s", end > at ? (int)(end - at) : 1, end > at ? at : ".", file);
    if (length > 0 && (size_t)length < sizeof path && syscall(SYS_faccessat, AT_FDCWD, path, X_OK) == 0) {
      note(path);
      return;
    }
  }
}

static void note_descriptor(int descriptor) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = 0;
  note(path);
}

EXPORT int execve(const char *path, char *const argv[], char *const environment[]) {
  NEXT(execve);
  note(path);
  return next(path, argv, COMPLETE(environment, process_next));
}

EXPORT int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

EXPORT int execvpe(const char *file, char *const argv[], char *const environment[]) {
  NEXT(execvpe);
  int kept = errno;
  note_found(file);
  errno = kept;
  return next(file, argv, COMPLETE(environment, process_next));
}

EXPORT int fexecve(int descriptor, char *const argv[], char *const environment[]) {
  NEXT(fexecve);
  int kept = errno;
  note_descriptor(descriptor);
  errno = kept;
  return next(descriptor, argv, COMPLETE(environment, process_next));
}

/* Of glibc 2.34. */
int execveat(int, const char *, char *const[], char *const[], int);
EXPORT int execveat(int folder, const char *path, char *const argv[], char *const environment[], int flags) {
  NEXT(execveat);
  char buffer[4352];
  int kept = errno;
  if (!next) {
    errno = ENOSYS;
    return -1;
  }
  KEEP_CHECKS(path);
  if (!path || !*path) note_descriptor(folder);
  else if (absolute(folder, path, buffer, sizeof buffer)) note(buffer);
  errno = kept;
  return next(folder, path, argv, COMPLETE(environment, process_next), flags);
}

EXPORT int execvp(const char *file, char *const argv[]) { return execvpe(file, argv, environ); }

#define ARGUMENTS \
  va_list rest; \
  size_t n = 1; \
  va_start(rest, first); \
  while (va_arg(rest, char *)) n++; \
  va_end(rest); \
  char **argv = alloca((n + 1) * sizeof *argv); \
  argv[0] = (char *)first; \
  va_start(rest, first); \
  for (size_t i = 1; i <= n; i++) argv[i] = va_arg(rest, char *)

EXPORT int execl(const char *path, const char *first, ...) {
  ARGUMENTS;
  va_end(rest);
  return execve(path, argv, environ);
}

EXPORT int execlp(const char *file, const char *first, ...) {
  ARGUMENTS;
  va_end(rest);
  return execvpe(file, argv, environ);
}

EXPORT int execle(const char *path, const char *first, ...) {
  ARGUMENTS;
  char *const *environment = va_arg(rest, char *const *);
  va_end(rest);
  return execve(path, argv, environment);
}

#define SPAWN(name, note) \
  EXPORT int name(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, \
                  const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]) { \
    NEXT(name); \
    note(path); \
    int result = next(pid, path, actions, attributes, argv, COMPLETE(environment, process_spawning)); \
    if (result == 0 && tape_mode != TAPE_OFF) { \
      uint64_t id = process_spawned(); \
      if (pid) *pid = pids_made(*pid, id); \
    } \
    return result; \
  }
SPAWN(posix_spawn, note)
SPAWN(posix_spawnp, note_found)
