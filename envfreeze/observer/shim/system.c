/* Small files of the system that are others on every machine, boot or read. A program that opens one gets a file
 * with what was in it at freeze, made in memory; while recording, one with what was read just now, so that what
 * the program sees and what is on the tape are the same. */
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define MOST 8192

/* '*' stands for one name. */
static const char *const FILES[] = {
    "/proc/uptime",     "/proc/loadavg",    "/proc/sys/kernel/random/boot_id", "/proc/sys/kernel/random/uuid",
    "/etc/machine-id",  "/etc/hostname",    "/var/lib/dbus/machine-id",        "/proc/sys/kernel/hostname",
    "/proc/self/stat",  "/proc/self/statm", "/sys/class/net/*/address",        "/proc/self/status",
};
static const char *const OF_PROCESS[] = {"stat", "statm", "status"};

static int matches(const char *pattern, const char *path) {
  for (; *pattern && *path; pattern++) {
    if (*pattern == '*') {
      while (*path && *path != '/') path++;
    } else if (*pattern != *path++) {
      return 0;
    }
  }
  return !*pattern && !*path;
}

/* The number of the process that "/proc/<number>/stat" and the like are about, or 0. */
static long process_of(const char *path) {
  char *end;
  if (strncmp(path, "/proc/", 6)) return 0;
  int kept = errno;
  long number = strtol(path + 6, &end, 10);
  errno = kept;
  for (size_t i = 0; number > 0 && *end == '/' && i < sizeof OF_PROCESS / sizeof *OF_PROCESS; i++)
    if (!strcmp(end + 1, OF_PROCESS[i])) return number;
  return 0;
}

static int is_known(const char *path) {
  if (strncmp(path, "/proc/", 6) && strncmp(path, "/etc/", 5) && strncmp(path, "/sys/", 5) && strncmp(path, "/var/", 5))
    return 0;
  for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++)
    if (matches(FILES[i], path)) return 1;
  return 0;
}

static long slurp(int descriptor, char *text, size_t size) {
  size_t length = 0;
  while (length + 1 < size) {
    long got = syscall(SYS_read, descriptor, text + length, size - 1 - length);
    if (got <= 0) break;
    length += (size_t)got;
  }
  text[length] = 0;
  return (long)length;
}

static void put_number(char *text, size_t size, char *at, size_t digits, long number) {
  char rest[MOST];
  snprintf(rest, sizeof rest, "%s", at + digits);
  snprintf(at, size - (size_t)(at - text), "%ld%s", number, rest);
}

static void show_at(char *text, size_t size, char *at) {
  char *end;
  while (at && (*at == ' ' || *at == '\t')) at++;
  long real = at ? strtol(at, &end, 10) : 0;
  if (real > 0) put_number(text, size, at, (size_t)(end - at), pids_shown((pid_t)real));
}

/* Numbers in what /proc says of a process of a replay: proc_pid_stat(5), proc_pid_status(5). */
static void show_numbers(char *text, size_t size) {
  static const char *const LINES[] = {"\nTgid:", "\nPid:", "\nPPid:"};
  char *name_end = strrchr(text, ')');
  if (name_end && text[0] >= '1' && text[0] <= '9') {
    show_at(text, size, strlen(name_end) > 3 ? name_end + 4 : NULL);
    show_at(text, size, text);
  }
  for (size_t i = 0; i < 3; i++) {
    char *line = strstr(text, LINES[i]);
    show_at(text, size, line ? line + strlen(LINES[i]) : NULL);
  }
}

static void through_tape(char *text, long *length, const char *path) {
  struct thread *thread = tape_enter();
  struct stream *stream = thread ? tape_named(thread, SYSTEM, path) : NULL;
  if (stream && tape_mode == TAPE_RECORD) tape_put_bytes(stream, text, (size_t)*length);
  else if (stream && play_has(stream)) {
    play_text(thread, stream, text, MOST);
    *length = (long)strlen(text);
  }
  if (thread) tape_leave(thread);
}

int system_opened(int descriptor, const char *path, int flags) {
  if (tape_mode == TAPE_OFF || descriptor < 0 || !path || *path != '/' || (flags & O_ACCMODE) != O_RDONLY)
    return descriptor;
  int process = process_of(path) > 0;
  if (!process && !is_known(path)) return descriptor;
  int kept = errno;
  char text[MOST];
  long length = slurp(descriptor, text, sizeof text);
  if (process && tape_mode == TAPE_REPLAY) show_numbers(text, sizeof text);
  length = (long)strlen(text);
  through_tape(text, &length, path);
  int copy = (int)syscall(SYS_memfd_create, "system", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
  if (copy >= 0 && syscall(SYS_write, copy, text, (size_t)length) == length) {
    syscall(SYS_lseek, copy, 0, SEEK_SET);
    syscall(SYS_dup3, copy, descriptor, flags & O_CLOEXEC);
  } else {
    syscall(SYS_lseek, descriptor, 0, SEEK_SET);
  }
  if (copy >= 0) syscall(SYS_close, copy);
  errno = kept;
  return descriptor;
}
