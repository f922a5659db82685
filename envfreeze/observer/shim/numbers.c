/* What programs do with numbers of processes: asked for and made, waited for, signalled. On a replay the numbers
 * that they see are the recorded ones (pids.c). Left as they are: those in siginfo_t of signal handlers, SO_PEERCRED
 * and F_GETLK. */
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

EXPORT pid_t getpid(void) { return pids_own((pid_t)syscall(SYS_getpid)); }
EXPORT pid_t getppid(void) { return pids_parent((pid_t)syscall(SYS_getppid)); }
pid_t gettid(void);
EXPORT pid_t gettid(void) { return pids_thread((pid_t)syscall(SYS_gettid)); }

EXPORT pid_t fork(void) {
  NEXT(fork);
  pid_t real = next();
  return real > 0 && tape_mode != TAPE_OFF ? pids_made(real, process_forked()) : real;
}

#if defined(__x86_64__) && !defined(__ILP32__)
/* vfork returns twice on one stack: where to return to is kept in the thread, as the child writes over the stack. */
static __thread void *vfork_back __attribute__((tls_model("initial-exec")));
struct vforked {
  long number;
  void *back;
};
__attribute__((used)) void *envfreeze_vfork_begin(void *back);
__attribute__((used)) struct vforked envfreeze_vfork_end(int real);

void *envfreeze_vfork_begin(void *back) {
  NEXT(vfork);
  vfork_back = back;
  return (void *)next;
}

struct vforked envfreeze_vfork_end(int real) {
  uint64_t key = real > 0 && tape_mode != TAPE_OFF ? process_vforked(real) : 0;
  return (struct vforked){key ? pids_made(real, key) : real, vfork_back};
}

__asm__(".text\n.globl vfork\n.type vfork,@function\nvfork:\n"
        "  .cfi_startproc\n"
        "  popq %rdi\n  .cfi_adjust_cfa_offset -8\n"
        "  call envfreeze_vfork_begin\n"
        "  call *%rax\n"
        "  movl %eax, %edi\n"
        "  call envfreeze_vfork_end\n"
        "  pushq %rdx\n  .cfi_adjust_cfa_offset 8\n"
        "  ret\n"
        "  .cfi_endproc\n.size vfork,.-vfork\n");
#endif

EXPORT pid_t wait(int *status) {
  NEXT(wait);
  return pids_waited(next(status));
}

EXPORT pid_t waitpid(pid_t process, int *status, int options) {
  NEXT(waitpid);
  return pids_waited(next(process < -1 ? -pids_real(-process) : pids_real(process), status, options));
}

EXPORT pid_t wait3(int *status, int options, struct rusage *usage) {
  NEXT(wait3);
  return pids_waited(next(status, options, usage));
}

EXPORT pid_t wait4(pid_t process, int *status, int options, struct rusage *usage) {
  NEXT(wait4);
  return pids_waited(next(process < -1 ? -pids_real(-process) : pids_real(process), status, options, usage));
}

EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  NEXT(waitid);
  if (type == P_PID || type == P_PGID) id = (id_t)pids_real((pid_t)id);
  int result = next(type, id, info, options);
  KEEP_CHECKS(info);
  if (result == 0 && info && tape_mode == TAPE_REPLAY) info->si_pid = pids_waited(info->si_pid);
  return result;
}

/* A negative number is that of a group: its leader's. */
EXPORT int kill(pid_t process, int signal) {
  NEXT(kill);
  return next(process < -1 ? -pids_real(-process) : pids_real(process), signal);
}

#define ONE_NUMBER(type, name, parameters, arguments) \
  EXPORT type name parameters { \
    NEXT(name); \
    process = pids_real(process); \
    return next arguments; \
  }
ONE_NUMBER(int, killpg, (pid_t process, int signal), (process, signal))
ONE_NUMBER(int, sigqueue, (pid_t process, int signal, const union sigval value), (process, signal, value))
ONE_NUMBER(int, sched_setaffinity, (pid_t process, size_t size, const cpu_set_t *set), (process, size, set))
ONE_NUMBER(int, sched_getaffinity, (pid_t process, size_t size, cpu_set_t *set), (process, size, set))
ONE_NUMBER(int, sched_getscheduler, (pid_t process), (process))
ONE_NUMBER(int, sched_getparam, (pid_t process, struct sched_param *parameters), (process, parameters))
ONE_NUMBER(int, sched_setparam, (pid_t process, const struct sched_param *parameters), (process, parameters))
ONE_NUMBER(int, sched_setscheduler, (pid_t process, int policy, const struct sched_param *parameters),
           (process, policy, parameters))
ONE_NUMBER(ssize_t, process_vm_readv,
           (pid_t process, const struct iovec *a, unsigned long m, const struct iovec *b, unsigned long n,
            unsigned long flags),
           (process, a, m, b, n, flags))
ONE_NUMBER(ssize_t, process_vm_writev,
           (pid_t process, const struct iovec *a, unsigned long m, const struct iovec *b, unsigned long n,
            unsigned long flags),
           (process, a, m, b, n, flags))
int tgkill(pid_t, pid_t, int);
EXPORT int tgkill(pid_t process, pid_t thread, int signal) {
  return (int)syscall(SYS_tgkill, pids_real(process), pids_real(thread), signal);
}

int pidfd_open(pid_t, unsigned);
EXPORT int pidfd_open(pid_t process, unsigned flags) {
#ifdef SYS_pidfd_open
  return (int)syscall(SYS_pidfd_open, pids_real(process), flags);
#else
  (void)process, (void)flags;
  errno = ENOSYS;
  return -1;
#endif
}

EXPORT int getpriority(__priority_which_t which, id_t who) {
  NEXT(getpriority);
  return next(which, which == PRIO_USER ? who : (id_t)pids_real((pid_t)who));
}

EXPORT int setpriority(__priority_which_t which, id_t who, int value) {
  NEXT(setpriority);
  return next(which, which == PRIO_USER ? who : (id_t)pids_real((pid_t)who), value);
}

#define PRLIMIT(name, type) \
  EXPORT int name(pid_t process, enum __rlimit_resource resource, const struct type *wanted, struct type *before) { \
    NEXT(name); \
    return next(pids_real(process), resource, wanted, before); \
  }
PRLIMIT(prlimit, rlimit)
PRLIMIT(prlimit64, rlimit64)

/* Groups and sessions bear their leader's number. */
EXPORT pid_t getpgrp(void) {
  NEXT(getpgrp);
  return pids_shown(next());
}

EXPORT pid_t getpgid(pid_t process) {
  NEXT(getpgid);
  return pids_shown(next(pids_real(process)));
}

EXPORT pid_t getsid(pid_t process) {
  NEXT(getsid);
  return pids_shown(next(pids_real(process)));
}

EXPORT pid_t setsid(void) {
  NEXT(setsid);
  return pids_shown(next());
}

EXPORT int setpgid(pid_t process, pid_t group) {
  NEXT(setpgid);
  return next(pids_real(process), pids_real(group));
}

EXPORT pid_t tcgetpgrp(int terminal) {
  NEXT(tcgetpgrp);
  return pids_shown(next(terminal));
}

EXPORT int tcsetpgrp(int terminal, pid_t group) {
  NEXT(tcsetpgrp);
  return next(terminal, pids_real(group));
}
