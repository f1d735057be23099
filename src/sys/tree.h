// SPDX-License-Identifier: MIT
#pragma once

/* The processes that a command has started, as far as they can be found: its process group, and
 * what descends from its leader. */

#include "base/base.h"
#include "base/list.h"
#include "curfew.h"
#include "sys/child.h"
#include "sys/loop.h"

struct tree {
        struct loop *loop;
        struct child *leader; /* borrowed; outlives the tree */
        bool own_group;       /* the leader was started as the leader of a process group */
        struct list members;  /* the ones being watched */
        size_t n_members;
        void (*emptied)(struct tree *tree); /* the last of the watched ones has exited */
};

void tree_init(struct tree *tree, struct loop *loop, struct child *leader, bool own_group,
        void (*emptied)(struct tree *tree));
void tree_deinit(struct tree *tree); /* lets go of the processes, does nothing to them */

/* Send the step's signal, once, to each process that it means, and SIGCONT after it if `cont`.
 * Counts in *ret_reached; the error is the first that kept it from a process that is there. */
int tree_signal(
        struct tree *tree, const struct curfew_step *step, bool cont, unsigned *ret_reached);

/* The leader has exited: reap it, where its process group can be held on to without the zombie. */
void tree_leader_exited(struct tree *tree);

/* After the leader's exit: 1 if nothing is left that can be found, else 0, and `emptied` will be
 * called when it is worth asking again. Negative: something is left, but can't be watched. */
int tree_is_empty(struct tree *tree);

/* How many are known to be left. */
unsigned tree_count(struct tree *tree);
