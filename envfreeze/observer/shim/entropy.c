/* Randomness: system calls, the devices, and what the C and C++ libraries offer on top of them. */
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DESCRIPTORS 1024
static unsigned char is_random[DESCRIPTORS];
static volatile unsigned marked; /* how many were ever marked: with none, read(2) is passed on at once */

static const void *asked_in_python(const void *caller) {
  int kept = errno;
  const struct site *site = tape_site(caller);
  const void *asker = site && site->interpreter ? python_drawer() : NULL;
  errno = kept;
  return asker;
}

/* Records what the real source gave, or puts the recorded bytes in its place. */
void entropy_through_tape(void *bytes, size_t size, const void *caller) {
  if (tape_mode == TAPE_OFF || !size) return;
  const void *python = asked_in_python(caller);
  struct thread *thread = tape_enter();
  if (!thread) return;
  struct stream *stream = tape_stream(thread, python ? python : caller, ENTROPY);
  if (stream && !stream->ignored) {
    if (tape_mode == TAPE_RECORD) tape_put_bytes(stream, bytes, size);
    else play_bytes(thread, stream, bytes, size);
  }
  tape_leave(thread);
}

#define CALLER __builtin_return_address(0)

EXPORT ssize_t getrandom(void *bytes, size_t size, unsigned flags) {
  static ssize_t (*next)(void *, size_t, unsigned);
  if (!next) next = (__typeof__(next))dlsym(RTLD_NEXT, "getrandom");
  ssize_t result = next ? next(bytes, size, flags) : syscall(SYS_getrandom, bytes, size, flags);
  if (result > 0) entropy_through_tape(bytes, (size_t)result, CALLER);
  return result;
}

/* CPython calls getrandom, but an OpenSSL built into its program calls this: with a network it gets real keys. */
EXPORT int getentropy(void *bytes, size_t size) {
  NEXT(getentropy);
  int result = next ? next(bytes, size) : syscall(SYS_getrandom, bytes, size, 0) == (long)size ? 0 : -1;
  if (result == 0 && !(tape_real_keys && tape_mode == TAPE_REPLAY)) entropy_through_tape(bytes, size, CALLER);
  return result;
}

EXPORT uint32_t arc4random(void) {
  static uint32_t (*next)(void);
  uint32_t value = 0;
  if (!next) next = (__typeof__(next))dlsym(RTLD_NEXT, "arc4random");
  if (next) value = next();
  else if (syscall(SYS_getrandom, &value, sizeof value, 0) < 0) value = 0;
  entropy_through_tape(&value, sizeof value, CALLER);
  return value;
}

EXPORT void arc4random_buf(void *bytes, size_t size) {
  static void (*next)(void *, size_t);
  if (!next) next = (__typeof__(next))dlsym(RTLD_NEXT, "arc4random_buf");
  if (next) next(bytes, size);
  else for (size_t at = 0; at < size;) {
    long got = syscall(SYS_getrandom, (char *)bytes + at, size - at, 0);
    if (got > 0) at += (size_t)got;
  }
  entropy_through_tape(bytes, size, CALLER);
}

EXPORT uint32_t arc4random_uniform(uint32_t bound) {
  static uint32_t (*next)(uint32_t);
  if (!next) next = (__typeof__(next))dlsym(RTLD_NEXT, "arc4random_uniform");
  uint32_t value = next ? next(bound) : bound ? arc4random() % bound : 0;
  entropy_through_tape(&value, sizeof value, CALLER);
  return bound ? value % bound : 0; /* a tape of an altered program may hold more */
}

/* std::random_device::operator(), out of line in libstdc++: the newer and the older form. */
#define RANDOM_DEVICE(name) \
  EXPORT unsigned name(void *self) { \
    static unsigned (*next)(void *); \
    unsigned value = 0; \
    if (!next) next = (__typeof__(next))dlsym(RTLD_NEXT, #name); \
    if (next) value = next(self); \
    else if (syscall(SYS_getrandom, &value, sizeof value, 0) < 0) value = 0; \
    entropy_through_tape(&value, sizeof value, CALLER); \
    return value; \
  }
RANDOM_DEVICE(_ZNSt13random_device9_M_getvalEv)
RANDOM_DEVICE(_ZNSt13random_device16_M_getval_pretr1Ev)

/* libuuid stirs process numbers and a file of its own into what it makes, so its results are taped. Modules load it
 * for themselves alone, where RTLD_NEXT does not look. */
static void *in_libuuid(const char *name) {
  void *library = dlopen("libuuid.so.1", RTLD_LAZY | RTLD_NOLOAD);
  void *found = library ? dlsym(library, name) : NULL;
  if (library) dlclose(library);
  return found ? found : dlsym(RTLD_NEXT, name);
}

/* RFC 9562, version 4; for when libuuid was not found after all. */
static int make_uuid(unsigned char *out) {
  if (syscall(SYS_getrandom, out, 16, 0) != 16) memset(out, 0, 16);
  out[6] = (unsigned char)((out[6] & 0x0f) | 0x40);
  out[8] = (unsigned char)((out[8] & 0x3f) | 0x80);
  return -1; /* not safe against twins: what uuid_generate_time_safe says then */
}

#define UUID(type, name, call, returned) \
  EXPORT type name(unsigned char *out); \
  type name(unsigned char *out) { \
    static type (*next)(unsigned char *); \
    if (!next) next = (__typeof__(next))in_libuuid(#name); \
    struct thread *inside = tape_enter(); /* what it asks on its way is not the program's */ \
    call; \
    if (inside) tape_leave(inside); \
    entropy_through_tape(out, 16, CALLER); \
    return returned; \
  }
#define CALL if (next) next(out); else make_uuid(out)
UUID(void, uuid_generate, CALL, )
UUID(void, uuid_generate_time, CALL, )
UUID(void, uuid_generate_random, CALL, )
UUID(int, uuid_generate_time_safe, int result = next ? next(out) : make_uuid(out), result)

/* Whether a descriptor is one of the devices: random(4) gives their numbers. */
static int is_device(int descriptor) {
  struct stat status;
  return syscall(SYS_fstat, descriptor, &status) == 0 && S_ISCHR(status.st_mode) && major(status.st_rdev) == 1 &&
         (minor(status.st_rdev) == 8 || minor(status.st_rdev) == 9);
}

static void set(int descriptor, int random) {
  if (descriptor < 0 || descriptor >= DESCRIPTORS) return;
  is_random[descriptor] = (unsigned char)random;
  marked += random != 0;
}

void tape_opened(int descriptor, const char *path) {
  if (tape_mode == TAPE_OFF) return;
  int kept = errno;
  set(descriptor, path && (!strcmp(path, "/dev/urandom") || !strcmp(path, "/dev/random")));
  python_attach();
  errno = kept;
}

/* A number may have been closed and given to another file behind our back: so it is looked at again. */
static int from_device(int descriptor) {
  return marked && descriptor >= 0 && descriptor < DESCRIPTORS && is_random[descriptor] && is_device(descriptor);
}

EXPORT ssize_t read(int descriptor, void *bytes, size_t size) {
  NEXT(read);
  ssize_t result = next(descriptor, bytes, size);
  if (result > 0 && from_device(descriptor)) entropy_through_tape(bytes, (size_t)result, CALLER);
  return result;
}

ssize_t __read_chk(int, void *, size_t, size_t);
EXPORT ssize_t __read_chk(int descriptor, void *bytes, size_t size, size_t room) {
  NEXT(__read_chk);
  ssize_t result = next(descriptor, bytes, size, room);
  if (result > 0 && from_device(descriptor)) entropy_through_tape(bytes, (size_t)result, CALLER);
  return result;
}

/* The C library's streams read by themselves, past read(2) above. */
#define FREAD(name) \
  EXPORT size_t name(void *bytes, size_t size, size_t count, FILE *stream) { \
    NEXT(name); \
    size_t result = next(bytes, size, count, stream); \
    if (result && marked && from_device(fileno(stream))) entropy_through_tape(bytes, result * size, CALLER); \
    return result; \
  }
#undef fread_unlocked
FREAD(fread)
FREAD(fread_unlocked)

#define COPIED(result, from) \
  int copy = result; \
  if (marked && copy >= 0 && copy < DESCRIPTORS) is_random[copy] = from_device(from); \
  return copy

EXPORT int dup(int descriptor) {
  NEXT(dup);
  COPIED(next(descriptor), descriptor);
}

EXPORT int dup2(int descriptor, int wanted) {
  NEXT(dup2);
  COPIED(next(descriptor, wanted), descriptor);
}

EXPORT int dup3(int descriptor, int wanted, int flags) {
  NEXT(dup3);
  COPIED(next(descriptor, wanted, flags), descriptor);
}

/* A shell may have opened a device for this program: `tr -dc a-z < /dev/urandom`. */
__attribute__((constructor)) static void look_at_inherited(void) {
  for (int descriptor = 0; descriptor < 10; descriptor++)
    if (is_device(descriptor)) set(descriptor, 1);
}
