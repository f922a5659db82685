/* Who and where: the host's name, and the user's as the list of users has it. The user's number is left as it is:
 * programs ask by it what they may do. */
#include "tape.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Records the name, or puts the recorded one in its place. */
static void host_through_tape(char *name, size_t size, const void *caller) {
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
  if (result == 0 && tape_mode != TAPE_OFF) host_through_tape(name, size, __builtin_return_address(0));
  return result;
}

EXPORT int uname(struct utsname *names) {
  NEXT(uname);
  int result = next(names);
  if (result == 0 && tape_mode != TAPE_OFF)
    host_through_tape(names->nodename, sizeof names->nodename, __builtin_return_address(0));
  return result;
}

/* One line of passwd(5), without the numbers: name, comment, home, shell. Returns whether there is one. */
static int user_through_tape(const char *stream_name, char *line, size_t size) {
  struct thread *thread = tape_enter();
  if (!thread) return *line != 0;
  struct stream *stream = tape_named(thread, USER, stream_name);
  if (stream && tape_mode == TAPE_RECORD) tape_put_bytes(stream, line, strlen(line));
  else if (stream && play_has(stream)) play_text(thread, stream, line, size);
  tape_leave(thread);
  return *line != 0;
}

static void write_line(const struct passwd *user, char *line, size_t size) {
  *line = 0;
  if (user)
    snprintf(line, size, "%s\n%s\n%s\n%s", user->pw_name, user->pw_gecos ? user->pw_gecos : "",
             user->pw_dir ? user->pw_dir : "", user->pw_shell ? user->pw_shell : "");
}

static char *next_field(char **rest) {
  char *field = *rest, *end = field + strcspn(field, "\n");
  *rest = *end ? end + 1 : end;
  *end = 0;
  return field;
}

/* The home is that of the replay, where files can be written. */
static void read_line(char *line, uid_t number, struct passwd *user) {
  char *home = getenv("HOME");
  user->pw_name = next_field(&line);
  user->pw_gecos = next_field(&line);
  user->pw_dir = next_field(&line);
  user->pw_shell = next_field(&line);
  if (home && *home == '/') user->pw_dir = home;
  user->pw_passwd = (char *)"x";
  user->pw_uid = number;
  user->pw_gid = getgid();
}

EXPORT struct passwd *getpwuid(uid_t number) {
  NEXT(getpwuid);
  static char line[1024];
  static struct passwd given;
  struct passwd *found = next(number);
  if (tape_mode == TAPE_OFF || number != getuid()) return found;
  int kept = errno;
  write_line(found, line, sizeof line);
  int known = user_through_tape("user", line, sizeof line);
  errno = kept;
  if (tape_mode != TAPE_REPLAY || !known) return found;
  read_line(line, number, &given);
  return &given;
}

EXPORT int getpwuid_r(uid_t number, struct passwd *restrict user, char *restrict buffer, size_t size,
                      struct passwd **restrict found) {
  NEXT(getpwuid_r);
  char line[1024];
  int result = next(number, user, buffer, size, found);
  if (tape_mode == TAPE_OFF || number != getuid() || result == ERANGE) return result;
  int kept = errno;
  write_line(*found, line, sizeof line);
  int known = user_through_tape("user", line, sizeof line);
  errno = kept;
  if (tape_mode != TAPE_REPLAY || !known || strlen(line) >= size) return result;
  strcpy(buffer, line);
  read_line(buffer, number, user);
  *found = user;
  return 0;
}

EXPORT char *getlogin(void) {
  NEXT(getlogin);
  static char name[256];
  const char *found = next();
  if (tape_mode == TAPE_OFF) return (char *)found;
  int kept = errno;
  snprintf(name, sizeof name, "%s", found ? found : "");
  int known = user_through_tape("login", name, sizeof name);
  errno = kept;
  return known ? name : NULL;
}

EXPORT int getlogin_r(char *name, size_t size) {
  const char *found = getlogin();
  if (!found) return errno ? errno : ENOTTY;
  if (strlen(found) >= size) return ERANGE;
  strcpy(name, found);
  return 0;
}
