// SPDX-License-Identifier: MIT
#pragma once

/* One started command, from its start to its end. */

#include "base/base.h"
#include "base/list.h"
#include "core/stop.h"
#include "curfew.h"
#include "streams.h"
#include "supervisor.h"
#include "sys/child.h"
#include "sys/loop.h"
#include "sys/tree.h"
#include "watch.h"

struct curfew_run {
        struct curfew *sup;
        struct list link; /* in one of the supervisor's lists of runs */
        void *data;

        struct watch watch;  /* of its context */
        struct notice asked; /* by its context, or by the caller while a callback is executed */

        struct child child;
        struct loop_io exit_io;
        bool leader_gone;

        struct tree tree;
        struct stop stop;
        struct loop_timer timer;
        struct proc_list *killed; /* whom SIGKILL has reached, none of them held; or NULL */
        bool leader_unwatchable, tree_unwatchable; /* the timer looks at them now and then */

        struct streams *streams; /* or NULL */

        uint8_t events[CURFEW_MAX_STEPS + 2 + 2]; /* enum curfew_event_type, in order */
        uint8_t n_events, next_event, next_step;
        struct list eventful;

        bool freed; /* by the caller, before the end */
        bool ended;
        int64_t started;
        struct curfew_result *result; /* from the supervisor's results */
        struct curfew_step plan[];    /* the command's, as far as it goes */
};

/* Get what a run needs before there is a process; run_free() gives it back. */
int run_new(struct curfew *sup, struct curfew_ctx *ctx, const struct curfew_cmd *cmd,
        struct curfew_run **ret);

/* There is a process now, the leader of run->tree: take it over and watch it. On failure it is
 * ended. */
int run_begin(struct curfew_run *run, struct child *child, int64_t started);

/* Give everything back. The run has ended, or never begun. */
struct curfew_run *run_free(struct curfew_run *run);

/* Whether the end has come: the result is complete. */
static inline bool run_has_ended(const struct curfew_run *run) {
        return run->ended;
}

/* The caller asks it to stop, or for the next step. */
void run_stop(struct curfew_run *run);
void run_skip(struct curfew_run *run);

/* Whoever of it is in the caller's process group has got this signal from elsewhere. */
void run_hear(struct curfew_run *run, int signal);

/* Somebody has asked whoever keeps its tree. */
void run_ask_from_outside(struct curfew_run *run);

/* The caller lets go of it: nobody will hear of it any more. */
void run_abandon(struct curfew_run *run);

/* Take the next event out of a run that has one. */
void run_pop_event(struct curfew_run *run, struct curfew_event *ret);
