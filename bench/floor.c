// SPDX-License-Identifier: MIT

/*
 * The least a wrapper can do, and without a C library: start the command, wait for it until its
 * time is over, end it with SIGTERM if it is, and pass on its status. Nothing is parsed but the
 * seconds; of the tree nothing is known.
 *
 *     floor SECONDS COMMAND
 */

#include "bare.h"

#include <linux/sched.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\t"
        "call begin\n\tud2\n");
#else
#error "the floor is written for x86-64 only"
#endif

struct poll {
        int fd;
        short events, revents;
};

_Noreturn void begin(long *stack);

/* As vfork(2) does: the child borrows the stack, and it has not returned from here before that is
 * used again. */
static inline __attribute__((always_inline)) long start(char **argv, char **env, int *pidfd) {
        long flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | 17 /* SIGCHLD */;
        long pid = call(__NR_clone, flags, 0, (long)pidfd, 0);

        if (pid == 0) {
                call(__NR_execve, (long)argv[0], (long)argv, (long)env, 0);
                call(__NR_exit_group, 127, 0, 0, 0);
        }
        return pid;
}

_Noreturn void begin(long *stack) {
        char **argv = (char **)(stack + 1);
        struct __kernel_timespec time = { 0 };
        struct poll poll = { .fd = -1, .events = 1 };
        int info[32] = { 0 };

        for (const char *p = argv[1]; *p; ++p)
                time.tv_sec = 10 * time.tv_sec + (*p - '0');
        if (start(argv + 2, (char **)(stack + stack[0] + 2), &poll.fd) > 0) {
                if (call(__NR_ppoll, (long)&poll, 1, (long)&time, 0) == 0)
                        call(__NR_pidfd_send_signal, poll.fd, 15 /* SIGTERM */, 0, 0);
                call(__NR_waitid, P_PIDFD, poll.fd, (long)info, 4 /* WEXITED */);
        }
        for (;;)
                call(__NR_exit_group, info[6], 0, 0, 0); /* si_status */
}
