/* What the tracer's files share. The tracer sees the calls of every program of a run, static ones too: the run
 * carries a seccomp filter that hands the few calls that name files, programs or hosts to the tracer before they
 * happen (seccomp_unotify(2), Linux 5.5), and it lets each of them go on as it is. */
#ifndef ENVFREEZE_TRACER_H
#define ENVFREEZE_TRACER_H

#include "../shim/shim.h"

#include <linux/seccomp.h>
#include <sys/types.h>

/* Kinds of events beside those of the shim. The tracer has one log for all programs. */
enum { SWITCHED = '@', /* what follows is of the program with this number */
       EXITED = 'Z',   /* "code utime stime peak": clock ticks, clock ticks, KiB; the text begins with the time */
       UNREAD = 'N' }; /* a call whose arguments could not be read */

struct program {
  pid_t pid;
  unsigned number;
  char executing; /* it called execve: the next call may be another program's */
  uint64_t face;  /* hash of executable and command line */
  struct program *next;
};

/* filter.c: installs the filter in this process; the listener's descriptor, or -errno. */
int filter_install(int *confined); /* confined: set-user-ID programs get no rights from now on */

/* remote.c: what another process has in memory and in /proc */
int remote_text(pid_t thread, uint64_t address, char *text, size_t size);
int remote_bytes(pid_t thread, uint64_t address, void *bytes, size_t size);
int remote_path(pid_t thread, int directory, uint64_t address, char *path, size_t size);
int remote_link(pid_t thread, const char *name, char *text, size_t size);
pid_t remote_process(pid_t thread, pid_t *parent);
ssize_t remote_file(pid_t process, const char *name, char *text, size_t size);

/* events.c */
int events_open(void);
int events_ceased(void);
void events_of(const struct seccomp_notif *call);
extern unsigned events_unread;

#endif
