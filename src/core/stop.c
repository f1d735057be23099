// SPDX-License-Identifier: MIT
#include "core/stop.h"
#include "base/clock.h"

#include <assert.h>

/*
 * A run is in one of seven states, six things can happen to it, and one table says what follows:
 *
 *                    ASK    SKIP   TIME            LEADER   MET    GONE
 *       RUNNING      step   -      -               linger   -      -
 *       LINGERING    step   -      end (linger)    -        end    -
 *       DRAINING     step   -      step            -        end    -
 *       ASKED        -      step   step            -        end    linger
 *       KILLED       -      -      end (given up)  -        end    linger
 *       LEAVING      -      -      end (linger)    -        end    -
 *       ENDED        -      -      -               -        -      -
 *
 * That it always ends can be read off it. Every state but RUNNING and ENDED has a due time. ASKED
 * takes the next step of a finite plan at each, and after the last one comes SIGKILL, which nobody
 * has to write and nobody can leave out. DRAINING becomes ASKED at its due time, KILLED, LINGERING
 * and LEAVING end at theirs. So from the moment that the leader exits, or that somebody asks, an
 * end is scheduled, unless the caller wrote CURFEW_FOREVER.
 *
 * Nobody is killed who has not been asked. A plan may name the leader alone, or the group. Where
 * there are others, and they are to end, too, one more step asks the whole tree before SIGKILL
 * does, as the last one of the plan has asked. For them it is as if the leader had exited by
 * itself: once nobody is left whom the plan names (GONE), they have the time to linger, or what is
 * left of the grace. Where what is left is to be left alone, the plan means whom it names, to the
 * end.
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
                [STOP_MET] = STOP_END_MET,
                [STOP_GONE] = STOP_LINGER },
        [STOP_KILLED] = { [STOP_TIME] = STOP_END_GIVEN_UP,
                [STOP_MET] = STOP_END_MET,
                [STOP_GONE] = STOP_LINGER },
        [STOP_LEAVING] = { [STOP_TIME] = STOP_END_LINGER, [STOP_MET] = STOP_END_MET },
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
                .widest = CURFEW_LEADER,
                .until = until,
                .linger = duration_or(linger, CURFEW_LINGER),
                .due = CLOCK_NEVER,
        };

        for (; stop->n_steps < CURFEW_MAX_STEPS && plan[stop->n_steps].signal != 0; ++stop->n_steps)
                if (plan[stop->n_steps].whom < stop->widest)
                        stop->widest = plan[stop->n_steps].whom;
        if (stop->n_steps > 0)
                return;
        stop->plan = &default_plan;
        stop->n_steps = 1;
        stop->widest = default_plan.whom;
}

enum curfew_whom stop_reach(const struct stop *stop) {
        return stop->until == CURFEW_UNTIL_EMPTY ? CURFEW_TREE : stop->widest;
}

/* Whether the plan leaves somebody unasked whom it means. */
static bool has_rest(const struct stop *stop) {
        return stop_reach(stop) != stop->widest;
}

/* Asks who has not been asked, as the others were. */
static struct curfew_step rest_step(const struct stop *stop) {
        struct curfew_step step = { .signal = SIGTERM };

        for (unsigned i = 0; i < stop->n_steps; ++i)
                if (stop->plan[i].signal != SIGKILL && stop_signal_terminates(stop->plan[i].signal))
                        step = stop->plan[i];
        step.whom = CURFEW_TREE;
        if (step.grace < 0)
                step.grace = CURFEW_GRACE;
        return step;
}

/* The steps of the plan, and after it those that nobody writes. */
static struct curfew_step step_at(const struct stop *stop, unsigned i) {
        if (i < stop->n_steps)
                return stop->plan[i];
        if (i == stop->n_steps && has_rest(stop))
                return rest_step(stop);
        return (struct curfew_step){ .signal = SIGKILL, .whom = stop_reach(stop) };
}

/* SIGKILL to the tree ends the plan, wherever in it it stands: nothing after it could add to it. */
static bool is_final(const struct stop *stop, unsigned i) {
        struct curfew_step step = step_at(stop, i);

        return step.signal == SIGKILL && (step.whom == CURFEW_TREE || i >= stop->n_steps);
}

static int64_t grace_of(const struct curfew_step *step) {
        return duration_or(step->grace, CURFEW_GRACE);
}

int64_t stop_graces(const struct stop *stop) {
        int64_t sum = 0;

        for (unsigned i = 0; !is_final(stop, i); ++i) {
                struct curfew_step step = step_at(stop, i);
                int64_t grace = grace_of(&step);

                sum = clock_after(sum, grace == CURFEW_FOREVER ? 0 : grace);
        }
        return sum;
}

bool stop_awaits_named(const struct stop *stop) {
        if (stop->widest == CURFEW_TREE || !stop_is_asked(stop))
                return false;
        return stop->state == STOP_KILLED
                       ? stop_reach(stop) != CURFEW_TREE
                       : stop->state == STOP_ASKED && stop->taken <= stop->n_steps;
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
        struct curfew_step step = step_at(stop, stop->taken);
        bool final = is_final(stop, stop->taken);

        ++stop->taken;
        stop->is_heard = has_been_heard(stop, &step, now);
        if (stop->is_heard)
                stop->heard = 0;
        stop->state = final ? STOP_KILLED : STOP_ASKED;
        stop->due = clock_after(now, final ? STOP_GIVE_UP : grace_of(&step));
        *ret_step = step;
}

/* If there is nobody in the whole tree, its end is about to be told. */
void stop_find_nobody(struct stop *stop, int64_t now) {
        if (stop->state == STOP_ASKED && step_at(stop, stop->taken - 1).whom != CURFEW_TREE)
                stop->due = now;
}

bool stop_asks_rest(const struct stop *stop) {
        return stop->state == STOP_ASKED && stop->taken == stop->n_steps && has_rest(stop);
}

void stop_skip_rest(struct stop *stop) {
        if (stop_asks_rest(stop))
                ++stop->taken;
}

/* Where the last signal has been sent already nobody else can be asked any more. */
void stop_mean_all(struct stop *stop) {
        if (stop->state == STOP_KILLED || stop->state == STOP_ENDED)
                return;
        stop->until = CURFEW_UNTIL_EMPTY;
        if (stop->state == STOP_LEAVING)
                stop->state = STOP_ASKED;
}

void stop_resume(struct stop *stop, unsigned taken, int64_t due) {
        if (taken == 0)
                return;

        stop->state = STOP_ASKED;
        stop->taken = is_final(stop, taken - 1) ? taken - 1 : taken;
        stop->due = stop->taken < taken ? INT64_MIN : due;
}

/* The leader has exited by itself, or nobody is left whom the plan names. */
static void begin_linger(struct stop *stop, int64_t now) {
        int64_t due = clock_after(now, stop->linger);

        if (stop->state == STOP_RUNNING)
                stop->state = stop->until == CURFEW_UNTIL_EMPTY ? STOP_DRAINING : STOP_LINGERING;
        else if (stop->until == CURFEW_UNTIL_EMPTY)
                due = clock_min(due, stop->due);
        else
                stop->state = STOP_LEAVING;
        stop->due = due;
}

enum stop_action stop_handle(
        struct stop *stop, enum stop_event event, int64_t now, struct curfew_step *ret_step) {
        bool unasked = event == STOP_GONE && !stop_awaits_named(stop);
        enum stop_action action = unasked ? STOP_NOTHING : table[stop->state][event];

        assert(event != STOP_TIME || now >= stop->due || stop->state == STOP_ENDED);

        switch (action) {
        case STOP_NOTHING: break;
        case STOP_LINGER: begin_linger(stop, now); break;
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
        default:
                if (stop_is_asked(stop) && stop_reach(stop) == CURFEW_TREE)
                        return CURFEW_END_EMPTY;
                return met[stop->until];
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
