/* What the shim's files share. The shim is preloaded into every process of a watched run and writes down
 * which files and programs it uses. It never changes what a call does or returns, keeps errno, prints nothing,
 * and when anything of its own fails it goes quiet. */
#ifndef ENVFREEZE_SHIM_H
#define ENVFREEZE_SHIM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The next definition of a function: the one that the program would have called without us. */
#define NEXT(name) \
  static __typeof__(name) *next; \
  if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* System calls of our own go past raw.c, which stands before the C library's syscall. */
extern long (*raw_syscall)(long number, ...);
#define syscall(...) raw_syscall(__VA_ARGS__)

/* The headers declare some arguments as never NULL; programs pass it all the same, and the kernel copes. */
#define KEEP_CHECKS(pointer) __asm__("" : "+r"(pointer))

/* Kinds of events; the log is a sequence of: kind, text, NUL. Read by observer/shim_log.py. The text of the
 * kinds that are told once a process begins with the time, ns of CLOCK_MONOTONIC, and a space. */
enum kind {
  STARTED = 'S',  /* pid ppid */
  ARGUMENT = 'A', /* one of the command line, in order */
  PROGRAM = 'X',  /* path of the executable */
  FOLDER = 'D',   /* working directory at the start */
  READ = 'R',     /* opened for reading */
  WROTE = 'W',    /* opened for writing */
  UPDATED = 'U',  /* opened for both */
  SOUGHT = 'M',   /* looked for, and not there */
  MOVED = 'F',    /* renamed from; followed by BECAME */
  BECAME = 'T',   /* renamed to */
  REMOVED = 'K',  /* unlinked */
  EXECUTED = 'E', /* about to become this program, or to start it */
  REACHED = 'C',  /* connected to address and port */
  LIBRARY = 'L',  /* mapped at the end */
  ENDED = 'Z',    /* time, exit status, ticks of user and of system time, largest resident memory in KiB */
  CEASED = 'Q',   /* nothing more could be written down: disk or memory */
};

/* log.c */
void log_event(enum kind kind, const char *text);           /* appends always */
void log_once(enum kind kind, const char *text);            /* appends unless this process already did */
void log_pair(enum kind a, const char *first, enum kind b, const char *second);
int log_ready(void);
int log_enter(void);  /* 0 when the shim is off, or at work in this thread already */
void log_leave(void);
const char *log_folder(void);
const char *in_project(const char *path); /* the part below the project folder, with its slash, or NULL */
void log_end(int status);                 /* how this process went; told once */
int log_before_chroot(void); /* keeps hold of the log's folder; what to give to log_after_chroot */
void log_after_chroot(int held, int failed);
void log_write_elsewhere(enum kind kind, const char *text); /* for a child that is about to exec */

/* paths.c */
int absolute(int directory, const char *path, char *buffer, size_t size);
void root_became(const char *path); /* all paths are below it from now on */
void about_to_write(const char *path);

#endif
