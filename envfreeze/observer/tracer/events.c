/* Calls become events of the log. Written at once: what was seen survives the end of the tracer. */
#include "tracer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define THREADS 65536u  /* cached: thread to process */
#define MOST_SEEN (1u << 24) /* events that are told apart, all programs together; the rest is told anew */

long (*raw_syscall)(long, ...) = (syscall);
unsigned events_unread;

static struct program *programs[4096];
static struct { pid_t thread, process; } threads[THREADS];
static uint64_t *seen;
static size_t seen_size, seen_used;
static unsigned count, current;
static int file = -1, ceased;
static const char *folder = "", *project = "";
static size_t own;

const char *log_folder(void) { return folder; }
int events_ceased(void) { return ceased; }

const char *in_project(const char *path) {
  for (const char *root = project, *end; *root; root = *end ? end + 1 : end) {
    end = strchrnul(root, '\n');
    size_t length = (size_t)(end - root);
    if (length && !strncmp(path, root, length) && path[length] == '/') return path + length;
  }
  return NULL;
}

int events_open(void) {
  char path[4096];
  folder = getenv("ENVFREEZE_AGENT");
  project = getenv("ENVFREEZE_PROJECT");
  if (!folder || !project) return 0;
  own = (size_t)(strrchr(folder, '/') - folder);
  snprintf(path, sizeof path, "%s/trace.deep", folder);
  file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) ceased = 1;
  return file >= 0;
}

static void put(const char *event, size_t length) {
  if (!ceased && write(file, event, length) != (ssize_t)length) ceased = 1;
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static void event(struct program *program, int kind, int timed, const char *text) {
  char line[8400];
  int used = 0;
  if (current != program->number) {
    used = snprintf(line, sizeof line, "%c%u", SWITCHED, program->number) + 1;
    current = program->number;
  }
  int more = timed ? snprintf(line + used, sizeof line - (size_t)used, "%c%lld %s", kind, now(), text)
                   : snprintf(line + used, sizeof line - (size_t)used, "%c%s", kind, text);
  if (more > 0 && (size_t)(used + more) < sizeof line) put(line, (size_t)(used + more) + 1);
}

static uint64_t hash(uint64_t value, const char *text, size_t length) { /* FNV-1a */
  for (size_t i = 0; i < length; i++) value = (value ^ (unsigned char)text[i]) * 1099511628211ull;
  return value ? value : 1;
}

static int insert(uint64_t *table, size_t size, uint64_t key) {
  for (size_t at = key & (size - 1);; at = (at + 1) & (size - 1)) {
    if (table[at] == key) return 0;
    if (!table[at]) return table[at] = key, 1;
  }
}

static int first_time(uint64_t key) {
  if (seen_used * 2 >= seen_size) {
    size_t size = seen_size ? seen_size * 2 : 4096;
    uint64_t *table = size > MOST_SEEN ? NULL : calloc(size, sizeof *table);
    if (!table) return 1;
    for (size_t at = 0; at < seen_size; at++)
      if (seen[at]) insert(table, size, seen[at]);
    free(seen);
    seen = table, seen_size = size;
  }
  int fresh = insert(seen, seen_size, key);
  seen_used += (size_t)fresh;
  return fresh;
}

static void once(struct program *program, enum kind kind, const char *path) {
  uint64_t key = hash(14695981039346656037ull ^ (program->number << 8) ^ (uint64_t)kind, path, strlen(path));
  if (first_time(key)) event(program, kind, 1, path);
}

/* Says which program this process is now, if it is another than before. */
static void introduce(struct program *program, pid_t parent) {
  static char line[64 << 10];
  char executable[4200] = "", text[4200];
  remote_link(program->pid, "exe", executable, sizeof executable);
  ssize_t length = remote_file(program->pid, "cmdline", line, sizeof line);
  uint64_t face = hash(hash(14695981039346656037ull, executable, strlen(executable)), line, length > 0 ? (size_t)length : 0);
  program->executing = 0;
  if (program->face == face) return; /* that exec failed */
  program->face = face;
  program->number = ++count;
  snprintf(text, sizeof text, "%d %d", (int)program->pid, (int)parent);
  event(program, STARTED, 0, text);
  snprintf(text, sizeof text, "%lld", now());
  event(program, 'B', 0, text);
  event(program, PROGRAM, 0, executable);
  if (remote_link(program->pid, "cwd", text, sizeof text)) event(program, FOLDER, 0, text);
  for (ssize_t at = 0; at < length; at += (ssize_t)strlen(line + at) + 1) event(program, ARGUMENT, 0, line + at);
}

static struct program *find(pid_t thread) {
  pid_t parent = 0, process;
  unsigned place = (unsigned)thread % THREADS;
  if (threads[place].thread == thread) {
    process = threads[place].process;
  } else {
    process = remote_process(thread, &parent);
    if (!process) return NULL;
    threads[place].thread = thread, threads[place].process = process;
  }
  struct program **slot = &programs[(unsigned)process % 4096];
  struct program *program = *slot;
  while (program && program->pid != process) program = program->next;
  if (!program) {
    program = calloc(1, sizeof *program);
    if (!program) return NULL;
    program->pid = process, program->next = *slot, program->executing = 1;
    *slot = program;
  }
  if (program->executing) {
    remote_process(process, &parent);
    introduce(program, parent);
  }
  return program;
}

static void forget(struct program *gone) {
  struct program **at = &programs[(unsigned)gone->pid % 4096];
  while (*at && *at != gone) at = &(*at)->next;
  if (*at) *at = gone->next;
  for (size_t i = 0; i < THREADS; i++)
    if (threads[i].process == gone->pid) threads[i].thread = 0;
  free(gone);
}

static void opened(struct program *program, const char *path, int flags) {
  struct stat status;
  int there = stat(path, &status) == 0, writes = (flags & O_ACCMODE) != O_RDONLY;
  if (!strncmp(path, folder, own) && path[own] == '/') return; /* the observer's own */
  if ((flags & O_TMPFILE) == O_TMPFILE) return;
  if (!there && !(flags & O_CREAT)) {
    if (in_project(path) && (errno == ENOENT || errno == ENOTDIR)) once(program, SOUGHT, path);
    return;
  }
  if (writes && there && S_ISREG(status.st_mode)) about_to_write(path);
  once(program, !writes ? READ : flags & (O_TRUNC | O_EXCL) ? WROTE : UPDATED, path);
}

static void connected(struct program *program, pid_t thread, uint64_t address, uint64_t length) {
  struct sockaddr_in6 six = {0};
  struct sockaddr_in four;
  char host[INET6_ADDRSTRLEN] = "", text[96];
  int port = 0;
  if (length > sizeof six) length = sizeof six;
  if (length < sizeof four || !remote_bytes(thread, address, &six, length)) return;
  memcpy(&four, &six, sizeof four);
  if (four.sin_family == AF_INET) {
    inet_ntop(AF_INET, &four.sin_addr, host, sizeof host);
    port = ntohs(four.sin_port);
  } else if (six.sin6_family == AF_INET6 && length == sizeof six) {
    inet_ntop(AF_INET6, &six.sin6_addr, host, sizeof host);
    port = ntohs(six.sin6_port);
  }
  /* Port 0 asks for a route; 53 is a name server. Neither is whom the run talks to. */
  if (!*host || !port || port == 53) return;
  snprintf(text, sizeof text, "%s %d", host, port);
  once(program, REACHED, text);
}

static void exited(struct program *program, int code) {
  char text[4096], end[128];
  unsigned long long user = 0, system = 0, peak = 0;
  if (remote_file(program->pid, "stat", text, sizeof text) > 0) {
    char *at = strrchr(text, ')'); /* the name may hold anything */
    if (at) sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
  }
  if (remote_file(program->pid, "status", text, sizeof text) > 0) {
    char *at = strstr(text, "VmHWM:");
    if (at) peak = strtoull(at + 6, NULL, 10);
  }
  snprintf(end, sizeof end, "%d %llu %llu %llu", code & 255, user, system, peak);
  event(program, EXITED, 1, end);
  forget(program);
}

#define ARGUMENT_OF(n) call->data.args[n]
#define PATH(directory, n, into) path_of(program, thread, (int)(directory), ARGUMENT_OF(n), into)

static int path_of(struct program *program, pid_t thread, int directory, uint64_t address, char *path) {
  int result = remote_path(thread, directory, address, path, 4352);
  if (result < 0) {
    events_unread++;
    event(program, UNREAD, 0, "");
  }
  return result > 0;
}

static void renamed(struct program *program, int known, const char *from, const char *to) {
  if (!known || access(from, F_OK) != 0) return;
  about_to_write(to);
  event(program, MOVED, 1, from);
  event(program, BECAME, 1, to);
}

static void removed(struct program *program, const char *path) {
  if (access(path, F_OK) != 0) return;
  about_to_write(path);
  event(program, REMOVED, 1, path);
}

void events_of(const struct seccomp_notif *call) {
  char path[4352], other[4352];
  pid_t thread = (pid_t)call->pid;
  struct program *program = find(thread);
  if (!program) return;
  switch (call->data.nr) {
#ifdef SYS_open
    case SYS_open:
      if (PATH(AT_FDCWD, 0, path)) opened(program, path, (int)ARGUMENT_OF(1));
      break;
    case SYS_creat:
      if (PATH(AT_FDCWD, 0, path)) opened(program, path, O_WRONLY | O_CREAT | O_TRUNC);
      break;
    case SYS_rename:
      renamed(program, PATH(AT_FDCWD, 0, path) && PATH(AT_FDCWD, 1, other), path, other);
      break;
    case SYS_unlink:
      if (PATH(AT_FDCWD, 0, path)) removed(program, path);
      break;
    case SYS_link:
      if (PATH(AT_FDCWD, 0, path) && PATH(AT_FDCWD, 1, other)) {
        once(program, READ, path);
        once(program, WROTE, other);
      }
      break;
    case SYS_symlink:
      if (PATH(AT_FDCWD, 1, path)) once(program, WROTE, path);
      break;
#endif
#ifdef SYS_renameat
    case SYS_renameat:
#endif
    case SYS_renameat2:
      renamed(program, PATH(ARGUMENT_OF(0), 1, path) && PATH(ARGUMENT_OF(2), 3, other), path, other);
      break;
    case SYS_openat:
      if (PATH(ARGUMENT_OF(0), 1, path)) opened(program, path, (int)ARGUMENT_OF(2));
      break;
#ifdef SYS_openat2
    case SYS_openat2: {
      uint64_t flags = 0; /* struct open_how begins with them */
      if (remote_bytes(thread, ARGUMENT_OF(2), &flags, sizeof flags) && PATH(ARGUMENT_OF(0), 1, path))
        opened(program, path, (int)flags);
      break;
    }
#endif
    case SYS_unlinkat:
      if (PATH(ARGUMENT_OF(0), 1, path)) removed(program, path);
      break;
    case SYS_linkat:
      if (PATH(ARGUMENT_OF(0), 1, path) && PATH(ARGUMENT_OF(2), 3, other)) {
        once(program, READ, path);
        once(program, WROTE, other);
      }
      break;
    case SYS_symlinkat:
      if (PATH(ARGUMENT_OF(1), 2, path)) once(program, WROTE, path);
      break;
    case SYS_truncate:
      if (PATH(AT_FDCWD, 0, path)) opened(program, path, O_WRONLY);
      break;
    case SYS_execve:
      if (PATH(AT_FDCWD, 0, path) && access(path, X_OK) == 0) {
        program->executing = 1;
        once(program, READ, path); /* a script, or the program itself */
      }
      break;
    case SYS_execveat:
      program->executing = 1;
      if (remote_path(thread, (int)ARGUMENT_OF(0), ARGUMENT_OF(1), path, sizeof path) > 0) once(program, READ, path);
      break;
    case SYS_connect:
      connected(program, thread, ARGUMENT_OF(1), ARGUMENT_OF(2));
      break;
    case SYS_exit_group:
      exited(program, (int)ARGUMENT_OF(0));
      break;
  }
}
