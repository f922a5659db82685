/* The host's name, as the program sees it. Process numbers are left as they are: programs wait for them and send
 * them signals. */
#include "tape.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Records the name, or puts the recorded one in its place. */
static void through_tape(char *name, size_t size, const void *caller) {
  struct thread *thread = tape_enter();
  if (!thread) return;
  struct stream *stream = tape_stream(thread, caller, HOST);
  size_t length = strnlen(name, size);
  if (stream && tape_mode == TAPE_RECORD) tape_put_bytes(stream, name, length);
  else if (stream) play_text(thread, stream, name, size);
  tape_leave(thread);
}

EXPORT int gethostname(char *name, size_t size) {
  NEXT(gethostname);
  int result = next(name, size);
  if (result == 0 && tape_mode != TAPE_OFF) through_tape(name, size, __builtin_return_address(0));
  return result;
}

EXPORT int uname(struct utsname *names) {
  NEXT(uname);
  int result = next(names);
  if (result == 0 && tape_mode != TAPE_OFF)
    through_tape(names->nodename, sizeof names->nodename, __builtin_return_address(0));
  return result;
}
