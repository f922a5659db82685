/* The order in which a folder gives its entries, which depends on the file system and on what was there before.
 *
 * A listing is read as a whole at its first entry. A recording notes a hash of each name in order; a replay gives
 * the entries in that order, and after them those that are new, sorted. */
#include "tape.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

struct entry {
  uint32_t hash;
  char given;
  struct dirent *it;
};
struct listing {
  DIR *folder;
  struct listing *other;
  size_t count, at;
  int failed; /* errno at its end */
  struct entry *entries;
};
static struct listing *listings;
static volatile char lock;

static void take(void) {
  while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE)) sched_yield();
}

static void give(void) { __atomic_clear(&lock, __ATOMIC_RELEASE); }

void folders_reset(void) { give(); }

static struct listing *find(DIR *folder, int remove) {
  take();
  struct listing **at = &listings;
  while (*at && (*at)->folder != folder) at = &(*at)->other;
  struct listing *found = *at;
  if (found && remove) *at = found->other;
  give();
  return found;
}

static void forget(DIR *folder) {
  struct listing *listing = tape_mode == TAPE_OFF && !listings ? NULL : find(folder, 1);
  for (size_t i = 0; listing && i < listing->count; i++) free(listing->entries[i].it);
  if (listing) free(listing->entries);
  free(listing);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct entry *)a)->it->d_name, ((const struct entry *)b)->it->d_name);
}

static int by_hash(const void *a, const void *b) {
  uint32_t one = ((const struct entry *)a)->hash, two = ((const struct entry *)b)->hash;
  return one != two ? (one < two ? -1 : 1) : by_name(a, b);
}

/* Moves the entry with this hash to the new order. */
static int pick(struct entry *entries, size_t count, uint32_t hash, struct entry *into) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (entries[middle].hash < hash) low = middle + 1;
    else high = middle;
  }
  for (; low < count && entries[low].hash == hash; low++) {
    if (entries[low].given) continue;
    *into = entries[low];
    return entries[low].given = 1;
  }
  return 0;
}

static void reorder(struct thread *thread, struct stream *stream, struct listing *listing) {
  struct entry *ordered = malloc((listing->count + 1) * sizeof *ordered);
  size_t used = 0;
  int64_t hash;
  if (!ordered) return;
  qsort(listing->entries, listing->count, sizeof *ordered, by_hash);
  while (stream && play_has(stream) && play_take(thread, stream, &hash) && hash)
    used += used < listing->count && pick(listing->entries, listing->count, (uint32_t)hash, ordered + used);
  qsort(listing->entries, listing->count, sizeof *ordered, by_name);
  for (size_t i = 0; i < listing->count; i++)
    if (!listing->entries[i].given) ordered[used++] = listing->entries[i];
  for (size_t i = 0; strict_backwards() && i < used / 2; i++) {
    struct entry swapped = ordered[i];
    ordered[i] = ordered[used - 1 - i];
    ordered[used - 1 - i] = swapped;
  }
  free(listing->entries);
  listing->entries = ordered;
}

static const char *place_of(DIR *folder, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd(folder));
  long length = syscall(SYS_readlinkat, -100, link, path, size - 1);
  if (length <= 0) return NULL;
  path[length] = 0;
  return tape_path(path);
}

/* A replay's own numbers of processes are shown as those of the recorded run. */
static void show_numbers(struct listing *listing) {
  for (size_t i = 0; i < listing->count; i++) {
    char *name = listing->entries[i].it->d_name, *end;
    long real = strtol(name, &end, 10);
    if (real > 0 && !*end) snprintf(name, 12, "%d", (int)pids_shown((pid_t)real));
  }
}

static void through_tape(struct listing *listing) {
  char path[4352];
  const char *place = place_of(listing->folder, path, sizeof path);
  if (place && tape_mode == TAPE_REPLAY && (!strcmp(place, "/proc") || !strncmp(place, "/proc/", 6)))
    show_numbers(listing);
  struct thread *thread = place ? tape_enter() : NULL;
  if (!thread) return;
  for (size_t i = 0; i < listing->count; i++)
    listing->entries[i].hash = (uint32_t)tape_hash_text(0, listing->entries[i].it->d_name) | 1;
  struct stream *stream = tape_named(thread, FOLDER_ORDER, place);
  if (tape_mode == TAPE_REPLAY) reorder(thread, stream, listing);
  for (size_t i = 0; stream && tape_mode == TAPE_RECORD && i < listing->count; i++)
    tape_put(stream, listing->entries[i].hash);
  if (stream && tape_mode == TAPE_RECORD) tape_put(stream, 0);
  tape_leave(thread);
}

/* Room for the name and for a number in its place. */
static struct dirent *copy(const struct dirent *entry) {
  size_t size = offsetof(struct dirent, d_name) + strlen(entry->d_name) + 1;
  struct dirent *fresh = malloc(size + 12);
  if (fresh) memcpy(fresh, entry, size);
  return fresh;
}

static struct listing *list(DIR *folder, struct dirent *(*next)(DIR *)) {
  struct listing *listing = calloc(1, sizeof *listing);
  size_t room = 0;
  if (!listing) return NULL;
  listing->folder = folder;
  for (;;) {
    if (listing->count == room) {
      struct entry *more = realloc(listing->entries, (room = room * 2 + 32) * sizeof *more);
      if (!more) break;
      listing->entries = more;
    }
    errno = 0;
    struct dirent *entry = next(folder);
    if (!entry) break;
    struct entry fresh = {.it = copy(entry)};
    if (!fresh.it) break;
    listing->entries[listing->count++] = fresh;
  }
  listing->failed = errno;
  if (listing->entries) through_tape(listing);
  take();
  listing->other = listings;
  listings = listing;
  give();
  return listing;
}

static struct dirent *following(DIR *folder, struct dirent *(*next)(DIR *)) {
  if (tape_mode == TAPE_OFF && !listings) return next(folder);
  int kept = errno;
  struct listing *listing = find(folder, 0);
  if (!listing) listing = list(folder, next);
  if (!listing) return next(folder);
  errno = kept;
  if (listing->at < listing->count) return listing->entries[listing->at++].it;
  if (listing->failed) errno = listing->failed;
  return NULL;
}

EXPORT struct dirent *readdir(DIR *folder) {
  NEXT(readdir);
  return following(folder, next);
}

#if __SIZEOF_POINTER__ == 8 /* the two are the same there */
EXPORT struct dirent64 *readdir64(DIR *folder) {
  NEXT(readdir);
  return (struct dirent64 *)following(folder, next);
}
#endif

EXPORT int closedir(DIR *folder) {
  NEXT(closedir);
  forget(folder);
  return next(folder);
}

EXPORT void rewinddir(DIR *folder) {
  NEXT(rewinddir);
  forget(folder);
  next(folder);
}

EXPORT long telldir(DIR *folder) {
  NEXT(telldir);
  struct listing *listing = listings ? find(folder, 0) : NULL;
  return listing ? (long)listing->at : next(folder);
}

EXPORT void seekdir(DIR *folder, long place) {
  NEXT(seekdir);
  struct listing *listing = listings ? find(folder, 0) : NULL;
  if (listing) listing->at = place >= 0 && (size_t)place <= listing->count ? (size_t)place : listing->count;
  else next(folder, place);
}
