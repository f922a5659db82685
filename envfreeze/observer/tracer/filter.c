/* The filter: which calls stop for the tracer. seccomp(2), seccomp_unotify(2). */
#include "tracer.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19: a signal does not end the wait */
#endif

static const unsigned short CALLS[] = {
#ifdef SYS_open
    SYS_open, SYS_creat, SYS_rename, SYS_unlink, SYS_link, SYS_symlink,
#endif
#ifdef SYS_renameat
    SYS_renameat,
#endif
#ifdef SYS_openat2
    SYS_openat2,
#endif
    SYS_openat, SYS_execve, SYS_execveat, SYS_renameat2, SYS_unlinkat, SYS_linkat, SYS_symlinkat,
    SYS_truncate, SYS_connect, SYS_exit_group,
};
#define COUNT (sizeof CALLS / sizeof *CALLS)

int filter_install(int *confined) {
#ifdef ARCHITECTURE
  struct sock_filter code[COUNT + 6];
  size_t n = 0;
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, COUNT + 1);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < COUNT; i++)
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i], COUNT - i, 0);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
  struct sock_fprog program = {(unsigned short)n, code};
  *confined = 0;
  for (int attempt = 0;; attempt++) {
    for (int patient = 1; patient >= 0; patient--) {
      unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | (patient ? SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0);
      long listener = (syscall)(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
      if (listener >= 0) return (int)listener;
      if (errno != EINVAL) break;
    }
    /* Without CAP_SYS_ADMIN a filter is for those only who cannot gain rights any more. */
    if (errno != EACCES || attempt || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
    *confined = 1;
  }
#else
  *confined = 0;
  return -ENOSYS;
#endif
}
