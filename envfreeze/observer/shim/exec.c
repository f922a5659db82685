/* Starting programs: noted, and the new program is watched too even when it gets another environment. */
#include "shim.h"

#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const OURS[] = {"LD_PRELOAD", "ENVFREEZE_AGENT", "ENVFREEZE_PROJECT"};
#define COUNT (sizeof OURS / sizeof *OURS)
static char values[COUNT][4400]; /* "NAME=value" as at our start */

__attribute__((constructor)) static void remember(void) {
  for (size_t i = 0; i < COUNT; i++) {
    const char *value = getenv(OURS[i]);
    if (value) snprintf(values[i], sizeof values[i], "%s=%s", OURS[i], value);
  }
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

/* Fills `with` (count + COUNT + 1 places) with the environment and what of ours it lacks. A child between fork
 * and exec may not allocate, so the caller brings the memory. */
static char *const *complete(char *const *environment, char **with) {
  size_t n = count(environment), extra = 0;
  if (!log_ready()) return environment;
  if (n) memcpy(with, environment, n * sizeof *with);
  for (size_t i = 0; i < COUNT; i++)
    if (*values[i] && !is_set(environment, OURS[i])) with[n + extra++] = values[i];
  with[n + extra] = NULL;
  return extra ? with : environment;
}

#define COMPLETE(environment) \
  complete(environment, alloca((count(environment) + COUNT + 1) * sizeof(char *)))

static void note(const char *path) {
  char buffer[4352];
  if (log_enter()) {
    if (path && strchr(path, '/') && absolute(AT_FDCWD, path, buffer, sizeof buffer))
      log_write_elsewhere(EXECUTED, buffer);
    log_leave();
  }
}

EXPORT int execve(const char *path, char *const argv[], char *const environment[]) {
  NEXT(execve);
  note(path);
  return next(path, argv, COMPLETE(environment));
}

EXPORT int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

EXPORT int execvpe(const char *file, char *const argv[], char *const environment[]) {
  NEXT(execvpe);
  note(file);
  return next(file, argv, COMPLETE(environment));
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

#define SPAWN(name) \
  EXPORT int name(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, \
                  const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]) { \
    NEXT(name); \
    note(path); \
    return next(pid, path, actions, attributes, argv, COMPLETE(environment)); \
  }
SPAWN(posix_spawn)
SPAWN(posix_spawnp)
