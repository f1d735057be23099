// SPDX-License-Identifier: MIT
#pragma once

/* The life of a run as decisions: when it has ended, and the steps of stopping it. */

#include "base/base.h"
#include "curfew.h"

#define STOP_GIVE_UP (10 * CURFEW_SEC) /* how long SIGKILL to the tree may take to show */

enum stop_state {
        STOP_RUNNING,   /* the leader lives, nobody has asked */
        STOP_LINGERING, /* the leader is gone, nobody has asked, the end isn't met */
        STOP_DRAINING,  /* the same, and what is there when its time is over is asked to stop */
        STOP_ASKED,     /* a step was taken, its grace runs */
        STOP_KILLED,    /* SIGKILL went to all that it means in the end */
        STOP_LEAVING,   /* whom it means is gone, and what is left is left alone */
        STOP_ENDED,
        STOP_N_STATES
};

enum stop_event {
        STOP_ASK,    /* somebody wants it to stop */
        STOP_SKIP,   /* somebody wants the next step now */
        STOP_TIME,   /* the due time has come */
        STOP_LEADER, /* the leader is gone */
        STOP_MET,    /* the end condition is met */
        STOP_GONE,   /* nobody is left whom the plan names: see stop_awaits_named() */
        STOP_N_EVENTS
};

enum stop_action {
        STOP_NOTHING,
        STOP_LINGER,     /* bound what follows the leader's exit */
        STOP_STEP,       /* take the step that was written to *ret_step */
        STOP_END_MET,    /* the run has ended as it should */
        STOP_END_LINGER, /* … because the time after the leader's exit is over */
        STOP_END_GIVEN_UP
};

struct stop {
        const struct curfew_step *plan; /* borrowed */
        unsigned n_steps;
        enum curfew_whom widest; /* that one of its steps names */
        unsigned taken;          /* steps taken, the final SIGKILL included */
        int64_t linger;
        enum curfew_until until;
        enum stop_state state;
        int64_t due; /* when STOP_TIME is to come, or CLOCK_NEVER */

        int heard; /* a signal that the processes have got from elsewhere, or 0; and when */
        int64_t heard_at;
        bool is_heard; /* the step that was taken last is not for who has got its signal so */
};

/* The plan is as a command has it, ended by a step with signal 0 if there are fewer than
 * CURFEW_MAX_STEPS, and must live as long. */
void stop_init(
        struct stop *stop, const struct curfew_step *plan, enum curfew_until until, int64_t linger);

/* From its beginning on, the life of a run that somebody else has brought this far: `taken` steps,
 * the next one at `due`. The SIGKILL that ends the plan counts as not yet taken, since it can be
 * repeated. */
void stop_resume(struct stop *stop, unsigned taken, int64_t due);

/* The processes, or some of them, have got this signal from elsewhere. */
void stop_hear(struct stop *stop, int signal, int64_t at);

/* The step that was taken last was for nobody, so that nobody is to be given a grace. */
void stop_find_nobody(struct stop *stop, int64_t now);

/* Whether the next step is to ask those whom the plan doesn't name; and that there is nobody. */
bool stop_asks_rest(const struct stop *stop);
void stop_skip_rest(struct stop *stop);

/* Nothing is to be left alone. */
void stop_mean_all(struct stop *stop);

/* Whom it means in the end: what else is there is left alone. */
enum curfew_whom stop_reach(const struct stop *stop);

/* Whether it makes a difference that nobody is left whom the plan names. */
bool stop_awaits_named(const struct stop *stop);

/* What the steps take at most, as far as that is finite. */
int64_t stop_graces(const struct stop *stop);

/* What the event means now. For STOP_STEP the step is written to *ret_step: it is to be taken at
 * once, and its grace has begun. Later events of a run that has ended mean nothing. */
enum stop_action stop_handle(
        struct stop *stop, enum stop_event event, int64_t now, struct curfew_step *ret_step);

/* What an action that ends the run makes its end. */
enum curfew_end stop_end_of(const struct stop *stop, enum stop_action action);

static inline bool stop_is_asked(const struct stop *stop) {
        return stop->taken > 0;
}

/* Whether a signal ends a process by default, so that a stopped one has to be continued to hear it.
 */
bool stop_signal_terminates(int signal);
