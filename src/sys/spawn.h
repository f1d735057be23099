// SPDX-License-Identifier: MIT
#pragma once

/* From a resolved command to a running program, at the cost of a vfork. */

#include "base/base.h"
#include "curfew.h"
#include "sys/birth.h"
#include "sys/child.h"

#include <assert.h>

/* Everything the child needs, resolved beforehand: nothing is allocated or looked up in it. */
struct spawn_plan {
        const struct curfew_cmd *cmd; /* argv, directory, terminal, group, identity, limits */
        const char *path;
        const char *const *env;
        struct curfew_extra_fd
                *fds; /* its whole table, by ascending target; changed by the spawn */
        size_t n_fds;
        int cgroup;       /* the control group to be cloned into, or -1 */
        int cgroup_procs; /* … or the file to write to in order to get there, or -1 */
        const struct patience *patience; /* or NULL */
};

/* Blocks until the program has been executed, or the patience has ended; the stack is made if it
 * isn't there. On failure nothing is left of the child, and *ret_stage says how far it got.
 * -ECHILD: somebody has killed it on the way. */
int spawn(struct birth_stack *stack, const struct spawn_plan *plan, enum curfew_stage *ret_stage,
        struct child *ret);

/*
 * The parts of it, for who arranges them in another way: what the caller does around births, what
 * the child does, and what came of it.
 */
struct spawn_guard {
        int cancel;
        int saved_errno;
};

/* What parent and child share. */
struct spawn_image {
        struct birth birth;
        const struct spawn_plan *plan;
        const struct curfew_cmd *cmd;
        pid_t parent;      /* where the command's parent death signal is to come from */
        bool shares_files; /* … a descriptor table, which the child is to leave */
        size_t step;       /* how far it has come */
        int error;         /* what has kept it from going on */
};

static_assert(sizeof(struct spawn_image) <= BIRTH_SHARED, "it has its place above the stack");

void spawn_begin(struct spawn_guard *guard);
void spawn_end(const struct spawn_guard *guard);
struct spawn_image *spawn_prepare(struct birth_stack *stack, const struct spawn_plan *plan);
int spawn_become(void *arg); /* in the child, of its image: executes, or notes why not and exits */
int spawn_await(struct spawn_image *image, enum curfew_stage *ret_stage);
