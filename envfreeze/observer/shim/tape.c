/* The tape of a process while it is recorded: one file, mapped into memory, so that it survives a kill.
 *
 * Blocks are allocated before they are mapped, as in log.c: a full disk is an error code and no SIGBUS. Chunks
 * of a stream start small and double; small ones share a region, large ones are mapped alone and let go when
 * they are full. */
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_CHUNK 128u
#define SMALL_CHUNK (16u << 10)
#define LARGEST_CHUNK (1u << 20)
#define LARGEST_REGION (64u << 10)

enum tape_mode tape_mode = TAPE_OFF;
int tape_real_keys;
static char tapes[3072], state[3072], file[3200], project[3072];
static volatile char lock;
static char *region;
static size_t region_size, region_used;
static uint64_t file_size;
static uint32_t streams;
static int64_t *budget; /* bytes that all processes of the run may still write, shared between them */

const char *tape_folder(void) { return tapes; }
const char *tape_state(void) { return state; }

/* A path as tapes name it: below the project without the project's own place, which a replay may not have. */
const char *tape_path(const char *path) {
  for (const char *root = project, *end; *root; root = *end ? end + 1 : end) {
    end = strchrnul(root, '\n');
    size_t length = (size_t)(end - root);
    if (length && !strncmp(path, root, length) && (path[length] == '/' || !path[length])) return path + length;
  }
  return path;
}

void *tape_map(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

/* FNV-1a, 64 bit (Fowler, Noll, Vo): http://www.isthe.com/chongo/tech/comp/fnv/ */
uint64_t tape_hash(uint64_t seed, const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  uint64_t value = seed ? seed : 14695981039346656037ull;
  for (size_t i = 0; i < size; i++) value = (value ^ at[i]) * 1099511628211ull;
  return value;
}

uint64_t tape_hash_text(uint64_t seed, const char *text) { return tape_hash(seed, text, strlen(text)); }

/* Allocates and maps the next part of the file; NULL when disk, memory or the limit is spent. */
static void *next_region(size_t size) {
  if (!budget || __atomic_sub_fetch(budget, (int64_t)size, __ATOMIC_RELAXED) < 0) return NULL;
  if (!*file)
    snprintf(file, sizeof file, "%s/%016llx.tape", tapes, (unsigned long long)process_id());
  int create = file_size ? 0 : O_CREAT | O_EXCL; /* two processes of one name would spoil each other's tape */
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC | create, 0600);
  if (descriptor < 0) return NULL;
  void *memory = MAP_FAILED;
  if (posix_fallocate(descriptor, (off_t)file_size, (off_t)size) == 0)
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, (off_t)file_size);
  syscall(SYS_close, descriptor);
  if (memory == MAP_FAILED) return NULL;
  file_size += size;
  return memory;
}

static struct chunk *carve(size_t size) {
  if (size > SMALL_CHUNK) return next_region(size);
  if (!region || region_used + size > region_size) {
    size_t wanted = region_size ? region_size * 2 : PAGE;
    if (wanted > LARGEST_REGION) wanted = LARGEST_REGION;
    while (wanted < size) wanted *= 2;
    void *fresh = next_region(wanted);
    if (!fresh) return NULL;
    region = fresh; /* the earlier one stays: streams may still write into it */
    region_size = wanted;
    region_used = 0;
  }
  struct chunk *chunk = (void *)(region + region_used);
  region_used += size;
  return chunk;
}

/* Begins a chunk with room for `wanted` bytes at least; 0 when there is no place any more. */
static int grow(struct stream *stream, size_t wanted) {
  int kept = errno;
  size_t size = stream->chunk_size ? stream->chunk_size * 2 : FIRST_CHUNK;
  if (size > LARGEST_CHUNK) size = LARGEST_CHUNK;
  while (size < wanted + sizeof(struct chunk)) size *= 2;
  while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE)) sched_yield();
  struct chunk *chunk = tape_mode == TAPE_RECORD ? carve(size) : NULL;
  if (!chunk && tape_mode == TAPE_RECORD) {
    tape_mode = TAPE_OFF; /* half a tape is worth more than one with holes: nothing more is recorded */
    char name[3200];
    snprintf(name, sizeof name, "%s/full", tapes);
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor >= 0) syscall(SYS_close, descriptor);
  }
  if (chunk && !stream->number) stream->number = ++streams;
  __atomic_clear(&lock, __ATOMIC_RELEASE);
  errno = kept;
  if (!chunk) {
    stream->chunk = NULL;
    stream->end = 0;
    return 0;
  }
  if (stream->chunk && stream->chunk_size > SMALL_CHUNK) munmap(stream->chunk, stream->chunk_size);
  chunk->stream = stream->number;
  chunk->magic = CHUNK_MAGIC;
  chunk->size = (uint32_t)size;
  stream->chunk = chunk;
  stream->chunk_size = (uint32_t)size;
  stream->end = (uint32_t)(size - sizeof *chunk);
  return 1;
}

static uint32_t varint(unsigned char *at, uint64_t value) {
  uint32_t n = 0;
  for (; value > 127; value >>= 7) at[n++] = (unsigned char)(value | 128);
  at[n++] = (unsigned char)value;
  return n;
}

#define VARINT 10u /* bytes at most */

/* Differences to the value before, zigzag and 7 bits a byte: about three bytes a clock read. */
void tape_put(struct stream *stream, int64_t value) {
  struct chunk *chunk = stream->chunk;
  if (!chunk || chunk->used + VARINT > stream->end) {
    if (!grow(stream, VARINT)) return;
    chunk = stream->chunk;
  }
  int64_t difference = (int64_t)((uint64_t)value - (uint64_t)stream->last);
  stream->last = value;
  uint32_t used = chunk->used;
  used += varint(chunk->data + used, ((uint64_t)difference << 1) ^ (uint64_t)(difference >> 63));
  __atomic_store_n(&chunk->used, used, __ATOMIC_RELEASE);
}

void tape_put_bytes(struct stream *stream, const void *bytes, size_t size) {
  struct chunk *chunk = stream->chunk;
  if (size > UINT32_MAX / 4) return;
  if (!chunk || chunk->used + VARINT + size > stream->end) {
    if (!grow(stream, VARINT + size)) return;
    chunk = stream->chunk;
  }
  uint32_t used = chunk->used;
  used += varint(chunk->data + used, size);
  memcpy(chunk->data + used, bytes, size);
  __atomic_store_n(&chunk->used, used + (uint32_t)size, __ATOMIC_RELEASE);
}

/* Writes the label that a replay finds the stream by. */
static void put_label(const struct thread *thread, struct stream *stream, uint64_t loose) {
  char text[160];
  int length = snprintf(text, sizeof text, "%s %s", thread->name, stream->site->text);
  if (length < 0 || (size_t)length >= sizeof text) length = (int)strlen(text);
  if (!grow(stream, LABEL_SIZE + (size_t)length)) return;
  struct label label = {.key = stream->key, .loose = loose, .build = stream->site->build};
  label.source = (uint8_t)stream->source;
  label.text_length = (uint8_t)length;
  memcpy(stream->chunk->data, &label, LABEL_SIZE);
  memcpy(stream->chunk->data + LABEL_SIZE, text, (size_t)length);
  stream->chunk->used = LABEL_SIZE + (uint32_t)length;
}

static void *carve_memory(struct thread *thread, size_t size) {
  const size_t block = 4 * PAGE;
  if (!thread->block || thread->block_used + size > block) {
    char *fresh = tape_map(block);
    if (!fresh) return NULL;
    *(char **)(void *)fresh = thread->block; /* a list, for the thread's end */
    thread->block = fresh;
    thread->block_used = 64;
  }
  void *memory = thread->block + thread->block_used;
  thread->block_used += (size + 15) & ~(size_t)15;
  return memory;
}

static struct stream *begin(struct thread *thread, const struct site *site, unsigned source, uint64_t key) {
  struct stream *stream = carve_memory(thread, sizeof *stream);
  if (!stream) return NULL;
  stream->key = key;
  stream->random = tape_seeded ? strict_random(key) : key;
  stream->site = site;
  stream->source = source;
  return stream;
}

static void connect(const struct thread *thread, struct stream *stream, uint64_t loose) {
  if (tape_mode == TAPE_RECORD) put_label(thread, stream, loose);
  else play_find(stream, loose);
}

/* CPython's own reads of the monotonic clock are for its lock waits: how many there are depends on contention.
 * What programs read comes through functions of the module time, which python.c marks. */
static int is_ignored(const struct site *site, unsigned source) {
  if (tape_seeded) return strict_ignores(site, source);
  if (source == ENTROPY) return tape_mode == TAPE_REPLAY && tape_real_keys && site->keys;
  return site->interpreter && !site->marked && python_marks() && source >= CLOCK &&
         clock_class((clockid_t)(source - CLOCK)) != 0;
}

static struct stream *find(struct thread *thread, const void *caller, unsigned source) {
  const struct site *site = site_of(caller);
  if (!site) return NULL;
  uint64_t key = tape_hash(tape_hash(thread->id, &site->key, sizeof site->key), &source, sizeof source);
  uint64_t order = 0;
  for (struct stream *stream = thread->streams; stream; stream = stream->older) {
    if (stream->key == key) return stream;
    order += stream->source == source && stream->site->module == site->module && !stream->ignored;
  }
  struct stream *stream = begin(thread, site, source, key);
  if (!stream) return NULL;
  stream->older = thread->streams;
  thread->streams = stream;
  stream->ignored = is_ignored(site, source);
  if (stream->ignored) return stream;
  process_asked();
  uint64_t loose = tape_hash(tape_hash(thread->id, &site->module, sizeof site->module), &source, sizeof source);
  connect(thread, stream, tape_hash(loose, &order, sizeof order));
  return stream;
}

/* A stream that is found by a name, a path mostly, and not by who asks. */
struct stream *tape_named(struct thread *thread, unsigned source, const char *name) {
  uint64_t key = tape_hash(tape_hash_text(thread->id, name), &source, sizeof source);
  struct stream **list = &thread->named[key % NAMED];
  for (struct stream *stream = *list; stream; stream = stream->older)
    if (stream->key == key) return stream;
  int kept = errno;
  struct site *site = carve_memory(thread, sizeof *site);
  struct stream *stream = site ? begin(thread, site, source, key) : NULL;
  if (stream) {
    size_t length = strlen(name), room = sizeof site->text - 1;
    snprintf(site->text, sizeof site->text, "%s", length > room ? name + length - room : name);
    site->key = site->module = key;
    stream->older = *list;
    *list = stream;
    process_asked();
    connect(thread, stream, key);
  }
  errno = kept;
  return stream;
}

struct stream *tape_stream(struct thread *thread, const void *caller, unsigned source) {
  size_t at = (((uintptr_t)caller >> 2) ^ (source * 7u)) & 63;
  if (thread->cache[at].caller == caller && thread->cache[at].source == source && thread->cache[at].stream)
    return thread->cache[at].stream;
  int kept = errno;
  struct stream *stream = find(thread, caller, source);
  thread->cache[at].caller = caller;
  thread->cache[at].source = source;
  thread->cache[at].stream = stream;
  errno = kept;
  return stream;
}

struct thread *tape_enter(void) {
  if (tape_mode == TAPE_OFF) return NULL;
  struct thread *thread = thread_self();
  if (!thread || thread->busy || !process_is_ours()) return NULL;
  thread->busy = 1;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  return thread;
}

void tape_leave(struct thread *thread) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->busy = 0;
}

const struct site *tape_site(const void *caller) {
  struct thread *thread = tape_enter(); /* a signal handler must not wait for the lock that its thread holds */
  if (!thread) return NULL;
  const struct site *site = site_of(caller);
  tape_leave(thread);
  return site;
}

void tape_reset(void) {
  __atomic_clear(&lock, __ATOMIC_RELEASE);
  region = NULL;
  region_size = region_used = 0;
  file_size = 0;
  streams = 0;
  *file = 0;
}

static void open_budget(void) {
  char name[3200];
  snprintf(name, sizeof name, "%s/budget", tapes);
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC, 0);
  if (descriptor < 0) return;
  if (lseek(descriptor, 0, SEEK_END) >= (off_t)sizeof *budget) {
    void *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory != MAP_FAILED) budget = memory;
  }
  syscall(SYS_close, descriptor);
}

__attribute__((constructor)) static void start(void) {
  int kept = errno;
  const char *mode = getenv("ENVFREEZE_TAPE"), *folder = getenv("ENVFREEZE_TAPES");
  const char *notes = getenv("ENVFREEZE_TAPE_STATE"), *real = getenv("ENVFREEZE_TAPE_KEYS");
  const char *root = getenv("ENVFREEZE_TAPE_ROOT");
  if (mode && folder && *folder == '/' && strlen(folder) < sizeof tapes && (!notes || strlen(notes) < sizeof state)) {
    strcpy(tapes, folder);
    strcpy(state, notes ? notes : folder);
    if (root) snprintf(project, sizeof project, "%s", root);
    tape_real_keys = real && !strcmp(real, "real");
    sites_start();
    processes_start();
    threads_start();
    if (!strcmp(mode, "record")) {
      open_budget();
      if (budget) tape_mode = TAPE_RECORD;
    } else if (strict_start(mode) || !strcmp(mode, "replay")) {
      play_open(process_id());
      tape_mode = TAPE_REPLAY;
    }
    if (process_is_first()) stamps_start();
  }
  errno = kept;
}
