// SPDX-License-Identifier: MIT
#pragma once

/* The floor: a start and a wait made of nothing but the system calls that they can't do without. */

#include <sys/types.h>

struct raw_child {
        pid_t pid;
        int pidfd;
};

struct raw_plan {
        const char *program;
        int null;   /* what its three streams are on; negative: what they were */
        int output; /* what its stdout is on instead; negative: nothing */
        int cgroup; /* to be cloned into; negative: none */

        void (*in_child)(const void *arg); /* an option's own system calls; or NULL */
        const void *arg;
};

/* Each thread needs a stack of its own for its children. */
struct raw_stack {
        _Alignas(16) char bytes[64 << 10];
};

#define RAW_PLAN(program_, null_)                                                                  \
        { .program = (program_), .null = (null_), .output = -1, .cgroup = -1 }

/* clone3(CLONE_VM | CLONE_VFORK | CLONE_PIDFD), three dup2() and execve(). */
struct raw_child raw_start(const struct raw_plan *plan, struct raw_stack *stack);

/* An option: what any start does for its caller's sake. The child has a group of its own, no signal
 * ignored or blocked, and no descriptor that isn't meant for it. */
void raw_courtesy(const void *arg);

/* waitid(P_PIDFD) and close(). */
void raw_wait(const struct raw_child *child);

/* What of it is missing here: clone3 into a control group has no C library's call. */
_Bool raw_has_cgroup(void);
