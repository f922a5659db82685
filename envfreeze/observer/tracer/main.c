/* envfreeze-tracer DESCRIPTOR PROGRAM ARGUMENT...: runs a program under the tracer.
 *
 * Three processes: the keeper (this one) starts the tracer, which starts the program, so that the tracer is above
 * all that it reads (Yama's ptrace_scope 1 asks for that). The keeper ends as the program ends. Keeper and tracer
 * share their descriptors: should the tracer die, the keeper lets the run's calls go on, unseen, and as the
 * subreaper (prctl(2)) it still learns how the program ends.
 *
 * What is to be preloaded comes in ENVFREEZE_PRELOAD, so that it is preloaded into the program and not into us: the
 * shim numbers the programs of a run, and the first one has to be the user's.
 *
 * DESCRIPTOR is told in lines: "started PID", "failed ERRNO", "unseen ERRNO" before the start, and
 * "ended STATUS CPU_MICROSECONDS DIED UNREAD CEASED CONFINED" at the end. */
#include "tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct shared {
  int ended, status, confined, died;
  volatile int pending; /* a call was received and not yet let go */
  volatile int listener;
  pid_t program;
  long long cpu;
  unsigned unread, ceased;
  struct seccomp_notif call;
  char room[256]; /* a newer kernel's structure may be larger */
} *shared;

static pid_t tracer; /* as the keeper knows it */
static int report, done, children;
static sigset_t before;

static void tell(const char *what, long number) {
  char line[64];
  int length = snprintf(line, sizeof line, "%s %ld\n", what, number);
  if (write(report, line, (size_t)length) < 0) return;
}

static int send_descriptor(int channel, int descriptor, int confined) {
  char space[CMSG_SPACE(sizeof descriptor)] = {0};
  struct iovec data = {&confined, sizeof confined};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  if (descriptor >= 0) {
    message.msg_control = space, message.msg_controllen = sizeof space;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof descriptor);
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  return sendmsg(channel, &message, MSG_NOSIGNAL) >= 0;
}

static int receive_descriptor(int channel, int *confined) {
  char space[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec data = {confined, sizeof *confined};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  int descriptor = -1;
  if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) <= 0) return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return descriptor;
}

#define PRELOAD "ENVFREEZE_PRELOAD"

/* The program's own process: everything is as the keeper was started, then the filter, then the program. */
static void become(int channel, char **argv) {
  const char *preload = getenv(PRELOAD);
  if (preload) setenv("LD_PRELOAD", preload, 1);
  unsetenv(PRELOAD);
  int confined = 0, listener = filter_install(&confined);
  if (listener < 0) tell("unseen", -listener);
  send_descriptor(channel, listener, confined);
  if (listener >= 0) close(listener);
  tell("started", getpid());
  sigprocmask(SIG_SETMASK, &before, NULL);
  execvp(argv[0], argv);
  tell("failed", errno);
  _exit(127);
}

static void let_go(void) {
  struct seccomp_notif_resp answer = {.id = shared->call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
  ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer); /* ENOENT: that thread is gone */
  shared->pending = 0;
}

/* One call of the run; 0 when nobody is left who could make one. */
static int serve(int look) {
  memset(&shared->call, 0, sizeof shared->call);
  if (ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_RECV, &shared->call) != 0) return errno == EINTR || errno == ENOENT;
  shared->pending = 1;
  if (look) events_of(&shared->call);
  let_go();
  return 1;
}

/* Children that ended; among them may be the program. */
static void reap(void) {
  int status;
  struct rusage usage;
  struct signalfd_siginfo information;
  while (read(children, &information, sizeof information) > 0) continue;
  for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
    if (pid == tracer && !shared->ended) shared->died = 1;
    if (pid != shared->program) continue;
    shared->status = status;
    shared->cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000ll + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    shared->unread = events_unread, shared->ceased = (unsigned)events_ceased();
    __atomic_store_n(&shared->ended, 1, __ATOMIC_RELEASE);
    eventfd_write(done, 1);
  }
}

/* Serves calls until the program has ended, or, when asked to stay, until nobody is left. */
static void attend(int look, int stay) {
  struct pollfd ready[2] = {{.fd = shared->listener, .events = POLLIN}, {.fd = children, .events = POLLIN}};
  while (stay ? ready[0].fd >= 0 : !shared->ended) {
    if (poll(ready, 2, -1) < 0) continue;
    if (ready[1].revents) reap();
    if (ready[0].revents & POLLIN) {
      if (!serve(look)) ready[0].fd = -1;
    } else if (ready[0].revents) {
      ready[0].fd = -1; /* POLLHUP: no process has the filter any more */
    }
  }
}

/* What the program was given is its own: others wait for the end of these streams. */
static void leave_streams(void) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int i = 0; i < 3; i++) dup2(null, i);
  for (int i = 3; i < 1024; i++)
    if (i != report && !(fcntl(i, F_GETFD) & FD_CLOEXEC)) close(i);
  if (null > 2) close(null);
}

static int watch_children(void) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void trace(char **argv) {
  int channel[2];
  children = watch_children();
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0) _exit(1);
  pid_t program = fork();
  if (program == 0) become(channel[1], argv);
  if (program < 0) {
    tell("failed", errno);
    _exit(1);
  }
  shared->program = program;
  close(channel[1]);
  setsid();
  events_open();
  shared->listener = receive_descriptor(channel[0], &shared->confined);
  leave_streams();
  prctl(PR_SET_NAME, "envfreeze-deep", 0, 0, 0);
  attend(1, shared->listener >= 0);
  while (!shared->ended) {
    struct pollfd ready = {.fd = children, .events = POLLIN};
    poll(&ready, 1, -1);
    reap();
  }
  _exit(0);
}

/* The tracer died: its last call is let go, and all later ones. */
static void stand_in(void) {
  if (!shared->program) { /* before there was anything to run */
    tell("failed", ECHILD);
    _exit(1);
  }
  if (shared->pending) let_go();
  attend(0, 0);
}

static void end_alike(void) {
  char line[160];
  int status = shared->status;
  int length = snprintf(line, sizeof line, "ended %d %lld %d %u %u %d\n", status, shared->cpu, shared->died,
                        shared->unread, shared->ceased, shared->confined);
  if (write(report, line, (size_t)length) < 0) errno = 0;
  if (shared->died && shared->listener >= 0 && fork() == 0) { /* for programs that were left running */
    attend(0, 1);
    _exit(0);
  }
  if (WIFSIGNALED(status)) {
    struct rlimit none = {0, 0};
    sigset_t all;
    setrlimit(RLIMIT_CORE, &none); /* the program's own is there already */
    signal(WTERMSIG(status), SIG_DFL);
    sigfillset(&all);
    sigdelset(&all, WTERMSIG(status));
    sigprocmask(SIG_SETMASK, &all, NULL);
    raise(WTERMSIG(status));
  }
  _exit(WEXITSTATUS(status));
}

int main(int count, char **argv) {
  sigset_t all;
  if (count < 3) return 2;
  report = atoi(argv[1]);
  fcntl(report, F_SETFD, FD_CLOEXEC);
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  done = eventfd(0, EFD_CLOEXEC);
  if (shared == MAP_FAILED || done < 0) {
    tell("failed", errno);
    return 1;
  }
  shared->listener = -1;
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  children = watch_children();
  tracer = (pid_t)(syscall)(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
  if (tracer == 0) trace(argv + 2);
  if (tracer < 0) {
    tell("failed", errno);
    return 1;
  }
  struct pollfd ready[2] = {{.fd = done, .events = POLLIN}, {.fd = children, .events = POLLIN}};
  while (!__atomic_load_n(&shared->ended, __ATOMIC_ACQUIRE)) {
    if (poll(ready, 2, -1) < 0) continue;
    if (ready[1].revents) reap();
    if (shared->died && !shared->ended) stand_in();
  }
  end_alike();
}
