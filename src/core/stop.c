// SPDX-License-Identifier: MIT
#include "core/stop.h"
#include "base/clock.h"

#include <assert.h>

/*
 * A run is in one of six states, five things can happen to it, and one table says what follows:
 *
 *                    ASK    SKIP   TIME            LEADER   MET
 *       RUNNING      step   -      -               linger   -
 *       LINGERING    step   -      end (linger)    -        end
 *       DRAINING     step   -      step            -        end
 *       ASKED        -      step   step            -        end
 *       KILLED       -      -      end (given up)  -        end
 *       ENDED        -      -      -               -        -
 *
 * That it always ends can be read off it. Every state but RUNNING and ENDED has a due time. ASKED
 * takes the next step of a finite plan at each, and after the last one comes SIGKILL to the tree,
 * which nobody has to write and nobody can leave out. DRAINING becomes ASKED at its due time,
 * KILLED and LINGERING end at theirs. So from the moment that the leader exits, or that somebody
 * asks, an end is scheduled, unless the caller wrote CURFEW_FOREVER.
 *
 * A signal that comes from elsewhere is no event: it asks for no end. But who has got it may be
 * busy with what the step of the same signal would ask for, and is left out of that one step. They
 * are given the time that the plan's author gives them for it, and CURFEW_GRACE where that is
 * shorter, since they don't know of the plan, or has no end, in which nothing else would ask them.
 * The step counts from when it is taken, as ever.
 *
 * That asking happens at most once can be read off the first column. That the leader's exit stops
 * no plan can be read off the fourth: the grace belongs to the tree, and only an empty tree (MET)
 * ends a run early once it has been asked.
 */

static const enum stop_action table[STOP_N_STATES][STOP_N_EVENTS] = {
        [STOP_RUNNING] = { [STOP_ASK] = STOP_STEP, [STOP_LEADER] = STOP_LINGER },
        [STOP_LINGERING] = { [STOP_ASK] = STOP_STEP,
                [STOP_TIME] = STOP_END_LINGER,
                [STOP_MET] = STOP_END_MET },
        [STOP_DRAINING] = { [STOP_ASK] = STOP_STEP,
                [STOP_TIME] = STOP_STEP,
                [STOP_MET] = STOP_END_MET },
        [STOP_ASKED] = { [STOP_SKIP] = STOP_STEP,
                [STOP_TIME] = STOP_STEP,
                [STOP_MET] = STOP_END_MET },
        [STOP_KILLED] = { [STOP_TIME] = STOP_END_GIVEN_UP, [STOP_MET] = STOP_END_MET },
        [STOP_ENDED] = { STOP_NOTHING },
};

/* A duration as callers write it: zero is the default, negative is none. */
static int64_t duration_or(int64_t duration, int64_t fallback) {
        if (duration == 0)
                return fallback;
        return duration < 0 ? 0 : duration;
}

void stop_init(struct stop *stop, const struct curfew_step *plan, enum curfew_until until,
        int64_t linger) {
        static const struct curfew_step default_plan = { .signal = SIGTERM };

        *stop = (struct stop){
                .plan = plan,
                .until = until,
                .linger = duration_or(linger, CURFEW_LINGER),
                .due = CLOCK_NEVER,
        };

        while (stop->n_steps < CURFEW_MAX_STEPS && plan[stop->n_steps].signal != 0)
                ++stop->n_steps;
        if (stop->n_steps > 0)
                return;
        stop->plan = &default_plan;
        stop->n_steps = 1;
}

/* The step that is next: of the plan, and after it the one that nobody writes. */
static struct curfew_step next_step(const struct stop *stop) {
        if (stop->taken < stop->n_steps)
                return stop->plan[stop->taken];
        return (struct curfew_step){ .signal = SIGKILL, .whom = CURFEW_TREE };
}

/* SIGKILL to the tree ends the plan, wherever in it it stands: nothing after it could add to it. */
static bool is_final(const struct curfew_step *step) {
        return step->signal == SIGKILL && step->whom == CURFEW_TREE;
}

void stop_hear(struct stop *stop, int signal, int64_t at) {
        stop->heard = signal;
        stop->heard_at = at;
}

static bool has_been_heard(const struct stop *stop, const struct curfew_step *step, int64_t now) {
        bool is_longer = step->grace > CURFEW_GRACE && step->grace < CURFEW_FOREVER;
        int64_t busy = is_longer ? step->grace : CURFEW_GRACE;

        return step->signal == stop->heard && now < clock_after(stop->heard_at, busy);
}

static void take_step(struct stop *stop, int64_t now, struct curfew_step *ret_step) {
        struct curfew_step step = next_step(stop);

        ++stop->taken;
        stop->is_heard = has_been_heard(stop, &step, now);
        if (stop->is_heard)
                stop->heard = 0;
        if (is_final(&step)) {
                stop->state = STOP_KILLED;
                stop->due = clock_after(now, STOP_GIVE_UP);
        } else {
                stop->state = STOP_ASKED;
                stop->due = clock_after(now, duration_or(step.grace, CURFEW_GRACE));
        }
        *ret_step = step;
}

void stop_resume(struct stop *stop, const struct curfew_step *plan, unsigned taken, int64_t due) {
        struct curfew_step last;

        stop_init(stop, plan, CURFEW_UNTIL_EMPTY, 0);
        if (taken == 0)
                return;

        stop->state = STOP_ASKED;
        stop->taken = taken - 1;
        last = next_step(stop);
        if (is_final(&last)) {
                stop->due = INT64_MIN;
        } else {
                stop->taken = taken;
                stop->due = due;
        }
}

enum stop_action stop_handle(
        struct stop *stop, enum stop_event event, int64_t now, struct curfew_step *ret_step) {
        enum stop_action action = table[stop->state][event];

        assert(event != STOP_TIME || now >= stop->due || stop->state == STOP_ENDED);

        switch (action) {
        case STOP_NOTHING: break;
        case STOP_LINGER:
                stop->state = stop->until == CURFEW_UNTIL_EMPTY ? STOP_DRAINING : STOP_LINGERING;
                stop->due = clock_after(now, stop->linger);
                break;
        case STOP_STEP: take_step(stop, now, ret_step); break;
        case STOP_END_MET:
        case STOP_END_LINGER:
        case STOP_END_GIVEN_UP:
                stop->state = STOP_ENDED;
                stop->due = CLOCK_NEVER;
                break;
        }
        return action;
}

enum curfew_end stop_end_of(const struct stop *stop, enum stop_action action) {
        static const enum curfew_end met[] = {
                [CURFEW_UNTIL_EMPTY] = CURFEW_END_EMPTY,
                [CURFEW_UNTIL_EXIT] = CURFEW_END_EXIT,
                [CURFEW_UNTIL_OUTPUT] = CURFEW_END_OUTPUT,
        };

        switch (action) {
        case STOP_END_LINGER: return CURFEW_END_LINGER;
        case STOP_END_GIVEN_UP: return CURFEW_END_GIVEN_UP;
        default: return stop_is_asked(stop) ? CURFEW_END_EMPTY : met[stop->until];
        }
}

bool stop_signal_terminates(int signal) {
        switch (signal) {
        case 0:
        case SIGCHLD:
        case SIGCONT:
        case SIGSTOP:
        case SIGTSTP:
        case SIGTTIN:
        case SIGTTOU:
        case SIGURG:
        case SIGWINCH: return false;
        default: return true;
        }
}
