/* Processes, named so that a replay names them alike: by the order in which each thread forks or starts them.
 *
 * A program is told its name by whoever starts it, through ENVFREEZE_TAPE_SELF. Where that happens inside of the
 * C library (system, popen) the variable still is the parent's, marked with '+' as used: then a counter file
 * tells such children apart. */
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t own;
static char name[256];   /* for people: the command line, and which fork of it */
static long pid;         /* whose memory this is: a vforked child has another */
static long spawned_pid; /* the vforked child that was named last: it may try several paths */
static uint64_t spawned_id;
static unsigned spawned_number, forked_number;
static char acted;       /* it has asked for something, or made a process: what follows it needs another name */
static char *alive;      /* zeroed by the kernel in a child that was forked past pthread_atfork */

uint64_t process_id(void) { return own; }
const char *process_name(void) { return name; }

static uint64_t step(char kind, const struct thread *thread, unsigned number) {
  uint64_t id = tape_hash(own, &kind, 1);
  if (thread) id = tape_hash(id, &thread->id, sizeof thread->id);
  return tape_hash(id, &number, sizeof number);
}

/* The '.' says that it is meant for the next program, '+' that it was taken. */
static size_t write_name(char *text, size_t size, uint64_t id) {
  return (size_t)snprintf(text, size, "%s=%016llx.", SELF, (unsigned long long)id);
}

size_t process_next(char *text, size_t size) {
  struct thread *thread = thread_self();
  uint64_t id;
  if (syscall(SYS_getpid) == pid) {
    /* This very process becomes the program. A shell that did nothing else leaves its name to it: on one machine
     * a script may start its interpreter by itself, on another through a shell, as its path is too long there. */
    id = acted ? step('e', NULL, 0) : own;
  } else {
    long child = syscall(SYS_getpid);
    if (child != spawned_pid && thread) spawned_number = thread->spawns++;
    spawned_pid = child;
    acted = 1;
    id = spawned_id = step('s', thread, spawned_number);
  }
  return write_name(text, size, id);
}

/* posix_spawn: the child is named before there is one. */
size_t process_spawning(char *text, size_t size) {
  struct thread *thread = thread_self();
  uint64_t id = step('s', thread, thread ? thread->spawns : 0);
  return write_name(text, size, id);
}

uint64_t process_spawned(void) {
  struct thread *thread = thread_self();
  uint64_t id = step('s', thread, thread ? thread->spawns : 0);
  if (thread) thread->spawns++;
  acted = 1;
  return id;
}

int process_is_first(void) { return own == 0; }

pid_t process_number(void) { return (pid_t)pid; }
uint64_t process_vforked(pid_t child) { return child == spawned_pid ? spawned_id : 0; }

uint64_t process_forked(void) {
  struct thread *thread = thread_self();
  return step('f', thread, thread && thread->forks ? thread->forks - 1 : 0);
}

void process_asked(void) { acted = 1; }

/* How many came before under this name: the place in the file where one byte more was added. */
static unsigned count(uint64_t id) {
  char path[3200];
  snprintf(path, sizeof path, "%s/%016llx.count", tape_state(), (unsigned long long)id);
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor < 0) return 0;
  long place = syscall(SYS_write, descriptor, ".", 1) == 1 ? lseek(descriptor, 0, SEEK_CUR) : 0;
  syscall(SYS_close, descriptor);
  return (unsigned)place;
}

static void describe(void) {
  char line[200] = "";
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
  long length = descriptor < 0 ? 0 : syscall(SYS_read, descriptor, line, sizeof line - 1);
  if (descriptor >= 0) syscall(SYS_close, descriptor);
  for (long i = 0; i + 1 < length; i++)
    if ((unsigned char)line[i] < ' ') line[i] = ' ';
  snprintf(name, sizeof name, "%s", line);
}

static void before_fork(void) {
  struct thread *thread = tape_mode == TAPE_OFF ? NULL : thread_self();
  if (thread) forked_number = thread->forks++;
  acted = 1;
}

static void after_fork(void) {
  if (tape_mode == TAPE_OFF) return;
  int kept = errno;
  struct thread *thread = thread_self();
  own = step('f', thread, forked_number);
  acted = 0;
  pid = syscall(SYS_getpid);
  if (alive) *alive = 1;
  size_t length = strlen(name);
  snprintf(name + length, sizeof name - length, " [fork %u]", forked_number + 1);
  sites_start();
  folders_reset();
  tape_reset();
  tensorflow_reset();
  /* The parent's thread records stay behind: what they hold is the parent's place on its own tape. */
  struct thread *fresh = thread_new(tape_hash_text(0, "0"), "0");
  if (fresh && thread) {
    memcpy(fresh->given, thread->given, sizeof fresh->given);
    memcpy(fresh->offset, thread->offset, sizeof fresh->offset);
    memcpy(fresh->read, thread->read, sizeof fresh->read);
  }
  if (!fresh) tape_mode = TAPE_OFF;
  if (tape_mode == TAPE_REPLAY) play_open(own);
  errno = kept;
}

int process_is_ours(void) { return !alive || *alive; }

static void watch_forks(void) {
#ifdef MADV_WIPEONFORK
  alive = tape_map(PAGE);
  if (alive && madvise(alive, PAGE, MADV_WIPEONFORK) != 0) alive = NULL; /* before Linux 4.14 */
  if (alive) *alive = 1;
#endif
  pthread_atfork(before_fork, NULL, after_fork);
}

void processes_start(void) {
  char *given = getenv(SELF);
  pid = syscall(SYS_getpid);
  if (given && strlen(given) == 17) {
    own = strtoull(given, NULL, 16);
    if (given[16] == '+') {
      own = step('u', NULL, 0);
      own = step('u', NULL, count(own));
    }
    given[16] = '+';
  }
  describe();
  watch_forks();
}
