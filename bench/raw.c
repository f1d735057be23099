// SPDX-License-Identifier: MIT
#include "raw.h"
#include "bench.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTO_CGROUP UINT64_C(0x200000000)

struct args {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal;
        uint64_t stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static int become(void *arg) {
        const struct raw_plan *plan = arg;
        const char *const argv[] = { plan->program, NULL };

        for (int i = 0; i < 3 && plan->null >= 0; ++i)
                syscall(SYS_dup3, i == 1 && plan->output >= 0 ? plan->output : plan->null, i, 0);
        if (plan->in_child)
                plan->in_child(plan->arg);
        syscall(SYS_execve, plan->program, argv, environ);
        syscall(SYS_exit_group, 127);
        return 127;
}

#if defined(__x86_64__) && defined(__LP64__)
static long start_child(struct args *args, int (*fn)(void *arg), const void *arg) {
        register int (*r8)(void *) __asm__("r8") = fn;
        register const void *r9 __asm__("r9") = arg;
        long r;

        __asm__ volatile("syscall\n\t"
                         "test %%rax, %%rax\n\t"
                         "jnz 1f\n\t"
                         "mov %%r9, %%rdi\n\t"
                         "call *%%r8\n"
                         "1:"
                         : "=a"(r)
                         : "a"(SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(r8), "r"(r9)
                         : "rcx", "r11", "cc", "memory");
        return r;
}

_Bool raw_has_cgroup(void) {
        return 1;
}
#else
static long start_child(struct args *args, int (*fn)(void *arg), const void *arg) {
        char *top = (char *)(uintptr_t)args->stack + args->stack_size;

        return clone(fn, top, (int)(args->flags | args->exit_signal), (void *)arg,
                (int *)(uintptr_t)args->pidfd);
}

_Bool raw_has_cgroup(void) {
        return 0;
}
#endif

struct raw_child raw_start(const struct raw_plan *plan, struct raw_stack *stack) {
        struct raw_child child = { .pidfd = -1 };
        struct args args = {
                .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD,
                .pidfd = (uintptr_t)&child.pidfd,
                .exit_signal = SIGCHLD,
                .stack = (uintptr_t)stack->bytes,
                .stack_size = sizeof(stack->bytes),
        };

        if (plan->cgroup >= 0) {
                args.flags |= INTO_CGROUP;
                args.cgroup = (uint64_t)plan->cgroup;
        }
        child.pid = (pid_t)start_child(&args, become, plan);
        if (child.pid < 0)
                bench_fail("clone3");
        return child;
}

void raw_wait(const struct raw_child *child) {
        siginfo_t info;

        if (waitid((idtype_t)3 /* P_PIDFD */, (id_t)child->pidfd, &info, WEXITED) < 0)
                bench_fail("waitid");
        close(child->pidfd);
}

static void reset_signals(void) {
        static const unsigned long action[8];

        for (int signal = 1; signal <= 64; ++signal)
                if (signal != SIGKILL && signal != SIGSTOP)
                        syscall(SYS_rt_sigaction, signal, action, NULL, 8);
}

void raw_courtesy(const void *arg) {
        static const uint64_t none;

        (void)arg;
        syscall(SYS_setpgid, 0, 0);
        reset_signals();
        syscall(SYS_close_range, 3, ~0U, 0);
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
}
