// SPDX-License-Identifier: MIT

/*
 * The least a wrapper can do that owns what the command starts, also when it is killed itself, and
 * without a C library: what floor.c does, with the command in a control group of its own, and with
 * a process beside it that would end that. What this one would do is left out: it executes a
 * program, waits, and is killed.
 *
 *     owner SECONDS COMMAND
 */

#include "bare.h"

#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\t"
        "call begin\n\tud2\n");
#else
#error "the owner is written for x86-64 only"
#endif

#define GROUP "curfew-bench-owner"

struct poll {
        int fd;
        short events, revents;
};

_Noreturn void begin(long *stack);

/* As vfork(2) does: the child borrows the stack, and it has not returned from here before that is
 * used again. `pidfd` is where that is written. */
static inline __attribute__((always_inline)) long start(
        char **argv, char **env, int group, uintptr_t pidfd) {
        struct clone_args args = {
                .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD,
                .pidfd = pidfd,
                .exit_signal = 17 /* SIGCHLD */,
                .cgroup = (uint64_t)group,
        };
        long pid;

        if (group >= 0)
                args.flags |= CLONE_INTO_CGROUP;
        pid = call(__NR_clone3, (long)&args, sizeof(args), 0, 0);
        if (pid == 0) {
                call(__NR_execve, (long)argv[0], (long)argv, (long)env, 0);
                call(__NR_exit_group, 127, 0, 0, 0);
        }
        return pid;
}

static long open_folder(long at, const char *path) {
        return call(__NR_openat, at, (long)path, O_DIRECTORY | O_CLOEXEC, 0);
}

static int await(int pidfd) {
        int info[32] = { 0 };

        call(__NR_waitid, P_PIDFD, pidfd, (long)info, 4 /* WEXITED */);
        return info[6]; /* si_status */
}

/* 125 if there is no group to be had. */
static int own(char **argv, char **env) {
        char *guard[] = { argv[0], NULL };
        struct __kernel_timespec time = { 0 };
        struct poll poll = { .fd = -1, .events = 1 };
        long groups = open_folder(AT_FDCWD, "/sys/fs/cgroup/unified"), group;
        int guard_fd = -1, status = 125;

        if (groups < 0)
                groups = open_folder(AT_FDCWD, "/sys/fs/cgroup");
        for (const char *p = argv[1]; *p; ++p)
                time.tv_sec = 10 * time.tv_sec + (*p - '0');

        start(guard, env, -1, (uintptr_t)&guard_fd);
        call(__NR_mkdirat, groups, (long)GROUP, 0755, 0);
        group = open_folder(groups, GROUP);
        if (group >= 0 && start(argv + 2, env, (int)group, (uintptr_t)&poll.fd) > 0) {
                if (call(__NR_ppoll, (long)&poll, 1, (long)&time, 0) == 0)
                        call(__NR_pidfd_send_signal, poll.fd, 15 /* SIGTERM */, 0, 0);
                status = await(poll.fd);
        }
        call(__NR_unlinkat, groups, (long)GROUP, AT_REMOVEDIR, 0);
        call(__NR_pidfd_send_signal, guard_fd, 9 /* SIGKILL */, 0, 0);
        await(guard_fd);
        return status;
}

_Noreturn void begin(long *stack) {
        char **argv = (char **)(stack + 1);
        int status = 0;

        if (stack[0] == 1)
                call(__NR_pause, 0, 0, 0, 0);
        else
                status = own(argv, (char **)(stack + stack[0] + 2));
        for (;;)
                call(__NR_exit_group, status, 0, 0, 0);
}
