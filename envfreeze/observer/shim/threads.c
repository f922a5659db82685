/* Threads, named by the order of creation under their parent: 0 is the first, 0.1 the second that it made. */
#include "tape.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread struct thread *own __attribute__((tls_model("initial-exec")));
static __thread char ended __attribute__((tls_model("initial-exec")));
static pthread_key_t key;
static char started;
static unsigned unnamed;

struct thread *thread_new(uint64_t id, const char *name) {
  struct thread *thread = tape_map(sizeof *thread);
  if (!thread) return NULL;
  thread->id = id;
  snprintf(thread->name, sizeof thread->name, "%s", name);
  own = thread;
  pthread_setspecific(key, thread);
  return thread;
}

/* A thread that pthread_create did not make for us: made before our start, or by clone(2). */
static struct thread *adopt(void) {
  char name[32];
  if (!started || ended) return NULL;
  int kept = errno, first = syscall(SYS_gettid) == syscall(SYS_getpid);
  unsigned number = first ? 0 : __atomic_add_fetch(&unnamed, 1, __ATOMIC_RELAXED);
  if (first) strcpy(name, "0");
  else snprintf(name, sizeof name, "u%u", number);
  struct thread *thread = thread_new(tape_hash_text(0, name), name);
  errno = kept;
  return thread;
}

struct thread *thread_self(void) { return own ? own : adopt(); }

static void let_go(struct stream *stream) {
  for (; tape_mode == TAPE_RECORD && stream; stream = stream->older)
    if (stream->chunk && stream->chunk_size > (16u << 10)) munmap(stream->chunk, stream->chunk_size);
}

static void end(void *data) {
  struct thread *thread = data;
  if (thread != own) return; /* a forked child's: see processes.c */
  own = NULL;
  ended = 1;
  let_go(thread->streams);
  for (size_t i = 0; i < NAMED; i++) let_go(thread->named[i]);
  for (char *block = thread->block; block;) {
    char *older = *(char **)(void *)block;
    munmap(block, 4 * PAGE);
    block = older;
  }
  munmap(thread, sizeof *thread);
}

struct beginning {
  void *(*function)(void *);
  void *argument;
  uint64_t id;
  int64_t time;
  char name[32];
};

static void *begin(void *data) {
  struct beginning beginning = *(struct beginning *)data;
  free(data);
  thread_new(beginning.id, beginning.name);
  strict_begin(beginning.time);
  return beginning.function(beginning.argument);
}

EXPORT int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
                          void *(*function)(void *), void *restrict argument) {
  NEXT(pthread_create);
  struct thread *parent = tape_mode == TAPE_OFF ? NULL : thread_self();
  struct beginning *beginning = parent ? malloc(sizeof *beginning) : NULL;
  if (!beginning) return next(thread, attributes, function, argument);
  unsigned number = parent->children++;
  beginning->function = function;
  beginning->argument = argument;
  beginning->time = strict_time();
  beginning->id = tape_hash(parent->id, &number, sizeof number);
  size_t length = strlen(parent->name);
  snprintf(beginning->name, sizeof beginning->name, "%s", parent->name);
  snprintf(beginning->name + length, sizeof beginning->name - length, ".%u", number);
  int result = next(thread, attributes, begin, beginning);
  if (result != 0) free(beginning);
  return result;
}

void threads_start(void) {
  if (started || pthread_key_create(&key, end) != 0) return;
  started = 1;
}
