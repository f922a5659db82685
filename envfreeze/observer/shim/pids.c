/* Numbers of processes and threads, as the program sees them.
 *
 * A recording notes the numbers that a program asked for, in one file for the run: <tapes>/pids, rows of `struct
 * number`. A replay shows them again. The kernel knows other ones, so whatever a program does with a shown number
 * is led to the real one (numbers.c), by a table that all processes of the replay share: <state>/pids. */
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_RECORDED (1u << 20)
#define LARGEST 4194304 /* PID_MAX_LIMIT, proc(5) */
#define LIVE 8192u

struct number {
  uint64_t key;
  uint32_t kind, value;
};
enum { OWN = 1, PARENT = 2, THREAD = 3 };

struct pair {
  int32_t real, shown, told; /* told: the parent was given the shown number, so waits give it too */
};
static struct live {
  uint32_t count;
  struct pair pairs[LIVE]; /* the newest is at count - 1, modulo its size */
} *live;
static const struct number *numbers;
static size_t number_count;
static volatile char opened;
static pid_t own_real, own_shown;

static void *map_file(const char *name, int flags, size_t least, size_t *size) {
  struct stat status;
  void *memory = MAP_FAILED;
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, name, flags | O_CLOEXEC, 0666);
  if (descriptor < 0) return NULL;
  if (least && ftruncate(descriptor, (off_t)least) != 0) least = 0;
  if (syscall(SYS_fstat, descriptor, &status) == 0 && status.st_size >= (off_t)sizeof(struct number)) {
    *size = (size_t)status.st_size;
    memory = mmap(NULL, *size, PROT_READ | (flags & O_RDWR ? PROT_WRITE : 0), flags & O_RDWR ? MAP_SHARED : MAP_PRIVATE,
                  descriptor, 0);
  }
  syscall(SYS_close, descriptor);
  return memory == MAP_FAILED ? NULL : memory;
}

static void open_files(void) {
  char name[3200];
  size_t size = 0;
  if (__atomic_test_and_set(&opened, __ATOMIC_ACQUIRE)) return;
  int kept = errno;
  snprintf(name, sizeof name, "%s/pids", tape_folder());
  const struct number *found = map_file(name, O_RDONLY, 0, &size);
  number_count = size / sizeof *found < MOST_RECORDED ? size / sizeof *found : MOST_RECORDED;
  if (found) {
    snprintf(name, sizeof name, "%s/pids", tape_state());
    live = map_file(name, O_RDWR | O_CREAT, sizeof *live, &size);
    if (live && size < sizeof *live) live = NULL;
    if (live) numbers = found;
  }
  errno = kept;
}

/* The recorded number, or 0. */
static pid_t recorded(uint64_t key, uint32_t kind) {
  open_files();
  for (size_t i = 0; numbers && i < number_count; i++)
    if (numbers[i].key == key && numbers[i].kind == kind)
      return numbers[i].value <= LARGEST ? (pid_t)numbers[i].value : 0;
  return 0;
}

static void record(uint64_t key, uint32_t kind, pid_t value) {
  char name[3200];
  struct number number = {key, kind, (uint32_t)value};
  int kept = errno;
  snprintf(name, sizeof name, "%s/pids", tape_folder());
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor >= 0) {
    (void)!syscall(SYS_write, descriptor, &number, sizeof number);
    syscall(SYS_close, descriptor);
  }
  errno = kept;
}

static void enter(pid_t real, pid_t shown, int told) {
  if (!live) return;
  uint32_t at = __atomic_fetch_add(&live->count, 1, __ATOMIC_RELAXED) % LIVE;
  live->pairs[at] = (struct pair){real, shown, told};
}

static const struct pair *look_up(pid_t real, pid_t shown, int told) {
  if (tape_mode != TAPE_REPLAY) return NULL;
  open_files();
  if (!live) return NULL;
  uint32_t count = __atomic_load_n(&live->count, __ATOMIC_RELAXED);
  for (uint32_t i = 1; i <= count && i <= LIVE; i++) {
    const struct pair *pair = &live->pairs[(count - i) % LIVE];
    if ((real ? pair->real == real : pair->shown == shown) && pair->told >= told) return pair;
  }
  return NULL;
}

pid_t pids_real(pid_t shown) {
  const struct pair *pair = shown > 0 ? look_up(0, shown, 0) : NULL;
  return pair && pair->real > 0 ? pair->real : shown;
}

pid_t pids_shown(pid_t real) {
  const struct pair *pair = real > 0 ? look_up(real, 0, 0) : NULL;
  return pair ? pair->shown : real;
}

pid_t pids_waited(pid_t real) {
  const struct pair *pair = real > 0 ? look_up(real, 0, 1) : NULL;
  return pair ? pair->shown : real;
}

/* Not for children that have another number than the process whose name they still bear: vfork(2). */
static int may_ask(void) { return tape_mode != TAPE_OFF && syscall(SYS_getpid) == process_number() && process_is_ours(); }

static pid_t through(uint64_t key, uint32_t kind, pid_t real) {
  if (tape_mode == TAPE_RECORD) {
    record(key, kind, real);
    return real;
  }
  pid_t shown = recorded(key, kind);
  return shown ? shown : pids_shown(real);
}

pid_t pids_own(pid_t real) {
  if (tape_mode == TAPE_OFF || real == own_real) return tape_mode == TAPE_OFF ? real : own_shown;
  if (!may_ask()) return pids_shown(real);
  own_shown = through(process_id(), OWN, real);
  if (own_shown != real) enter(real, own_shown, 0);
  own_real = real;
  return own_shown;
}

pid_t pids_parent(pid_t real) {
  static pid_t asked, of, shown;
  if (tape_mode == TAPE_OFF || !may_ask()) return real;
  pid_t self = (pid_t)syscall(SYS_getpid);
  if (asked == real && of == self) return shown;
  /* A second answer is that of a process whose parent has ended. */
  shown = of == self ? pids_shown(real) : through(process_id(), PARENT, real);
  if (shown != real && of != self) enter(real, shown, 0);
  of = self;
  return asked = real, shown;
}

pid_t pids_thread(pid_t real) {
  if (tape_mode == TAPE_OFF) return real;
  if (real == syscall(SYS_getpid)) return pids_own(real);
  struct thread *thread = may_ask() ? thread_self() : NULL;
  if (!thread) return pids_shown(real);
  if (thread->number_real == real) return thread->number_shown;
  pid_t shown = through(tape_hash(process_id(), &thread->id, sizeof thread->id), THREAD, real);
  if (shown != real) enter(real, shown, 0);
  thread->number_real = real;
  return thread->number_shown = shown;
}

/* A child was made; what its parent is told. */
pid_t pids_made(pid_t real, uint64_t key) {
  if (tape_mode == TAPE_OFF || real <= 0) return real;
  int kept = errno;
  pid_t shown = through(key, OWN, real);
  if (shown != real) enter(real, shown, 1);
  errno = kept;
  return shown;
}

const char *pids_path(const char *path, char *buffer, size_t size) {
  if (tape_mode != TAPE_REPLAY || !path || strncmp(path, "/proc/", 6) || path[6] < '1' || path[6] > '9') return path;
  char *end;
  int kept = errno;
  long shown = strtol(path + 6, &end, 10);
  pid_t real = (*end == '/' || !*end) && shown <= LARGEST ? pids_real((pid_t)shown) : 0;
  errno = kept;
  if (!real || real == shown || (size_t)snprintf(buffer, size, "/proc/%d%s", (int)real, end) >= size) return path;
  return buffer;
}
