// SPDX-License-Identifier: MIT
#pragma once

/* The processes that a keeper is the parent of: the leader, and every orphan of the tree. */

#include "base/base.h"
#include "sys/child.h"
#include "sys/sweep.h"

struct children {
        pid_t leader;
        pid_t session;     /* that the leader was born in, and the host is in */
        bool is_namespace; /* their keeper is the init of a PID namespace */
        bool leader_gone;
        struct child_exit exit; /* then: how */
        bool killing;
        int64_t pause; /* until the next look, meanwhile */
};

void children_init(struct children *children, pid_t leader);

/* Wait for those that have ended, and kill the others once that has begun. -ECHILD: there is none
 * any more. */
int children_reap(struct children *children);

void children_kill(struct children *children);

/* Add all that live, and descend from them. */
int children_list(const struct children *children, struct proc_list *ret);

/* Whether nobody is left in the leader's process group. */
bool children_have_left_group(const struct children *children);

/* A step to them and all that descends from them. */
int children_sweep(const struct children *children, struct sweep *sweep);
