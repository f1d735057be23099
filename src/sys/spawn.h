// SPDX-License-Identifier: MIT
#pragma once

/* From a resolved command to a running program, at the cost of a vfork. */

#include "base/base.h"
#include "curfew.h"
#include "sys/child.h"

/* Everything the child needs, resolved beforehand: nothing is allocated or looked up in it. */
struct spawn_plan {
        const struct curfew_cmd *cmd; /* argv, directory, terminal, group, identity, limits */
        const char *path;
        const char *const *env;
        struct curfew_extra_fd
                *fds; /* its whole table, by ascending target; changed by the spawn */
        size_t n_fds;
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
