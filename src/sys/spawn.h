// SPDX-License-Identifier: MIT
#pragma once

/* From a resolved command to a running program, at the cost of a vfork. */

#include "base/base.h"
#include "curfew.h"
#include "sys/child.h"
#include "sys/clone.h"
#include "sys/signals.h"

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
};

/* The stack that the child borrows until it executes: one serves any number of spawns in turn. */
struct spawn_stack {
        void *base;
        size_t size;
};

#define SPAWN_STACK_NULL                                                                           \
        { .base = NULL, .size = 0 }

int spawn_stack_init(struct spawn_stack *stack); /* unless it is there already */
void spawn_stack_deinit(struct spawn_stack *stack);

/* Blocks until the program has been executed. On failure nothing is left of the child, and
 * *ret_stage says how far it got. -ECHILD: somebody has killed it on the way. */
int spawn(const struct spawn_stack *stack, const struct spawn_plan *plan,
        enum curfew_stage *ret_stage, struct child *ret);

/*
 * The parts of it, for who arranges them in another way: what the caller does around the life of
 * the child in its memory, what the child does, and what came of it.
 */
struct spawn_guard {
        struct signals_mask mask;
        int cancel;
        int saved_errno;
        bool identity;
};

/* What parent and child share. */
struct spawn_image {
        const struct spawn_plan *plan;
        const struct curfew_cmd *cmd;
        pid_t parent;       /* where the command's parent death signal is to come from */
        bool *shares_files; /* … a descriptor table, which the child is to leave */
        enum curfew_stage stage;
        int error;
};

#define SPAWN_IMAGE(the_plan, the_files)                                                           \
        {                                                                                          \
                .plan = (the_plan), .cmd = (the_plan)->cmd, .shares_files = (the_files),           \
                .stage = CURFEW_STAGE_CLONE,                                                       \
        }

void spawn_begin(const struct curfew_cmd *cmd, struct spawn_guard *guard);
void spawn_end(const struct spawn_guard *guard);
int spawn_become(void *arg); /* in the child, of its image: executes, or notes why not and exits */
int spawn_result(const struct spawn_image *image, enum curfew_stage *ret_stage);
