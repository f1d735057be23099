// SPDX-License-Identifier: MIT
#pragma once

/* The processes that a command has started, wherever they went, and who holds them together. */

#include "base/base.h"
#include "base/list.h"
#include "curfew.h"
#include "sys/child.h"
#include "sys/forest.h"
#include "sys/loop.h"
#include "sys/sweep.h"

struct tree;
struct kept;

/* One way of holding a tree. All calls but the first are about a tree that it has started. */
struct tree_backend {
        enum curfew_backend name;
        enum curfew_guarantee guarantee;

        /* Execute the plan in a new tree. If that fails with CURFEW_STAGE_TREE, this backend
         * doesn't work here, and nothing has been executed. */
        int (*start)(struct tree *tree, const struct spawn_plan *plan, enum curfew_stage *ret_stage,
                struct child *ret_leader);

        /* 1 and how the leader ended, or 0 while it lives; asked until it has. It is reaped, unless
         * its number is needed. */
        int (*look)(struct tree *tree, struct child_exit *ret);

        /* If everything has ended already, see to it that look and is_empty say so. May be NULL. */
        void (*settle)(struct tree *tree);

        /* A step to the tree or the group, if `sweep` says so. SIGKILL is not taken by this but by
         * kill, which may go on after it has returned. */
        int (*sweep)(struct tree *tree, struct sweep *sweep);
        int (*kill)(struct tree *tree);

        /* All that lives. */
        int (*list)(struct tree *tree, struct proc_list *ret);

        /* After the leader's exit: 1 if nothing is left, else 0, and `changed` will be called when
         * it is worth asking again. Negative: something is left, but can't be watched. */
        int (*is_empty)(struct tree *tree);

        /* After is_empty() has said 0: when to ask again though `changed` has not been called. May
         * be NULL. */
        int64_t (*pause)(const struct tree *tree);

        /* Let go of it: what is left in it is left alone. */
        void (*deinit)(struct tree *tree);
};

extern const struct tree_backend tree_cgroup, tree_keeper, tree_group, tree_namespace;

#define TREE_NO_WARD SIZE_MAX

struct tree {
        const struct tree_backend *backend; /* NULL: not started */
        struct forest *forest;
        struct loop *loop;
        struct child *leader; /* borrowed; outlives the tree */
        bool own_group;       /* the leader was started as the leader of a process group, … */
        bool group_is_shared; /* … which another tree's processes may be in as well */
        bool leader_is_ours;  /* our own child, whose exit its pidfd tells; else `changed` tells */
        bool asked;           /* somebody outside wants it to be stopped */
        size_t ward;          /* in the forest; or TREE_NO_WARD */
        struct sweep_heard heard;           /* who has got a signal from elsewhere */
        void (*changed)(struct tree *tree); /* something here is not what it was */

        /* Of tree_group: the processes that are being watched. */
        struct list members;
        size_t n_members;

        /* Of tree_keeper, and tree_namespace. */
        struct kept *kept;
        struct loop_io leader_io; /* once the keeper is lost */

        /* Of tree_cgroup. */
        bool removed;
        uint8_t n_looks; /* at a group that had not emptied, since the last step */
        int events;      /* its cgroup.events, while that is waited for */
        struct loop_io events_io;
};

void tree_init(struct tree *tree, struct forest *forest, struct child *leader, bool own_group,
        void (*changed)(struct tree *tree));
void tree_deinit(struct tree *tree);

/* By the best backend that works here, within what the command demands. */
int tree_start(struct tree *tree, const struct spawn_plan *plan, enum curfew_stage *ret_stage,
        struct child *ret_leader);

/* Whom a signal has reached, and who was left out. */
struct tree_count {
        unsigned reached, left_out;
};

/* Another tree's leader joins the group that this one's leads. */
void tree_share_group(struct tree *tree);

/* Send the step's signal, once, to each process that it means, and SIGCONT after it if `cont`; if
 * `heard`, not to who has heard it. The error is the first that kept it from a process that is
 * there. */
int tree_signal(struct tree *tree, const struct curfew_step *step, bool cont, bool heard,
        struct tree_count *ret);

/* Whether nobody is left in the leader's process group; or in the tree nobody but the leader or, if
 * `whom` says so, that group. False: it isn't known. */
bool tree_group_is_gone(struct tree *tree);
bool tree_has_only(struct tree *tree, enum curfew_whom whom);

/* SIGKILL to all; who that is, is written to *ret first. */
int tree_kill(struct tree *tree, struct proc_list *ret);

/* Should that not have reached everything. */
void tree_kill_again(struct tree *tree);

/* Should the host be killed: so many steps have been taken, and the next one is at `due`; if
 * `heard`, the last one has left out who had heard its signal, as no other is to. */
void tree_note(struct tree *tree, unsigned taken, int64_t due, bool heard);

/* Whoever of the tree is in this process's group has got this signal from elsewhere, now. False:
 * its leader isn't. */
bool tree_hear(struct tree *tree, int signal, int64_t now);

/* This fork of the host says that, too, and is to be waited for should the host be killed. */
void tree_listen(struct tree *tree, pid_t listener);

/* Before a request to stop: what has ended by itself must be known to have. */
void tree_settle(struct tree *tree);

int tree_look_at_leader(struct tree *tree, struct child_exit *ret);
int tree_is_empty(struct tree *tree);
int64_t tree_pause(const struct tree *tree); /* CLOCK_NEVER: `changed` will be in time */
int tree_list(struct tree *tree, struct proc_list *ret);
