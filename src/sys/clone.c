// SPDX-License-Identifier: MIT
#include "sys/clone.h"
#include "sys/call.h"

#include <sched.h>

/*
 * CLONE_VM | CLONE_VFORK is what makes a start cost the same in a host of 4 MiB and of 4 GiB: no
 * page table is copied, and no page of the host is written twice. The price is that the child runs
 * in the host's memory, as its thread's double, with the same errno and the same thread pointer.
 * That is safe because the thread itself sleeps meanwhile and:
 *
 *  - the child has a stack of its own, so that nothing the thread returns to is overwritten;
 *  - every signal is blocked, so that no handler of the host runs in the child;
 *  - the child makes system calls, reads what was prepared, writes what it was given to write, and
 *    calls nothing that locks, allocates, or waits for another thread.
 *
 * The exit signal is 0: a child that fails before it executes is none of the host's concern, which
 * gets no SIGCHLD and can't reap it, not even by ignoring SIGCHLD. execve(2) makes it SIGCHLD.
 *
 * No C library has clone3() with a stack, since the child can't return on it; so the call and the
 * step onto the stack are a few instructions per architecture. Elsewhere, and where a filter
 * forbids clone3 (as it must, not being able to read its arguments), clone() does the same.
 */

#define CLONE_INTO_CGROUP_ UINT64_C(0x200000000) /* Linux 5.7 */

struct clone3_args {
        uint64_t flags;
        uint64_t pidfd;
        uint64_t child_tid;
        uint64_t parent_tid;
        uint64_t exit_signal;
        uint64_t stack; /* its lowest byte */
        uint64_t stack_size;
        uint64_t tls;
        uint64_t set_tid;
        uint64_t set_tid_size;
        uint64_t cgroup; /* Linux 5.7 */
};

/*
 * clone3(args, size), and in the child fn(arg). The kernel gives the child the caller's registers,
 * except for the stack pointer and the one that holds the result, so `fn` and `arg` are still where
 * they were. The frame pointer is cleared: there is no frame above.
 */
#if defined(__x86_64__) && defined(__LP64__)
_in_child_ static long clone3(struct clone3_args *args, int (*fn)(void *arg), void *arg) {
        register int (*r8)(void *) __asm__("r8") = fn;
        register void *r9 __asm__("r9") = arg;
        long r;

        __asm__ volatile("syscall\n\t"
                         "test %%rax, %%rax\n\t"
                         "jnz 1f\n\t"
                         "xor %%ebp, %%ebp\n\t"
                         "mov %%r9, %%rdi\n\t"
                         "call *%%r8\n\t"
                         "ud2\n"
                         "1:"
                         : "=a"(r)
                         : "a"(SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(r8), "r"(r9)
                         : "rcx", "r11", "cc", "memory");
        return r;
}
#elif defined(__aarch64__) && defined(__LP64__)
_in_child_ static long clone3(struct clone3_args *args, int (*fn)(void *arg), void *arg) {
        register long x0 __asm__("x0") = (long)args;
        register long x1 __asm__("x1") = sizeof(*args);
        register int (*x2)(void *) __asm__("x2") = fn;
        register void *x3 __asm__("x3") = arg;
        register long x8 __asm__("x8") = SYS_clone3;

        __asm__ volatile("svc #0\n\t"
                         "cbnz x0, 1f\n\t"
                         "mov x29, xzr\n\t"
                         "mov x0, x3\n\t"
                         "blr x2\n\t"
                         "brk #1\n"
                         "1:"
                         : "+r"(x0)
                         : "r"(x1), "r"(x2), "r"(x3), "r"(x8)
                         : "cc", "memory");
        return x0;
}
#elif defined(__riscv) && __riscv_xlen == 64
_in_child_ static long clone3(struct clone3_args *args, int (*fn)(void *arg), void *arg) {
        register long a0 __asm__("a0") = (long)args;
        register long a1 __asm__("a1") = sizeof(*args);
        register int (*a2)(void *) __asm__("a2") = fn;
        register void *a3 __asm__("a3") = arg;
        register long a7 __asm__("a7") = SYS_clone3;

        __asm__ volatile("ecall\n\t"
                         "bnez a0, 1f\n\t"
                         "mv s0, zero\n\t"
                         "mv a0, a3\n\t"
                         "jalr a2\n\t"
                         "ebreak\n"
                         "1:"
                         : "+r"(a0)
                         : "r"(a1), "r"(a2), "r"(a3), "r"(a7)
                         : "memory");
        return a0;
}
#else
_in_child_ static long clone3(
        struct clone3_args *args _unused_, int (*fn)(void *arg) _unused_, void *arg _unused_) {
        return -ENOSYS;
}
#endif

int clone_raise(int pidfd) {
        int raised = pidfd < 0 || pidfd > 2 ? -1 : fcntl(pidfd, F_DUPFD_CLOEXEC, 3);

        if (raised < 0)
                return pidfd;
        close_fd(pidfd);
        return raised;
}

/*
 * Asking again each time costs a tenth of a microsecond where the answer is no, and no memory of it
 * that threads would share.
 */
int clone_child(const struct clone_plan *plan, struct child *ret) {
        int pidfd = -1, flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | plan->namespaces;
        struct clone3_args args = {
                .pidfd = (uintptr_t)&pidfd,
                .stack = (uintptr_t)plan->stack,
                .stack_size = plan->size,
                .cgroup = plan->cgroup >= 0 ? (uint64_t)plan->cgroup : 0,
        };
        long r;

        if (plan->shares_files)
                flags |= CLONE_FILES;
        args.flags = (uint64_t)flags | (plan->cgroup >= 0 ? CLONE_INTO_CGROUP_ : 0);

        r = clone3(&args, plan->fn, plan->arg);
        if ((r == -ENOSYS || r == -EPERM) && plan->cgroup < 0) {
                r = clone(plan->fn, (char *)plan->stack + plan->size, flags, plan->arg, &pidfd);
                r = r < 0 ? -errno : r;
        }
        if (r < 0)
                return (int)r;

        *ret = (struct child){ .pid = (pid_t)r, .pidfd = clone_raise(pidfd) };
        return 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the kernel writes there. */
_in_child_ int clone_beside(const struct clone_plan *plan, int *alive, int *ret_pidfd) {
        struct clone3_args args = {
                .flags = CLONE_VM | CLONE_FILES | CLONE_PIDFD | CLONE_CHILD_CLEARTID,
                .pidfd = (uintptr_t)ret_pidfd,
                .child_tid = (uintptr_t)alive,
                .exit_signal = SIGCHLD,
                .stack = (uintptr_t)plan->stack,
                .stack_size = plan->size,
        };

        return (int)clone3(&args, plan->fn, plan->arg);
}
