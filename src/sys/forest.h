// SPDX-License-Identifier: MIT
#pragma once

/* What the trees of one supervisor share: each part is made when the first tree needs it. */

#include "base/base.h"
#include "sys/keeper.h"
#include "sys/loop.h"
#include "sys/proc.h"
#include "sys/spares.h"
#include "sys/spawn.h"
#include "sys/ward.h"

/* Whether /proc shows the processes by the numbers they have here. */
enum forest_proc {
        FOREST_PROC_UNKNOWN, /* nobody has had to know */
        FOREST_PROC_IS_OURS,
        FOREST_PROC_IS_NOT,
};

struct forest {
        struct loop *loop;
        struct birth_stack stack; /* the leader's, where the keeper uses the kit's */
        bool checked;             /* … and found that it can stop processes */
        bool pins_groups;         /* a pidfd stands for its process group, too (Linux 6.9) */
        enum forest_proc proc;
        struct spares spares;
        struct keeper_kit kit;

        struct ward *wards; /* mapped from kit.wards */
        size_t n_wards;
        size_t next_ward; /* where to look for a free one */

        uint64_t groups_id; /* of whose the groups are, at random; or 0: there has been none */
        uint64_t n_groups;  /* made so far: a part of their names, too */
        int groups_error;   /* why there can be none here, or 0 */

        struct keeper guard; /* of all control groups */
        bool guarded;
        void (*asked)(struct forest *forest); /* the guard was asked to stop what it keeps */
};

void forest_init(struct forest *forest, struct loop *loop, void (*asked)(struct forest *forest));
void forest_deinit(struct forest *forest); /* no tree is left */

/* A ward for a command, not in use yet; and give it back. Pointers to wards are good until the next
 * one is taken. */
int forest_take_ward(struct forest *forest, const struct curfew_cmd *cmd, size_t *ret_index);
void forest_release_ward(struct forest *forest, size_t index);

/* Whether this kernel can signal processes by their pidfds; without that nothing can be stopped.
 * -ENOSYS: it, or a filter of system calls, is too old. */
int forest_check(struct forest *forest);

bool forest_has_proc(struct forest *forest);

/* Everything that a tree with a keeper needs, or a tree in a control group. */
int forest_prepare_keeper(struct forest *forest);
int forest_prepare_groups(struct forest *forest, const struct patience *patience);
