/* Giving a tape back. A tape may come from a stranger, so every length in it is checked.
 *
 * Past the end of a stream the run goes on: randomness is made from the stream's key, the same in every replay,
 * and time goes on at the real pace (clock.c). Where that happened first is written to <state>/left. */
#include "tape.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_LINES 64 /* of one process in <state>/left */
#define MOST_WORK (1u << 28) /* chunks that are looked at when the process ends */

static const struct chunk **parts; /* in the order of the file */
static size_t part_count;
static char *claimed; /* of each part that begins a stream: somebody plays it */
static struct { uint64_t key; uint32_t part; char loose; } *table; /* open addressing; key 0 is free */
static size_t table_size;
static int lines;
static struct { uint32_t part, at; } *reached; /* where each stream was read to, by its first part; 0: not at all */
static char told_end;

/* Walks over the chunks; with `into` keeps them. Returns how many there are. */
static size_t walk(const char *tape, size_t size, const struct chunk **into) {
  size_t count = 0;
  for (size_t at = 0; at + sizeof(struct chunk) <= size;) {
    const struct chunk *chunk = (const void *)(tape + at);
    if (chunk->size == 0) {
      at = (at / PAGE + 1) * PAGE;
      continue;
    }
    if (chunk->magic != CHUNK_MAGIC || chunk->size % 16 || chunk->size < sizeof *chunk || chunk->size > size - at ||
        chunk->used > chunk->size - sizeof *chunk)
      break;
    if (into) into[count] = chunk;
    count++;
    at += chunk->size;
  }
  return count;
}

static void enter(uint64_t key, uint32_t part, int loose) {
  for (size_t at = key & (table_size - 1);; at = (at + 1) & (table_size - 1)) {
    if (!table[at].key) {
      table[at].key = key ? key : 1;
      table[at].part = part;
      table[at].loose = (char)loose;
      return;
    }
  }
}

/* The key of the site that a stream of randomness belongs to, from the text of its label: "thread site". */
static uint64_t site_in(const struct chunk *chunk, const struct label *label) {
  const unsigned char *text = chunk->data + LABEL_SIZE, *end = text + label->text_length;
  while (text < end && *text != ' ') text++;
  return text < end ? tape_hash(0, text + 1, (size_t)(end - text - 1)) : 1;
}

/* Whose tape was found, so that those that nobody asked for are known. */
static void note_played(uint64_t process) {
  char name[3200], line[24];
  snprintf(name, sizeof name, "%s/played", tape_state());
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) return;
  int length = snprintf(line, sizeof line, "%016llx\n", (unsigned long long)process);
  (void)!syscall(SYS_write, descriptor, line, (size_t)length);
  syscall(SYS_close, descriptor);
}

void play_open(uint64_t process) {
  char name[3200];
  struct stat status;
  parts = NULL;
  part_count = table_size = 0;
  lines = told_end = 0;
  if (tape_seeded) return;
  snprintf(name, sizeof name, "%s/%016llx.tape", tape_folder(), (unsigned long long)process);
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
  if (descriptor < 0) return;
  void *tape = MAP_FAILED;
  if (syscall(SYS_fstat, descriptor, &status) == 0 && status.st_size > 0)
    tape = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  syscall(SYS_close, descriptor);
  if (tape == MAP_FAILED) return;
  size_t count = walk(tape, (size_t)status.st_size, NULL), size = 64;
  while (size < count * 6) size *= 2;
  parts = tape_map(count * sizeof *parts + 1);
  table = tape_map(size * sizeof *table);
  claimed = tape_map(count + 1);
  reached = tape_map((count + 1) * sizeof *reached);
  if (!parts || !table || !claimed || !reached) {
    parts = NULL;
    return;
  }
  note_played(process);
  table_size = size;
  part_count = walk(tape, (size_t)status.st_size, parts);
  uint32_t streams = 0;
  for (size_t i = 0; i < part_count; i++) { /* a stream's first chunk: numbers are given in this order */
    struct label label;
    if (parts[i]->stream <= streams || parts[i]->used < LABEL_SIZE) continue;
    streams = parts[i]->stream;
    memcpy(&label, parts[i]->data, LABEL_SIZE);
    if (LABEL_SIZE + label.text_length > parts[i]->used) continue;
    enter(label.key, (uint32_t)i, 0);
    enter(label.loose, (uint32_t)i, 1);
    if (label.source == ENTROPY) enter(site_in(parts[i], &label), (uint32_t)i, 2);
  }
}

/* The chunk where a stream begins, by its key; with `build` only one of another build of the module. */
static const struct chunk *look_up(uint64_t key, int loose, uint64_t build, uint32_t *part) {
  for (size_t at = key & (table_size - 1); table_size && table[at].key; at = (at + 1) & (table_size - 1)) {
    if (table[at].key != key || table[at].loose != loose) continue;
    const struct chunk *chunk = parts[table[at].part];
    struct label label;
    memcpy(&label, chunk->data, LABEL_SIZE);
    if (loose == 1 && (!label.build || label.build == build)) continue;
    if (__atomic_test_and_set(&claimed[table[at].part], __ATOMIC_RELAXED) && loose == 2) continue;
    *part = table[at].part;
    return chunk;
  }
  return NULL;
}

void play_find(struct stream *stream, uint64_t loose) {
  const struct chunk *chunk = look_up(stream->key, 0, 0, &stream->part);
  if (!chunk && stream->site->build) chunk = look_up(loose, 1, stream->site->build, &stream->part);
  /* Which thread of a pool does a piece of work is a race: what another one drew at the same place is as good. */
  if (!chunk && stream->source == ENTROPY) chunk = look_up(stream->site->key, 2, 0, &stream->part);
  if (!chunk) return;
  struct label label;
  memcpy(&label, chunk->data, LABEL_SIZE);
  stream->chunk = (struct chunk *)chunk;
  stream->first = stream->part;
  stream->number = chunk->stream;
  stream->at = LABEL_SIZE + label.text_length;
  stream->end = chunk->used;
}

/* Makes stream->at < stream->end true, or says that nothing is left. */
static int more(struct stream *stream) {
  while (stream->chunk && stream->at >= stream->end) {
    stream->chunk = NULL;
    for (size_t i = stream->part + 1; i < part_count; i++)
      if (parts[i]->stream == stream->number) {
        stream->part = (uint32_t)i;
        stream->chunk = (struct chunk *)parts[i];
        stream->at = 0;
        stream->end = parts[i]->used;
        break;
      }
  }
  return stream->chunk != NULL;
}

int play_has(struct stream *stream) { return more(stream); }

static int varint(struct stream *stream, uint64_t *value) {
  *value = 0;
  if (!more(stream)) return 0;
  for (unsigned shift = 0; stream->at < stream->end && shift < 64; shift += 7) {
    unsigned char byte = stream->chunk->data[stream->at++];
    *value |= (uint64_t)(byte & 127) << shift;
    if (!(byte & 128)) return 1;
  }
  stream->chunk = NULL; /* damaged */
  return 0;
}

static void one_line(char *text) {
  for (; *text; text++)
    if ((unsigned char)*text < ' ') *text = ' ';
}

static void write_line(const char *line, int length, size_t room);

/* One line, tab-separated: process, source, thread, call site, values taken before, line of Python code, line of
 * the program's own Python code, reason; and how
 * many more the recorded run asked for, where the replay ended before that. */
static void leave(struct thread *thread, struct stream *stream, const char *why) {
  char inner[512] = "", place[512] = "", line[2600];
  if (stream->over || tape_seeded) return;
  stream->over = 1;
  if (temporary_is_mktemp() || lines++ >= MOST_LINES) return;
  if (stream->site->interpreter) python_place(stream->source == ENTROPY, inner, place, sizeof place);
  one_line(inner);
  one_line(place);
  int length = snprintf(line, sizeof line, "%s\t%u\t%s\t%s\t%llu\t%s\t%s\t%s\n", process_name(), stream->source,
                        thread->name, stream->site->text, (unsigned long long)stream->taken, inner, place, why);
  write_line(line, length, sizeof line);
}

static void write_line(const char *line, int length, size_t room) {
  char name[3200];
  snprintf(name, sizeof name, "%s/left", tape_state());
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) return;
  if (length > 0 && (size_t)length < room && syscall(SYS_write, descriptor, line, (size_t)length) < 0) lines--;
  syscall(SYS_close, descriptor);
}

static void took(struct stream *stream) {
  reached[stream->first].part = stream->part;
  reached[stream->first].at = stream->at;
  stream->taken++;
}

int play_take(struct thread *thread, struct stream *stream, int64_t *value) {
  uint64_t zigzag;
  if (!varint(stream, &zigzag)) {
    leave(thread, stream, "asked again after the last of the tape");
    return 0;
  }
  took(stream);
  stream->last = (int64_t)((uint64_t)stream->last + ((zigzag >> 1) ^ (0 - (zigzag & 1))));
  *value = stream->last;
  return 1;
}

/* SplitMix64 (Steele, Lea, Flood 2014): https://doi.org/10.1145/2660193.2660195 */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

static void make_bytes(struct stream *stream, unsigned char *bytes, size_t size) {
  while (size) {
    uint64_t value = next_random(&stream->random);
    size_t part = size < sizeof value ? size : sizeof value;
    memcpy(bytes, &value, part);
    bytes += part;
    size -= part;
  }
}

void play_bytes(struct thread *thread, struct stream *stream, void *bytes, size_t size) {
  uint64_t recorded;
  size_t part = 0;
  if (!varint(stream, &recorded)) {
    leave(thread, stream, "asked again after the last of the tape");
  } else if (recorded > stream->end - stream->at) {
    stream->chunk = NULL; /* damaged */
    leave(thread, stream, "the tape is damaged here");
  } else {
    part = size < recorded ? size : (size_t)recorded;
    memcpy(bytes, stream->chunk->data + stream->at, part);
    stream->at += (uint32_t)recorded;
    if (size != recorded) leave(thread, stream, "asked for another number of bytes than recorded");
    took(stream);
  }
  make_bytes(stream, (unsigned char *)bytes + part, size - part);
}

void play_text(struct thread *thread, struct stream *stream, char *text, size_t size) {
  uint64_t recorded;
  if (!varint(stream, &recorded)) {
    leave(thread, stream, "asked again after the last of the tape");
  } else if (recorded > stream->end - stream->at || recorded >= size) {
    stream->chunk = NULL;
    leave(thread, stream, "the recorded text does not fit here");
  } else {
    memcpy(text, stream->chunk->data + stream->at, recorded);
    text[recorded] = 0;
    stream->at += (uint32_t)recorded;
    took(stream);
  }
}

/* How many values there are in a chunk from a place on: byte strings are a size and so many bytes. */
static unsigned values_in(const struct chunk *chunk, uint32_t at, int strings) {
  unsigned count = 0;
  while (at < chunk->used) {
    uint64_t value = 0;
    unsigned shift = 0;
    while (at < chunk->used && shift < 64) {
      unsigned char byte = chunk->data[at++];
      value |= (uint64_t)(byte & 127) << shift;
      shift += 7;
      if (!(byte & 128)) break;
    }
    if (strings && value > chunk->used - at) break;
    if (strings) at += (uint32_t)value;
    count++;
  }
  return count;
}

/* Only what a program asks for itself: how often waits and libraries look at clocks varies. */
static int is_telling(const struct label *label, const char *text, size_t length) {
  if (label->source == ENTROPY) return 1;
  return label->source >= CLOCK && memmem(text, length, " in ", 4) && !memmem(text, length, "time.monotonic", 14);
}

/* At the end of the process: where the recorded run went on. */
void play_end(void) {
  if (tape_mode != TAPE_REPLAY || tape_seeded || !parts || told_end || syscall(SYS_getpid) != process_number()) return;
  if (!process_is_ours() || temporary_is_mktemp()) return;
  told_end = 1;
  uint32_t streams = 0;
  size_t work = 0;
  for (size_t i = 0; i < part_count && lines < MOST_LINES && work < MOST_WORK; i++) {
    struct label label;
    char line[2600];
    if (parts[i]->stream <= streams || parts[i]->used < LABEL_SIZE) continue;
    streams = parts[i]->stream;
    memcpy(&label, parts[i]->data, LABEL_SIZE);
    const char *text = (const char *)parts[i]->data + LABEL_SIZE, *end = text + label.text_length;
    uint32_t begin = LABEL_SIZE + label.text_length;
    if (begin > parts[i]->used || !is_telling(&label, text, label.text_length)) continue;
    work += part_count - i;
    size_t from = reached[i].at ? reached[i].part : i;
    unsigned before = 0, more = 0;
    for (size_t k = i; k < part_count; k++) {
      if (parts[k]->stream != streams) continue;
      uint32_t at = k == i ? begin : 0;
      unsigned all = values_in(parts[k], at, label.source == ENTROPY);
      unsigned rest = k < from ? 0 : k > from ? all : values_in(parts[k], reached[i].at ? reached[i].at : at, label.source == ENTROPY);
      before += all - (rest < all ? rest : all);
      more += rest;
    }
    if (!more) continue;
    const char *space = memchr(text, ' ', label.text_length);
    if (!space) continue;
    lines++;
    int length = snprintf(line, sizeof line, "%s\t%u\t%.*s\t%.*s\t%u\t\t\tthe recorded run went on\t%u\n", process_name(),
                          (unsigned)label.source, (int)(space - text), text, (int)(end - space - 1), space + 1, before, more);
    write_line(line, length, sizeof line);
  }
}

__attribute__((destructor)) static void end(void) { play_end(); }
