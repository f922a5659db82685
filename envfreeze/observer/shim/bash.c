/* bash seeds $RANDOM with the time, its process number, its user's and the address of its own function seedrand
 * (lib/sh/random.c, since bash 5.1), which is another in every run. What differs there is taken out again at the
 * time that this function reads. */
#include "tape.h"

#include <sys/syscall.h>
#include <unistd.h>

void bash_seeds(int64_t *seconds, const void *caller) {
  static const char *seedrand;
  static char looked;
  if (!looked) seedrand = dlsym(RTLD_DEFAULT, "seedrand");
  looked = 1;
  if (!seedrand || (const char *)caller < seedrand || (const char *)caller > seedrand + 256) return;
  struct thread *thread = tape_enter();
  if (!thread) return;
  if (tape_seeded && strict_stamp()) *seconds ^= (uint32_t)(getpid() ^ getppid());
  uint32_t now = (uint32_t)(uintptr_t)seedrand ^ (uint32_t)syscall(SYS_getuid);
  struct stream *stream = tape_named(thread, PLACE, "bash:seedrand");
  int64_t then;
  if (stream && tape_mode == TAPE_RECORD) tape_put(stream, now);
  else if (stream && tape_seeded && strict_stamp()) *seconds ^= now;
  else if (stream && !tape_seeded && play_take(thread, stream, &then)) *seconds ^= (uint32_t)then ^ now;
  tape_leave(thread);
}
