// SPDX-License-Identifier: MIT
#pragma once

/* The host's side of a keeper: a small process that outlives a host that is killed, just long
 * enough to stop what the host has started. */

#include "base/base.h"
#include "sys/child.h"
#include "sys/loop.h"
#include "sys/spares.h"
#include "sys/spawn.h"
#include "sys/ward.h"

#include <assert.h>

/* The program that it executes. */
extern const unsigned char keeper_image[];
extern const size_t keeper_image_size;

#define KEEPER_NAME "curfew-keeper" /* as it is listed with its arguments */

/* What it finds open. */
enum {
        KEEPER_HOST = 3, /* a SOCK_SEQPACKET to the host */
        KEEPER_PIDFD,    /* the host */
        KEEPER_WARDS,    /* the table of them */
        KEEPER_IMAGE,    /* its own program */
        KEEPER_GROUPS,   /* where its wards' control groups are */
};

/* From the host, one byte: end all that is left of the tree. */
#define KEEPER_KILL 'k'

/* To the host: what is new. */
struct keeper_report {
        bool asked; /* somebody has asked the keeper to stop what it keeps */
        bool leader_known;
        struct child_exit leader; /* how it has ended */
        bool empty;               /* nothing is left of the tree: the last thing that is said */
};

static_assert(
        sizeof(struct keeper_report) == (sizeof(long) > 4 ? 32 : 20) + sizeof(struct child_usage),
        "it must be the same in any C library");

/* What all keepers of a host are made from. */
struct keeper_kit {
        int image;  /* a sealed memfd, or -1 */
        int host;   /* a pidfd of this process, or -1 */
        int wards;  /* the table's memfd, or -1 */
        int groups; /* a directory, or -1 */
        struct birth_stack stack;
        struct spares *spares; /* borrowed */
};

#define KEEPER_KIT_NULL                                                                            \
        { .image = -1, .host = -1, .wards = -1, .groups = -1, .stack = BIRTH_STACK_NULL }

/* Get the pidfd of this process; and what else is missing. */
int keeper_kit_open_host(struct keeper_kit *kit);
int keeper_kit_prepare(struct keeper_kit *kit);
void keeper_kit_deinit(struct keeper_kit *kit);

struct keeper {
        struct loop *loop;
        struct child process;
        int socket;
        struct loop_io io;
        bool asked;
        bool gone;  /* it has ended and been reaped, … */
        bool clean; /* … and says that nothing is left of the tree */
        bool leader_known;
        struct child_exit leader;
        void (*changed)(struct keeper *keeper); /* one of these */
};

void keeper_init(struct keeper *keeper, struct loop *loop, void (*changed)(struct keeper *keeper));

/* One for all wards whose trees are control groups. */
int keeper_start_guard(
        struct keeper *keeper, struct keeper_kit *kit, const struct patience *patience);

/* What it is to keep. */
struct keeper_charge {
        size_t index;              /* of its ward */
        int namespaces;            /* CLONE_NEW…, to be its init; or 0 */
        struct birth_stack *stack; /* the leader's */
        const struct spawn_plan *plan;
};

/* One that is the subreaper of a tree, and its leader below it, executing as spawn() does. If
 * *ret_stage is CURFEW_STAGE_TREE, it was the keeper that could not be started, and nothing of the
 * plan was executed. */
int keeper_start_tree(struct keeper *keeper, struct keeper_kit *kit,
        const struct keeper_charge *charge, enum curfew_stage *ret_stage, struct child *ret_leader);

/* Read what it has reported. If that is its end, `changed` is called once it has come. */
void keeper_look(struct keeper *keeper);

/* Wait for its end, until `deadline` at most. */
void keeper_await(struct keeper *keeper, int64_t deadline);

/* Let it go on, if somebody has stopped it or is about to. */
void keeper_wake(struct keeper *keeper);

/* Have it end the tree. */
int keeper_kill(struct keeper *keeper);

/* End it, now; what it keeps is left alone. Idempotent. */
void keeper_deinit(struct keeper *keeper);
