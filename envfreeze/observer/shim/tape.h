/* Tapes: what a run got from sources of randomness and time, written down once and given back on a replay.
 *
 * A process has one tape. It holds a stream for each thread and source and call site: with one stream a thread,
 * clock reads inside lock waits, whose number depends on contention, would put everything else out of step.
 * When recording, no call returns anything else than it would have, and errno is kept. */
#ifndef ENVFREEZE_TAPE_H
#define ENVFREEZE_TAPE_H

#include "shim.h"

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum tape_mode { TAPE_OFF, TAPE_RECORD, TAPE_REPLAY };

/* Kinds of sources, as they stand on the tape; read by observer/tapes.py. Clocks are CLOCK + their number. */
enum source {
  ENTROPY = 1,
  HOST = 2,    /* the host's name */
  SECONDS = 3, /* time(2) */
  USER = 4,    /* who runs it: passwd(5) */
  TEMPORARY = 5, /* names of temporary files */
  FOLDER_ORDER = 6, /* hashes of the names in it, as they came; 0 ends a listing */
  STAMPS = 7,  /* times of files that the run made */
  SYSTEM = 8,  /* small files of /proc and the like, as they were */
  PLACE = 9,   /* an address that a program took for a random number */
  CLOCK = 16,
};

struct site { /* where a source was asked */
  const void *caller;
  uint64_t key;    /* the same in every run, and in every build as far as a name could be found */
  uint64_t module; /* hash of the module's name */
  uint64_t build;  /* of the module, for sites that are known by their offset only; otherwise 0 */
  int interpreter; /* in CPython itself */
  int marked;      /* asked by Python code, which is known */
  int keys;        /* in a library for encryption */
  char text[112];
};

struct stream {
  uint64_t key;
  struct stream *older; /* of this thread */
  const struct site *site;
  unsigned source;
  int ignored; /* goes to the real source */
  int64_t last;
  struct chunk *chunk; /* recording: being filled; playing: being read */
  uint32_t at, end;    /* playing: position in the chunk; recording: end is its room */
  uint32_t number, part, first;
  uint32_t chunk_size;
  int over;            /* the replay is past the end */
  uint64_t taken, random;
};

#define CLOCKS 12
#define NAMED 512
struct thread {
  uint64_t id;
  char name[32];           /* for people: 0, 0.1, 0.1.2, … by the order of creation under each parent */
  unsigned children, forks, spawns;
  volatile int busy;       /* in this code already: a signal handler interrupted it */
  struct stream *streams, *named[NAMED];
  struct { const void *caller; unsigned source; struct stream *stream; } cache[64];
  int64_t given[CLOCKS], offset[CLOCKS]; /* last value given, and how far it was from the real time */
  char read[CLOCKS];
  char *block;             /* memory for streams */
  size_t block_used;
  pid_t number_real, number_shown;
};

/* One chunk of a stream, in the file and in memory. Zeros until the next page follow the last of a region. */
struct chunk {
  uint32_t size;   /* bytes, header included, a multiple of 16 */
  uint32_t used;   /* bytes of data */
  uint32_t stream; /* from 1 on */
  uint32_t magic;
  unsigned char data[];
};
#define CHUNK_MAGIC 0x45504154u /* "TAPE" */
#define PAGE 4096u

/* At the start of a stream's first chunk. */
struct label {
  uint64_t key, loose, build; /* loose: module, source and order of appearance, for another build of the module */
  uint8_t source, text_length;
  char text[];
};
#define LABEL_SIZE 26u

/* tape.c: the mode, and recording */
extern enum tape_mode tape_mode;
extern int tape_real_keys;   /* libraries for encryption get real randomness: the replay has a network */
struct thread *tape_enter(void); /* NULL when nothing is taped, or this thread is in here already */
void tape_leave(struct thread *thread);
const struct site *tape_site(const void *caller); /* NULL where tape_enter would be */
struct stream *tape_stream(struct thread *thread, const void *caller, unsigned source); /* NULL: out of memory */
struct stream *tape_named(struct thread *thread, unsigned source, const char *name);
const char *tape_path(const char *path);
void tape_put(struct stream *stream, int64_t value);
void tape_put_bytes(struct stream *stream, const void *bytes, size_t size);
const char *tape_folder(void);
const char *tape_state(void);
void tape_reset(void);       /* in a forked child: forgets the parent's tape */
void *tape_map(size_t size); /* zeroed memory, or NULL */
uint64_t tape_hash(uint64_t seed, const void *bytes, size_t size);
uint64_t tape_hash_text(uint64_t seed, const char *text);

/* playback.c */
void play_open(uint64_t process);
void play_find(struct stream *stream, uint64_t loose);
int play_has(struct stream *stream); /* whether anything is left to give */
int play_take(struct thread *thread, struct stream *stream, int64_t *value); /* 0 past the end */
void play_bytes(struct thread *thread, struct stream *stream, void *bytes, size_t size);
void play_text(struct thread *thread, struct stream *stream, char *text, size_t size); /* as it is past the end */
void play_end(void); /* says where the recorded run went on */

/* sites.c */
const struct site *site_of(const void *caller);
void sites_start(void);

/* python.c */
extern __thread int python_reads; /* which of CPython's clock functions this thread is in; 0: none */
const void *python_reader(void);   /* stands for that function and the Python code that called it */
const void *python_dater(void);    /* the same for datetime; NULL: it is not that */
const void *python_drawer(void);   /* stands for the Python code that asks for randomness; NULL: cannot be told */
int python_describe(const void *asker, char *text, size_t size); /* 0: this is no such stand-in */
int python_marks(void);           /* CPython is here, and its clock functions are or will be marked */
void python_attach(void);
const void *python_base(void);    /* where the module with CPython is loaded, or NULL */
int python_place(int may_wait, char *inner, char *text, size_t size);

/* clock.c */
void clock_through_tape(clockid_t clock, struct timespec *time, const void *caller);
int real_clock_gettime(clockid_t clock, struct timespec *time);
int64_t real_now(clockid_t clock);
int clock_class(clockid_t clock); /* which index of offset[] a clock has; -1: it is not taped */
extern int64_t clock_offset[CLOCKS]; /* of the process: replayed minus real time, ns */
extern char clock_known[CLOCKS];

/* threads.c */
struct thread *thread_self(void); /* NULL when it cannot be told */
struct thread *thread_new(uint64_t id, const char *name);
void threads_start(void);

/* processes.c */
uint64_t process_id(void);
const char *process_name(void);
size_t process_next(char *text, size_t size); /* for a program about to start: ENVFREEZE_TAPE_SELF=… */
#define SELF "ENVFREEZE_TAPE_SELF"
size_t process_spawning(char *text, size_t size); /* the same for posix_spawn, which is yet to make the process */
uint64_t process_spawned(void);   /* the identity of the process that was made; so do the two below */
uint64_t process_forked(void);
uint64_t process_vforked(pid_t child); /* 0: it became no program */
pid_t process_number(void);       /* whose memory this is */
int process_is_first(void);       /* of the run */
void process_asked(void);         /* something is on this process's tape, or would be */
int process_is_ours(void);        /* 0 in a child that was forked unseen: it shares its parent's tape */
void processes_start(void);

/* pids.c: numbers of processes and threads; the recorded ones are shown */
pid_t pids_own(pid_t real);
pid_t pids_parent(pid_t real);
pid_t pids_thread(pid_t real);
pid_t pids_made(pid_t real, uint64_t key);
pid_t pids_waited(pid_t real);
pid_t pids_shown(pid_t real);
pid_t pids_real(pid_t shown);
const char *pids_path(const char *path, char *buffer, size_t size); /* with the real number below /proc */

/* stamps.c: times of files that the run made */
struct stat;
void stamps_start(void);
int stamps_given(int result, int directory, const char *path, struct stat *status); /* passes the result on */

/* folders.c */
void folders_reset(void); /* in a forked child */

/* system.c: a descriptor of a file with what was read at freeze, in place of one that is open on `path` */
int system_opened(int descriptor, const char *path, int flags);

/* temporary.c: before and after a file is made */
void temporary_before(const char *path, int flags);
int temporary_is_mktemp(void);
void temporary_after(int result, const char *path, int flags);

/* tensorflow.c */
void tensorflow_reset(void); /* in a forked child */

/* bash.c */
void bash_seeds(int64_t *seconds, const void *caller);

/* entropy.c */
void tape_opened(int descriptor, const char *path);
void entropy_through_tape(void *bytes, size_t size, const void *caller);

/* strict.c */
extern int tape_seeded;           /* playing without a tape: all comes from the seed */
int strict_start(const char *mode);
int strict_ignores(const struct site *site, unsigned source);
uint64_t strict_random(uint64_t key);
int64_t strict_clock(const struct stream *stream, int class);
int64_t strict_time(void);        /* of this thread, for those that it makes */
int64_t strict_stamp(void);
int strict_backwards(void);
int strict_draws(void);           /* randomness is made from the seed */
void strict_begin(int64_t time);
void strict_reached(clockid_t clock, const struct timespec *deadline);
void strict_slept(int64_t seconds, int64_t nanoseconds);

/* waits.c */
struct timespec wait_moved(clockid_t clock, const struct timespec *deadline);

#endif
