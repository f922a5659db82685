/* Names of temporary files that the C library makes up, from randomness of its own. */
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LETTERS 6

/* Where the six letters are, or NULL. */
static char *letters(char *name, int suffix) {
  size_t length = strlen(name);
  if (suffix < 0 || length < LETTERS + (size_t)suffix) return NULL;
  char *at = name + length - (size_t)suffix - LETTERS;
  return strncmp(at, "XXXXXX", LETTERS) ? NULL : at;
}

static struct stream *stream_of(struct thread *thread, const char *template) {
  return tape_named(thread, TEMPORARY, tape_path(template));
}

static int keep(const char *template, const char *name, size_t length) {
  int kept = errno;
  struct thread *thread = tape_mode == TAPE_RECORD ? tape_enter() : NULL;
  struct stream *stream = thread ? stream_of(thread, template) : NULL;
  if (stream) tape_put_bytes(stream, name, length);
  if (thread) tape_leave(thread);
  errno = kept;
  return 0;
}

static void draw(struct thread *thread, struct stream *stream, char *text, size_t length) {
  static const char LETTERS_AND_DIGITS[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  play_bytes(thread, stream, text, length);
  for (size_t i = 0; i < length; i++) text[i] = LETTERS_AND_DIGITS[(unsigned char)text[i] % 36];
  text[length] = 0;
}

/* The recorded text, of this length and within one folder; 0 when there is none. */
static int give(const char *template, char *name, size_t length) {
  char text[512];
  struct thread *thread = tape_mode == TAPE_REPLAY && length < sizeof text ? tape_enter() : NULL;
  struct stream *stream = thread ? stream_of(thread, template) : NULL;
  int found = 0;
  *text = 0;
  if (stream && !tape_seeded) play_text(thread, stream, text, sizeof text);
  else if (stream && strict_draws()) draw(thread, stream, text, length);
  if (thread) tape_leave(thread);
  found = *text && strlen(text) == length && !memchr(text, '/', length);
  if (found) memcpy(name, text, length);
  return found;
}

/* The program mktemp makes names up by itself, from the clock and from an address. It creates them by open or
 * mkdir, and then prints the same text, into which the recorded letters are written here. How often it asks for
 * randomness depends on that address. */
int temporary_is_mktemp(void) {
  static int known;
  if (!known) known = strcmp(program_invocation_short_name, "mktemp") ? 1 : 2;
  return known == 2;
}

static char *last_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return (char *)(slash ? slash + 1 : path);
}

void temporary_before(const char *path, int flags) {
  if (tape_mode != TAPE_REPLAY || !(flags & O_EXCL) || !temporary_is_mktemp()) return;
  char *at = last_part(path);
  give("mktemp", at, strlen(at));
}

void temporary_after(int result, const char *path, int flags) {
  if (tape_mode != TAPE_RECORD || !(flags & O_EXCL) || result < 0 || !temporary_is_mktemp()) return;
  keep("mktemp", last_part(path), strlen(last_part(path)));
}

EXPORT int mkdir(const char *path, mode_t mode) {
  NEXT(mkdir);
  temporary_before(path, O_EXCL);
  int result = next(path, mode);
  temporary_after(result, path, O_EXCL);
  return result;
}

/* A file under a recorded name is made here; where that one is taken, the C library finds another. */
static int make(char *name, int suffix, int flags, int *descriptor) {
  char template[512], *at = letters(name, suffix);
  int kept = errno;
  snprintf(template, sizeof template, "%s", name);
  if (!at || !give(template, at, LETTERS)) return 0;
  *descriptor = open(name, (flags & ~O_ACCMODE) | O_RDWR | O_CREAT | O_EXCL, 0600);
  if (*descriptor >= 0) return 1;
  memcpy(at, "XXXXXX", LETTERS);
  errno = kept;
  return 0;
}

#define MAKE(name, parameters, arguments, suffix, flags) \
  EXPORT int name parameters { \
    NEXT(name); \
    char asked[512]; \
    int descriptor; \
    if (tape_mode == TAPE_OFF) return next arguments; \
    if (make(template, suffix, flags, &descriptor)) return descriptor; \
    snprintf(asked, sizeof asked, "%s", template); \
    char *at = letters(template, suffix); \
    descriptor = next arguments; \
    if (descriptor >= 0 && at) keep(asked, at, LETTERS); \
    return descriptor; \
  }
MAKE(mkstemp, (char *template), (template), 0, 0)
MAKE(mkostemp, (char *template, int flags), (template, flags), 0, flags)
MAKE(mkstemps, (char *template, int suffix), (template, suffix), suffix, 0)
MAKE(mkostemps, (char *template, int suffix, int flags), (template, suffix, flags), suffix, flags)
MAKE(mkstemp64, (char *template), (template), 0, 0)
MAKE(mkostemp64, (char *template, int flags), (template, flags), 0, flags)
MAKE(mkstemps64, (char *template, int suffix), (template, suffix), suffix, 0)
MAKE(mkostemps64, (char *template, int suffix, int flags), (template, suffix, flags), suffix, flags)

EXPORT char *mkdtemp(char *template) {
  NEXT(mkdtemp);
  char asked[512], *at = letters(template, 0);
  if (tape_mode == TAPE_OFF || !at) return next(template);
  int kept = errno;
  snprintf(asked, sizeof asked, "%s", template);
  if (give(asked, at, LETTERS)) {
    if (syscall(SYS_mkdirat, AT_FDCWD, template, 0700) == 0) return template;
    memcpy(at, "XXXXXX", LETTERS);
    errno = kept;
  }
  char *made = next(template);
  if (made) keep(asked, at, LETTERS);
  return made;
}

/* These make up a name only: its last part, of the same length always, is the recorded one. */
static char *named(char *made, const char *template) {
  char *slash = made ? strrchr(made, '/') : NULL, *at = slash ? slash + 1 : made;
  if (!at || !*at || tape_mode == TAPE_OFF) return made;
  if (!give(template, at, strlen(at))) keep(template, at, strlen(at));
  return made;
}

EXPORT char *mktemp(char *template) {
  NEXT(mktemp);
  char asked[512];
  snprintf(asked, sizeof asked, "%s", template);
  return named(next(template), asked);
}

EXPORT char *tmpnam(char into[L_tmpnam]) {
  NEXT(tmpnam);
  return named(next(into), "tmpnam");
}

EXPORT char *tempnam(const char *folder, const char *prefix) {
  NEXT(tempnam);
  return named(next(folder, prefix), "tempnam");
}
