/* What another process has in its memory and in /proc. It waits in a call while we look. */
#include "tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define REMOTE_PAGE 4096u

int remote_bytes(pid_t thread, uint64_t address, void *bytes, size_t size) {
  struct iovec here = {bytes, size}, there = {(void *)(uintptr_t)address, size};
  return process_vm_readv(thread, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* A text that ends with NUL: page by page, as the page behind it may not be there. */
int remote_text(pid_t thread, uint64_t address, char *text, size_t size) {
  size_t used = 0;
  while (address && used < size) {
    size_t part = REMOTE_PAGE - (address + used) % REMOTE_PAGE;
    if (part > size - used) part = size - used;
    if (!remote_bytes(thread, address + used, text + used, part)) return 0;
    if (memchr(text + used, 0, part)) return 1;
    used += part;
  }
  return 0;
}

ssize_t remote_file(pid_t process, const char *name, char *text, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)process, name);
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return -1;
  size_t used = 0;
  for (ssize_t got; used + 1 < size && (got = read(descriptor, text + used, size - 1 - used)) > 0;)
    used += (size_t)got;
  close(descriptor);
  text[used] = 0;
  return (ssize_t)used;
}

int remote_link(pid_t thread, const char *name, char *text, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)thread, name);
  ssize_t length = readlink(path, text, size - 1);
  if (length <= 0) return 0;
  text[length] = 0;
  return 1;
}

static pid_t number_after(const char *text, const char *name) {
  const char *at = strstr(text, name);
  return at ? (pid_t)atoi(at + strlen(name)) : 0;
}

pid_t remote_process(pid_t thread, pid_t *parent) {
  char text[4096];
  if (remote_file(thread, "status", text, sizeof text) < 0) return 0;
  *parent = number_after(text, "\nPPid:");
  return number_after(text, "\nTgid:");
}

static int is_deleted(const char *folder) {
  static const char MARK[] = " (deleted)";
  size_t length = strlen(folder);
  return length >= sizeof MARK - 1 && !strcmp(folder + length - (sizeof MARK - 1), MARK) && access(folder, F_OK) != 0;
}

/* 1 with the absolute path, 0 when there is none, -1 when the process's memory cannot be read. */
int remote_path(pid_t thread, int directory, uint64_t address, char *path, size_t size) {
  char text[4096], name[32];
  if (!remote_text(thread, address, text, sizeof text)) return -1;
  if (!*text) return 0;
  if (*text == '/') {
    /* Another root (chroot(2)); the working directory is told as seen from here. */
    if (!remote_link(thread, "root", path, size)) return -1;
    if (!strcmp(path, "/")) *path = 0;
  } else {
    if (directory == AT_FDCWD) strcpy(name, "cwd");
    else snprintf(name, sizeof name, "fd/%d", directory);
    if (!remote_link(thread, name, path, size)) return -1;
    if (*path != '/' || is_deleted(path)) return 0;
    if (strcmp(path, "/") != 0) strncat(path, "/", size - strlen(path) - 1);
  }
  size_t used = strlen(path);
  if (used + strlen(text) + 1 > size) return 0;
  strcpy(path + used, text);
  return 1;
}
