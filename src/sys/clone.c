// SPDX-License-Identifier: MIT
#include "sys/clone.h"
#include "sys/call.h"

#include <sched.h>
#include <signal.h>

/*
 * CLONE_VM is what makes a start cost the same in a host of 4 MiB and of 4 GiB: no page table is
 * copied, and no page of the host is written twice. The price is that the child runs in the host's
 * memory, as its thread's double, with the same errno and the same thread pointer; birth.c says why
 * that is safe.
 *
 * CLONE_VFORK, which goes with it in every C library, has the kernel hold the caller until the
 * child has left the memory. That wait hears nothing and has no end: a child that is stopped holds
 * its parent for as long as nobody continues it, and so does a program on a file server that is
 * gone. So it is not asked for. CLONE_CHILD_CLEARTID tells of the same moment, in a word that can
 * be waited for as one likes.
 *
 * The exit signal is 0: a child that fails before it executes is none of the host's concern, which
 * gets no SIGCHLD and can't reap it, not even by ignoring SIGCHLD. execve(2) makes it SIGCHLD.
 *
 * No C library has clone3() with a stack, since the child can't return on it; and in a child, where
 * errno is another's, none of their calls will do. So the call and the step onto the stack are a
 * few instructions, in a table by architecture. Where a filter forbids clone3 (as it must, not
 * being able to read its arguments: those of Docker, Kubernetes and systemd's RestrictNamespaces=
 * do), the older clone does the same, except for the control group.
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
 * The kernel gives the child the caller's registers, except for the stack pointer and the one that
 * holds the result, so `fn` and `arg` are still where they were. The frame pointer is cleared:
 * there is no frame above.
 */
#if defined(__x86_64__) && defined(__LP64__)
#define IS_BARE   1
#define NR_IN     "rax"
#define A_IN      "rdi"
#define B_IN      "rsi"
#define C_IN      "rdx"
#define D_IN      "r10"
#define E_IN      "r8"
#define FN_IN     "r9"
#define ARG_IN    "r12"
#define RESULT    nr_
#define CLOBBERED "rcx", "r11", "cc", "memory"
#define CALL                                                                                       \
        "syscall\n\t"                                                                              \
        "test %%rax, %%rax\n\t"                                                                    \
        "jnz 1f\n\t"                                                                               \
        "xor %%ebp, %%ebp\n\t"                                                                     \
        "mov %%r12, %%rdi\n\t"                                                                     \
        "call *%%r9\n\t"                                                                           \
        "ud2\n"                                                                                    \
        "1:"
#elif defined(__aarch64__) && defined(__LP64__)
#define IS_BARE   1
#define NR_IN     "x8"
#define A_IN      "x0"
#define B_IN      "x1"
#define C_IN      "x2"
#define D_IN      "x3"
#define E_IN      "x4"
#define FN_IN     "x5"
#define ARG_IN    "x6"
#define RESULT    a_
#define CLOBBERED "cc", "memory"
#define CALL                                                                                       \
        "svc #0\n\t"                                                                               \
        "cbnz x0, 1f\n\t"                                                                          \
        "mov x29, xzr\n\t"                                                                         \
        "mov x0, x6\n\t"                                                                           \
        "blr x5\n\t"                                                                               \
        "brk #1\n"                                                                                 \
        "1:"
#elif defined(__riscv) && __riscv_xlen == 64
#define IS_BARE   1
#define NR_IN     "a7"
#define A_IN      "a0"
#define B_IN      "a1"
#define C_IN      "a2"
#define D_IN      "a3"
#define E_IN      "a4"
#define FN_IN     "a5"
#define ARG_IN    "a6"
#define RESULT    a_
#define CLOBBERED "memory"
#define CALL                                                                                       \
        "ecall\n\t"                                                                                \
        "bnez a0, 1f\n\t"                                                                          \
        "mv s0, zero\n\t"                                                                          \
        "mv a0, a6\n\t"                                                                            \
        "jalr a5\n\t"                                                                              \
        "ebreak\n"                                                                                 \
        "1:"
#else
#define IS_BARE 0
#endif

#if IS_BARE
/* A call that makes a child, with five arguments; there is none that has more. */
_in_child_ static long call(const struct clone_plan *plan, long nr, const long args[5]) {
        long a = args[0], b = args[1], c = args[2], d = args[3], e = args[4];
        int (*fn)(void *) = plan->fn;
        void *arg = plan->arg;
        register long nr_ __asm__(NR_IN) = nr;
        register long a_ __asm__(A_IN) = a;
        register long b_ __asm__(B_IN) = b;
        register long c_ __asm__(C_IN) = c;
        register long d_ __asm__(D_IN) = d;
        register long e_ __asm__(E_IN) = e;
        register int (*fn_)(void *) __asm__(FN_IN) = fn;
        register void *arg_ __asm__(ARG_IN) = arg;

        __asm__ volatile(CALL
                         : "+r"(nr_), "+r"(a_)
                         : "r"(b_), "r"(c_), "r"(d_), "r"(e_), "r"(fn_), "r"(arg_)
                         : CLOBBERED);
        return RESULT;
}

/* Asking first for the newer call each time costs a tenth of a microsecond where the answer is no,
 * and no memory of it that threads would share. */
_in_child_ static long make(const struct clone_plan *plan, int flags, int *there, int *pidfd) {
        struct clone3_args args = {
                .flags = (uint64_t)flags | (plan->cgroup >= 0 ? CLONE_INTO_CGROUP_ : 0),
                .pidfd = (uintptr_t)pidfd,
                .child_tid = (uintptr_t)there,
                .exit_signal = (uint64_t)plan->exit_signal,
                .stack = (uintptr_t)plan->stack,
                .stack_size = plan->size,
                .cgroup = plan->cgroup >= 0 ? (uint64_t)plan->cgroup : 0,
        };
        long r = call(plan, SYS_clone3, (const long[5]){ (long)&args, sizeof(args) });

        if ((r != -ENOSYS && r != -EPERM) || plan->cgroup >= 0)
                return r;

        /* Of the last two one is for CLONE_SETTLS, which one depends on the architecture. */
        return call(plan, SYS_clone,
                (const long[5]){ flags | plan->exit_signal, (long)plan->stack + (long)plan->size,
                        (long)pidfd, (long)there, (long)there });
}
#else
/* At the upper end of the child's stack. */
struct entry {
        int (*fn)(void *arg);
        void *arg;
        int *there;
};

static int enter(void *arg) {
        const struct entry *entry = arg;

        sys_call(SYS_set_tid_address, entry->there);
        return entry->fn(entry->arg);
}

/* The C library's. Not every one hands CLONE_CHILD_CLEARTID on, so the child asks for it itself:
 * one that is killed before is known to be gone by its pidfd. */
static long make(const struct clone_plan *plan, int flags, int *there, int *pidfd) {
        struct entry *entry = (struct entry *)((char *)plan->stack + plan->size) - 1;
        int r;

        if (plan->cgroup >= 0)
                return -ENOSYS;
        *entry = (struct entry){ plan->fn, plan->arg, there };
        r = clone(enter, (void *)((uintptr_t)entry & ~(uintptr_t)63),
                (flags & ~CLONE_CHILD_CLEARTID) | plan->exit_signal, entry, pidfd);
        return r < 0 ? -errno : r;
}
#endif

/* The word is the child's as soon as there is one. */
_in_child_ int clone_child(const struct clone_plan *plan, int *there, int *ret_pidfd) {
        int flags = CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID | plan->namespaces;
        long r;

        if (plan->shares_files)
                flags |= CLONE_FILES;
        *there = 1;
        r = make(plan, flags, there, ret_pidfd);
        if (r < 0)
                *there = 0;
        return (int)r;
}

int clone_raise(int pidfd) {
        int raised = pidfd < 0 || pidfd > 2 ? -1 : fcntl(pidfd, F_DUPFD_CLOEXEC, 3);

        if (raised < 0)
                return pidfd;
        close_fd(pidfd);
        return raised;
}
