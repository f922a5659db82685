/* Times of files that the run itself made or changed, as stat(2) tells them. Files from before the run keep theirs:
 * a file is the run's own when its content or its entry is not older than <folder>/began. */
#include "tape.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define BILLION 1000000000ll

static int64_t began;

static const char *notes(void) { return tape_mode == TAPE_REPLAY ? tape_state() : tape_folder(); }

static int64_t nanoseconds(struct timespec time) { return time.tv_sec * BILLION + time.tv_nsec; }

static struct timespec timespec_of(int64_t value) {
  if (value < 0) value = 0;
  return (struct timespec){value / BILLION, value % BILLION};
}

static int64_t find_began(void) {
  char name[3200];
  struct stat status;
  snprintf(name, sizeof name, "%s/began", notes());
  if (syscall(SYS_newfstatat, AT_FDCWD, name, &status, 0) != 0) return INT64_MAX;
  return nanoseconds(status.st_mtim);
}

/* By the first process of the run, before anything else. */
void stamps_start(void) {
  char name[3200];
  snprintf(name, sizeof name, "%s/began", notes());
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor >= 0) syscall(SYS_close, descriptor);
}

static int is_own(int64_t changed, int64_t altered) {
  if (tape_mode == TAPE_OFF) return 0;
  if (!began) began = find_began();
  return changed >= began || altered >= began;
}

#define TIMES 4

/* Access, change of content, of the entry, and birth; 0 where that is not known. */
static void through_tape(const char *name, int64_t times[TIMES]) {
  for (int i = 0; tape_seeded && i < TIMES; i++) times[i] = times[i] && strict_stamp() ? strict_stamp() : times[i];
  struct thread *thread = tape_seeded ? NULL : tape_enter();
  if (!thread) return;
  struct stream *stream = tape_named(thread, STAMPS, name);
  int has = stream && tape_mode == TAPE_REPLAY && play_has(stream);
  for (int i = 0; stream && i < TIMES; i++) {
    int64_t value = 0;
    if (tape_mode == TAPE_RECORD) tape_put(stream, times[i]);
    else if (has && play_take(thread, stream, &value)) times[i] = value && times[i] ? value : times[i];
    else if (times[i] >= began) times[i] += clock_offset[0]; /* so that it fits the replayed clock */
  }
  tape_leave(thread);
}

static int name_of(int directory, const char *path, char *text, size_t size) {
  char link[64];
  if (path && *path) return absolute(directory, path, text, size);
  snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
  long length = syscall(SYS_readlinkat, AT_FDCWD, link, text, size - 1);
  if (length <= 0 || *text != '/') return 0;
  text[length] = 0;
  return 1;
}

int stamps_given(int result, int directory, const char *path, struct stat *status) {
  char name[4352];
  if (result != 0 || tape_mode == TAPE_OFF || !(S_ISREG(status->st_mode) || S_ISDIR(status->st_mode))) return result;
  if (!is_own(nanoseconds(status->st_mtim), nanoseconds(status->st_ctim))) return result;
  if (!name_of(directory, path, name, sizeof name)) return result;
  int64_t times[TIMES] = {nanoseconds(status->st_atim), nanoseconds(status->st_mtim), nanoseconds(status->st_ctim), 0};
  through_tape(tape_path(name), times);
  if (tape_mode != TAPE_REPLAY) return result;
  status->st_atim = timespec_of(times[0]);
  status->st_mtim = timespec_of(times[1]);
  status->st_ctim = timespec_of(times[2]);
  return result;
}

#ifdef STATX_BASIC_STATS
static int64_t nanoseconds_x(struct statx_timestamp time) { return time.tv_sec * BILLION + time.tv_nsec; }

static struct statx_timestamp timestamp_of(int64_t value) {
  struct timespec time = timespec_of(value);
  return (struct statx_timestamp){.tv_sec = time.tv_sec, .tv_nsec = (uint32_t)time.tv_nsec};
}

EXPORT int statx(int directory, const char *restrict path, int flags, unsigned mask, struct statx *restrict status) {
  NEXT(statx);
  char name[4352], led[256];
  path = pids_path(path, led, sizeof led);
  int result = next(directory, path, flags, mask, status);
  if (result != 0 || tape_mode == TAPE_OFF || !(S_ISREG(status->stx_mode) || S_ISDIR(status->stx_mode))) return result;
  int64_t times[TIMES] = {nanoseconds_x(status->stx_atime), nanoseconds_x(status->stx_mtime),
                          nanoseconds_x(status->stx_ctime), nanoseconds_x(status->stx_btime)};
  if (!is_own(times[1], times[2]) || !name_of(directory, path, name, sizeof name)) return result;
  through_tape(tape_path(name), times);
  if (tape_mode != TAPE_REPLAY) return result;
  status->stx_atime = timestamp_of(times[0]);
  status->stx_mtime = timestamp_of(times[1]);
  status->stx_ctime = timestamp_of(times[2]);
  if (times[3]) status->stx_btime = timestamp_of(times[3]);
  return result;
}
#endif
