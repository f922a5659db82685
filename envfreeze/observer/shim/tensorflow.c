/* TensorFlow's one generator of seeds and numbers for names (tsl/platform/random.cc): all threads draw from it, in
 * the order in which they happen to come, so that its seed alone gives nothing back. What it gave is taped by who
 * asked, for all threads of a process together. */
#include "tape.h"

#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct thread all; /* stands for every thread */
static char lock;

void tensorflow_reset(void) {
  memset(&all, 0, sizeof all);
  __atomic_clear(&lock, __ATOMIC_RELEASE);
}

static void through_tape(uint64_t *value, const void *caller) {
  struct thread *inside = tape_enter();
  if (!inside) return;
  while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE)) sched_yield();
  if (!all.id) {
    strcpy(all.name, "TensorFlow");
    all.id = tape_hash_text(0, all.name);
  }
  struct stream *stream = tape_stream(&all, caller, ENTROPY);
  if (stream && !stream->ignored) {
    if (tape_mode == TAPE_RECORD) tape_put_bytes(stream, value, sizeof *value);
    else play_bytes(&all, stream, value, sizeof *value);
  }
  __atomic_clear(&lock, __ATOMIC_RELEASE);
  tape_leave(inside);
}

/* Python loads TensorFlow for itself alone, where RTLD_NEXT does not look: the library that asks knows where it is. */
static void *known_to(const void *caller, const char *name) {
  Dl_info info;
  if (!dladdr(caller, &info) || !info.dli_fname) return NULL;
  void *library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  void *found = library ? dlsym(library, name) : NULL;
  if (library) dlclose(library);
  return found ? found : dlsym(RTLD_NEXT, name);
}

#define GENERATOR(name) \
  EXPORT uint64_t name(void); \
  uint64_t name(void) { \
    static uint64_t (*next)(void); \
    uint64_t value = 0; \
    const void *caller = __builtin_return_address(0); \
    if (!next) next = (__typeof__(next))known_to(caller, #name); \
    if (next) value = next(); \
    else syscall(SYS_getrandom, &value, sizeof value, 0); \
    through_tape(&value, caller); \
    return value; \
  }
GENERATOR(_ZN3tsl6random5New64Ev)          /* tsl::random::New64, from TensorFlow 2.11 on */
GENERATOR(_ZN10tensorflow6random5New64Ev)  /* tensorflow::random::New64, before */
