/* Another root: from then on a path means another file, and the log's folder is out of reach by its name. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>

EXPORT int chroot(const char *path) {
  NEXT(chroot);
  char there[4352];
  int kept = errno, known = 0, held = -1;
  if (log_enter()) {
    known = absolute(AT_FDCWD, path, there, sizeof there);
    held = log_before_chroot();
    log_leave();
  }
  errno = kept;
  int result = next(path);
  kept = errno;
  if (result == 0 && known) root_became(there);
  log_after_chroot(held, result != 0);
  errno = kept;
  return result;
}
