/* The log: one file a process, mapped into memory, so that events survive a kill and cost no system call.
 *
 * Blocks are allocated before they are mapped (posix_fallocate): on a full disk that fails with an error code,
 * where a write into a sparse map would kill the program with SIGBUS. */
#include "shim.h"
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FIRST_BLOCK (64u << 10)
#define LARGEST_BLOCK (1u << 20)
#define SEEN_FIRST 4096u

static char folder[3072], project[3072], file[64];
static int on, ended;
static int place = -1; /* the folder, once this process is in another root (chroot(2)) */
static dev_t place_device;
static ino_t place_inode;
static char *lost;     /* shared by all processes: one of them could not write down what it did */
static char *alive;    /* zeroed by the kernel in a child that was forked past pthread_atfork */
static long owner; /* whose log this is: a vforked child shares our memory */
static volatile char lock;
static char *block;          /* the mapped part of the file that is being filled */
static size_t block_size, block_used, file_size;
static uint64_t *seen;       /* open addressing; 0 is free */
static size_t seen_size, seen_used;
static __thread int inside __attribute__((tls_model("initial-exec")));

int log_ready(void) { return on; }
const char *log_folder(void) { return folder; }

/* The project may be known under several names, one a line: as given, and with links resolved. */
const char *in_project(const char *path) {
  for (const char *root = project, *end; *root; root = *end ? end + 1 : end) {
    end = strchrnul(root, '\n');
    size_t length = (size_t)(end - root);
    if (length && !strncmp(path, root, length) && path[length] == '/') return path + length;
  }
  return NULL;
}

static void after_fork(void);

int log_enter(void) {
  if (!on || inside) return 0;
  if (alive && !*alive) after_fork(); /* a child of _Fork, clone or a raw system call */
  if (!on) return 0;
  inside = 1;
  return 1;
}

void log_leave(void) { inside = 0; }

static void take(void) {
  while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE)) sched_yield();
}

static void give(void) { __atomic_clear(&lock, __ATOMIC_RELEASE); }

static void *map(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

/* Opens a file of the log's folder. A program may have closed our descriptor, and opened its own in its place. */
static int in_folder(const char *name, int flags) {
  char path[3200];
  struct stat status;
  if (place < 0) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
  }
  if (syscall(SYS_fstat, place, &status) != 0 || status.st_dev != place_device || status.st_ino != place_inode) return -1;
  return (int)syscall(SYS_openat, place, name, flags | O_CLOEXEC, 0600);
}

int log_before_chroot(void) {
  struct stat status;
  if (!on || place >= 0) return -1;
  int low = (int)syscall(SYS_openat, AT_FDCWD, folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  int high = low < 0 ? -1 : (int)syscall(SYS_fcntl, low, F_DUPFD_CLOEXEC, 700); /* programs expect low numbers */
  if (low >= 0) syscall(SYS_close, low);
  if (high < 0 || syscall(SYS_fstat, high, &status) != 0) return high;
  place_device = status.st_dev;
  place_inode = status.st_ino;
  return high;
}

void log_after_chroot(int held, int failed) {
  if (held < 0) return;
  if (failed) syscall(SYS_close, held);
  else place = held;
}

/* Maps the next block of the log; 0 when the disk or the memory is full. */
static int next_block(size_t wanted) {
  size_t size = block_size ? block_size * 2 : FIRST_BLOCK;
  if (size > LARGEST_BLOCK) size = LARGEST_BLOCK;
  while (size < wanted + 1) size *= 2;
  int descriptor = in_folder(file, O_RDWR | O_CREAT);
  if (descriptor < 0) return 0;
  void *memory = MAP_FAILED;
  if (posix_fallocate(descriptor, file_size, size) == 0)
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, file_size);
  syscall(SYS_close, descriptor);
  if (memory == MAP_FAILED) return 0;
  if (block) munmap(block, block_size);
  block = memory;
  block_size = size;
  block_used = 0;
  file_size += size;
  return 1;
}

static void cease(void) {
  if (lost) *lost = 1;
  if (!block || block_used + 2 > block_size) return;
  memcpy(block + block_used, "Q", 2);
  block_used += 2;
}

static void append_text(enum kind kind, const char *stamp, const char *text) {
  size_t before = strlen(stamp), length = before + strlen(text) + 2;
  if (!block || block_used + length > block_size) {
    if (!next_block(length)) {
      cease();
      on = 0;
      return;
    }
  }
  block[block_used] = (char)kind;
  memcpy(block + block_used + 1, stamp, before);
  memcpy(block + block_used + 1 + before, text, length - before - 1);
  block_used += length;
}

static void append(enum kind kind, const char *text) { append_text(kind, "", text); }

static void append_timed(enum kind kind, const char *text) {
  char stamp[32];
  snprintf(stamp, sizeof stamp, "%lld ", (long long)real_now(CLOCK_MONOTONIC));
  append_text(kind, stamp, text);
}

/* FNV-1a, 64 bit (Fowler, Noll, Vo): http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash(enum kind kind, const char *text) {
  uint64_t value = 14695981039346656037ull ^ (unsigned char)kind;
  for (; *text; text++) value = (value ^ (unsigned char)*text) * 1099511628211ull;
  return value ? value : 1;
}

static int put(uint64_t *table, size_t size, uint64_t key) {
  for (size_t at = key & (size - 1);; at = (at + 1) & (size - 1)) {
    if (table[at] == key) return 0;
    if (!table[at]) {
      table[at] = key;
      return 1;
    }
  }
}

/* Whether this is the first time; when memory is out, everything is a first time. */
static int first_time(uint64_t key) {
  if (seen_used * 2 >= seen_size) {
    size_t size = seen_size ? seen_size * 2 : SEEN_FIRST;
    uint64_t *table = map(size * sizeof *table);
    if (!table) return 1;
    for (size_t at = 0; at < seen_size; at++)
      if (seen[at]) put(table, size, seen[at]);
    if (seen) munmap(seen, seen_size * sizeof *seen);
    seen = table;
    seen_size = size;
  }
  int fresh = put(seen, seen_size, key);
  seen_used += fresh;
  return fresh;
}

void log_event(enum kind kind, const char *text) {
  int kept = errno;
  take();
  if (on) append_timed(kind, text);
  give();
  errno = kept;
}

void log_pair(enum kind a, const char *first, enum kind b, const char *second) {
  int kept = errno;
  take();
  if (on) append_timed(a, first);
  if (on) append_timed(b, second);
  give();
  errno = kept;
}

void log_once(enum kind kind, const char *text) {
  int kept = errno;
  uint64_t key = hash(kind, text);
  take();
  if (on && first_time(key)) append_timed(kind, text);
  give();
  errno = kept;
}

void log_write_elsewhere(enum kind kind, const char *text) {
  int kept = errno;
  char event[4200];
  int length = snprintf(event, sizeof event, "%c%s", kind, text);
  int descriptor = in_folder("exec.log", O_WRONLY | O_CREAT | O_APPEND);
  if (descriptor < 0) { /* as in another mount namespace (mount_namespaces(7)): what is started here is unseen */
    take();
    cease();
    give();
  }
  if (descriptor >= 0 && length > 0 && (size_t)length < sizeof event) {
    if (syscall(SYS_write, descriptor, event, (size_t)length + 1) < 0) errno = kept;
  }
  if (descriptor >= 0) syscall(SYS_close, descriptor);
  errno = kept;
}

/* Copies a small file of /proc; returns its length. */
static ssize_t slurp(const char *path, char *buffer, size_t size) {
  int descriptor = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  size_t length = 0;
  while (length < size) {
    ssize_t got = syscall(SYS_read, descriptor, buffer + length, size - length);
    if (got <= 0) break;
    length += (size_t)got;
  }
  syscall(SYS_close, descriptor);
  return (ssize_t)length;
}

/* A mapping outlives what makes the folder unreachable by its name: another root, another mount namespace. */
static void share_lost(void) {
  struct stat status;
  int descriptor = in_folder("lost", O_RDWR);
  if (descriptor < 0) return;
  void *memory = MAP_FAILED; /* a byte that is not there would end the program by SIGBUS */
  if (syscall(SYS_fstat, descriptor, &status) == 0 && status.st_size > 0)
    memory = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  syscall(SYS_close, descriptor);
  lost = memory == MAP_FAILED ? NULL : memory;
}

/* Says who this process is. */
static void introduce(void) {
  static char buffer[64 << 10];
  char text[4096];
  owner = (long)syscall(SYS_getpid);
  ended = 0;
  snprintf(file, sizeof file, "%ld-%lld.shim", (long)syscall(SYS_getpid), (long long)real_now(CLOCK_MONOTONIC));
  snprintf(text, sizeof text, "%ld %ld", (long)syscall(SYS_getpid), (long)syscall(SYS_getppid));
  append(STARTED, text);
  if (!on) return;
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", text, sizeof text - 1);
  if (length > 0) {
    text[length] = 0;
    append(PROGRAM, text);
  }
  if (on && syscall(SYS_getcwd, text, sizeof text) > 0) append(FOLDER, text);
  length = slurp("/proc/self/cmdline", buffer, sizeof buffer - 1);
  buffer[length > 0 ? length : 0] = 0;
  for (ssize_t at = 0; on && at < length; at += (ssize_t)strlen(buffer + at) + 1) append(ARGUMENT, buffer + at);
}

/* VmHWM of proc(5): getrusage's maximum goes on across exec. */
static long largest_memory(void) {
  char buffer[4096];
  ssize_t length = slurp("/proc/self/status", buffer, sizeof buffer - 1);
  buffer[length > 0 ? length : 0] = 0;
  const char *line = strstr(buffer, "VmHWM:");
  return line ? atol(line + 6) : 0;
}

void log_end(int status) {
  int kept = errno;
  struct rusage usage;
  char text[128];
  long ticks = sysconf(_SC_CLK_TCK);
  if (ended || syscall(SYS_getpid) != owner || syscall(SYS_getrusage, RUSAGE_SELF, &usage) != 0) return;
  if (log_enter()) {
    ended = 1;
    snprintf(text, sizeof text, "%d %ld %ld %ld", status & 0xff,
             usage.ru_utime.tv_sec * ticks + usage.ru_utime.tv_usec * ticks / 1000000,
             usage.ru_stime.tv_sec * ticks + usage.ru_stime.tv_usec * ticks / 1000000, largest_memory());
    take();
    if (on) append_timed(ENDED, text);
    give();
    log_leave();
  }
  errno = kept;
}

static void at_exit(int status, void *unused) {
  (void)unused;
  log_end(status);
}

static int is_told(const char *path) {
  return strstr(path, ".so") || strstr(path, "/locale/") || !strncmp(path, "/dev/nvidia", 11) ||
         !strncmp(path, "/dev/kfd", 8) || !strncmp(path, "/dev/dri/", 9);
}

/* Libraries, locales and devices of GPUs that are mapped now; the C library's own opens cannot be seen by a preloaded
   library. */
static void list_libraries(void) {
  static char buffer[1 << 20];
  ssize_t length = slurp("/proc/self/maps", buffer, sizeof buffer - 1);
  if (length <= 0) return;
  buffer[length] = 0;
  for (char *line = buffer, *end; on && (end = strchr(line, '\n')); line = end + 1) {
    *end = 0;
    char *path = strchr(line, '/');
    if (path && is_told(path) && first_time(hash(LIBRARY, path))) append(LIBRARY, path);
  }
}

/* A forked child fills a log of its own. It shares neither blocks nor what was seen. */
static void after_fork(void) {
  give();
  inside = 0;
  if (alive) *alive = 1;
  if (!on) return;
  int kept = errno;
  if (block) munmap(block, block_size);
  if (seen) munmap(seen, seen_size * sizeof *seen);
  block = NULL;
  seen = NULL;
  block_size = block_used = file_size = seen_size = seen_used = 0;
  introduce();
  errno = kept;
}

__attribute__((constructor)) static void start(void) {
  int kept = errno;
  const char *where = getenv("ENVFREEZE_AGENT"), *root = getenv("ENVFREEZE_PROJECT");
  if (where && *where == '/' && strlen(where) < sizeof folder && root && strlen(root) < sizeof project) {
    strcpy(folder, where);
    strcpy(project, root);
    on = 1;
    share_lost();
#ifdef MADV_WIPEONFORK
    alive = map(1);
    if (alive && madvise(alive, 1, MADV_WIPEONFORK) != 0) alive = NULL; /* before Linux 4.14 */
    if (alive) *alive = 1;
#endif
    introduce();
    pthread_atfork(NULL, NULL, after_fork);
    on_exit(at_exit, NULL);
  }
  errno = kept;
}

__attribute__((destructor)) static void finish(void) {
  int kept = errno;
  if (log_enter()) {
    take();
    list_libraries();
    give();
    log_leave();
  }
  errno = kept;
}
