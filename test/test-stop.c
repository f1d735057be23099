// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "core/stop.h"
#include "test.h"

/* Every sequence of events up to this length, from every plan below. */
#define DEPTH 7

static const struct curfew_step no_plan[CURFEW_MAX_STEPS] = { 0 };
static const struct curfew_step two_steps[CURFEW_MAX_STEPS] = {
        { .signal = SIGINT, .whom = CURFEW_LEADER, .grace = 5 * CURFEW_SEC },
        { .signal = SIGTERM, .whom = CURFEW_TREE, .grace = CURFEW_NO_GRACE },
};
static const struct curfew_step leader_alone[CURFEW_MAX_STEPS] = {
        { .signal = SIGINT, .whom = CURFEW_LEADER, .grace = 5 * CURFEW_SEC },
        { .signal = SIGUSR1, .whom = CURFEW_LEADER, .grace = CURFEW_NO_GRACE },
        { .signal = SIGCONT, .whom = CURFEW_LEADER, .grace = 3 },
        { .signal = SIGKILL, .whom = CURFEW_LEADER, .grace = 7 },
};
static const struct curfew_step group_alone[CURFEW_MAX_STEPS] = {
        { .signal = SIGHUP, .whom = CURFEW_LEADER, .grace = 3 },
        { .signal = SIGINT, .whom = CURFEW_GROUP, .grace = 5 * CURFEW_SEC },
};
static const struct curfew_step kill_at_once[CURFEW_MAX_STEPS] = { { .signal = SIGKILL } };

static enum stop_action due(struct stop *stop, struct curfew_step *ret_step) {
        return stop_handle(stop, STOP_TIME, stop->due, ret_step);
}

static void test_default_plan(void) {
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, no_plan, CURFEW_UNTIL_OUTPUT, 0);
        assert_eq(stop.due, CLOCK_NEVER);
        assert_eq(stop_handle(&stop, STOP_ASK, 1000, &step), STOP_STEP);
        assert_eq(step.signal, SIGTERM);
        assert_eq(step.whom, CURFEW_TREE);
        assert_eq(stop.due, 1000 + CURFEW_GRACE);

        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGKILL);
        assert_eq(step.whom, CURFEW_TREE);
        assert_eq(due(&stop, &step), STOP_END_GIVEN_UP);
}

static void test_steps_in_order(void) {
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, two_steps, CURFEW_UNTIL_OUTPUT, 0);
        assert_eq(stop_handle(&stop, STOP_ASK, 0, &step), STOP_STEP);
        assert_eq(step.signal, SIGINT);
        assert_eq(step.whom, CURFEW_LEADER);
        assert_eq(stop.due, 5 * CURFEW_SEC);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGTERM);
        assert_eq(stop.due, 5 * CURFEW_SEC);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGKILL);
}

static void test_kill_in_plan_is_final(void) {
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, kill_at_once, CURFEW_UNTIL_OUTPUT, 0);
        assert_eq(stop_handle(&stop, STOP_ASK, 0, &step), STOP_STEP);
        assert_eq(step.signal, SIGKILL);
        assert_eq(stop.state, STOP_KILLED);
        assert_eq(due(&stop, &step), STOP_END_GIVEN_UP);
}

/* A full plan has no step with signal 0 behind it, and SIGKILL comes all the same. */
static void test_full_plan(void) {
        struct curfew_step plan[CURFEW_MAX_STEPS], step = { 0 };
        struct stop stop;

        for (size_t i = 0; i < CURFEW_MAX_STEPS; ++i)
                plan[i] = (struct curfew_step){ .signal = SIGUSR1, .grace = 1 };
        stop_init(&stop, plan, CURFEW_UNTIL_OUTPUT, 0);
        assert_eq(stop_handle(&stop, STOP_ASK, 0, &step), STOP_STEP);
        for (size_t i = 1; i < CURFEW_MAX_STEPS; ++i) {
                assert_eq(due(&stop, &step), STOP_STEP);
                assert_eq(step.signal, SIGUSR1);
        }
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGKILL);
        assert_eq(stop.taken, CURFEW_MAX_STEPS + 1);
}

static void test_endless_only_if_written(void) {
        const struct curfew_step endless[CURFEW_MAX_STEPS] = {
                { .signal = SIGTERM, .grace = CURFEW_FOREVER },
        };
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, endless, CURFEW_UNTIL_OUTPUT, CURFEW_FOREVER);
        assert_eq(stop_handle(&stop, STOP_ASK, 5, &step), STOP_STEP);
        assert_eq(stop.due, CLOCK_NEVER);
        assert_eq(stop_handle(&stop, STOP_SKIP, 5, &step), STOP_STEP);
        assert_eq(step.signal, SIGKILL);
}

static void test_linger(void) {
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, no_plan, CURFEW_UNTIL_OUTPUT, 0);
        assert_eq(stop_handle(&stop, STOP_LEADER, 10, &step), STOP_LINGER);
        assert_eq(stop.due, 10 + CURFEW_LINGER);
        assert_eq(due(&stop, &step), STOP_END_LINGER);

        stop_init(&stop, no_plan, CURFEW_UNTIL_OUTPUT, CURFEW_NO_LINGER);
        assert_eq(stop_handle(&stop, STOP_LEADER, 10, &step), STOP_LINGER);
        assert_eq(stop.due, 10);

        stop_init(&stop, no_plan, CURFEW_UNTIL_OUTPUT, 3);
        assert_eq(stop_handle(&stop, STOP_LEADER, 10, &step), STOP_LINGER);
        assert_eq(stop_handle(&stop, STOP_ASK, 11, &step), STOP_STEP);
        assert_eq(step.signal, SIGTERM);
}

/* A run that is to end empty stops what its leader has left. */
static void test_leftovers(void) {
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, two_steps, CURFEW_UNTIL_EMPTY, 3);
        assert_eq(stop_handle(&stop, STOP_LEADER, 10, &step), STOP_LINGER);
        assert_eq(stop.due, 13);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGINT);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(stop_handle(&stop, STOP_MET, 6 * CURFEW_SEC, &step), STOP_END_MET);
        assert_eq(stop_end_of(&stop, STOP_END_MET), CURFEW_END_EMPTY);

        stop_init(&stop, no_plan, CURFEW_UNTIL_EMPTY, CURFEW_FOREVER);
        assert_eq(stop_handle(&stop, STOP_LEADER, 10, &step), STOP_LINGER);
        assert_eq(stop.due, CLOCK_NEVER);
}

static void resume(struct stop *stop, const struct curfew_step *plan, unsigned taken, int64_t due) {
        stop_init(stop, plan, CURFEW_UNTIL_EMPTY, 0);
        stop_resume(stop, taken, due);
}

/* A keeper goes on where a host that was killed left off. */
static void test_resume(void) {
        struct curfew_step step = { 0 };
        struct stop stop;

        resume(&stop, two_steps, 0, CLOCK_NEVER);
        assert_eq(stop.state, STOP_RUNNING);
        assert_eq(stop_handle(&stop, STOP_ASK, 0, &step), STOP_STEP);
        assert_eq(step.signal, SIGINT);

        resume(&stop, two_steps, 1, 7);
        assert_eq(stop.due, 7);
        assert_eq(stop_handle(&stop, STOP_ASK, 0, &step), STOP_NOTHING);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGTERM);

        resume(&stop, two_steps, 3, 7);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGKILL);
        assert_eq(stop.state, STOP_KILLED);

        resume(&stop, kill_at_once, 1, 7);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGKILL);
}

/* A signal that has come from elsewhere asks for nothing, but counts for one step with it, while
 * who has got it may be busy. */
static void test_heard(void) {
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, two_steps, CURFEW_UNTIL_OUTPUT, 0);
        stop_hear(&stop, SIGINT, 100);
        assert_eq(stop.state, STOP_RUNNING);
        assert_eq(stop.due, CLOCK_NEVER);
        assert_eq(stop_handle(&stop, STOP_ASK, 200, &step), STOP_STEP);
        assert_eq(step.signal, SIGINT);
        assert_true(stop.is_heard);
        assert_eq(stop.due, 200 + 5 * CURFEW_SEC);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_false(stop.is_heard);

        /* It is another one's. */
        stop_init(&stop, two_steps, CURFEW_UNTIL_OUTPUT, 0);
        stop_hear(&stop, SIGTERM, 100);
        stop_handle(&stop, STOP_ASK, 200, &step);
        assert_false(stop.is_heard);
        stop_handle(&stop, STOP_SKIP, 300, &step);
        assert_eq(step.signal, SIGTERM);
        assert_true(stop.is_heard);
        stop_handle(&stop, STOP_SKIP, 400, &step);
        assert_eq(step.signal, SIGKILL);
        assert_false(stop.is_heard);

        /* A keeper doesn't know more of it than its host did. */
        resume(&stop, two_steps, 0, CLOCK_NEVER);
        stop_hear(&stop, SIGINT, 100);
        stop_handle(&stop, STOP_ASK, 200, &step);
        assert_true(stop.is_heard);
}

static bool is_heard_after(int64_t grace, int64_t time) {
        const struct curfew_step plan[CURFEW_MAX_STEPS] = { { .signal = SIGINT, .grace = grace } };
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, plan, CURFEW_UNTIL_OUTPUT, 0);
        stop_hear(&stop, SIGINT, 5);
        stop_handle(&stop, STOP_ASK, 5 + time, &step);
        return stop.is_heard;
}

static void test_heard_for_how_long(void) {
        static const int64_t short_graces[] = { CURFEW_NO_GRACE, 0, 1, CURFEW_GRACE,
                CURFEW_FOREVER };

        for (size_t i = 0; i < ARRAY_SIZE(short_graces); ++i) {
                assert_true(is_heard_after(short_graces[i], CURFEW_GRACE - 1));
                assert_false(is_heard_after(short_graces[i], CURFEW_GRACE));
        }
        assert_true(is_heard_after(CURFEW_HOUR, CURFEW_HOUR - 1));
        assert_false(is_heard_after(CURFEW_HOUR, CURFEW_HOUR));
}

/* The same signal twice in a plan: it counts for the first alone, however soon the second comes. */
static void test_heard_once(void) {
        const struct curfew_step plan[CURFEW_MAX_STEPS] = { { .signal = SIGINT, .grace = 1 },
                { .signal = SIGINT } };
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, plan, CURFEW_UNTIL_OUTPUT, 0);
        stop_hear(&stop, SIGINT, 100);
        stop_handle(&stop, STOP_ASK, 100, &step);
        assert_true(stop.is_heard);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGINT);
        assert_false(stop.is_heard);
}

/* The leader's exit cuts nothing short, an empty tree does. */
static void test_grace_belongs_to_the_tree(void) {
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, two_steps, CURFEW_UNTIL_OUTPUT, 0);
        stop_handle(&stop, STOP_ASK, 0, &step);
        assert_eq(stop_handle(&stop, STOP_LEADER, 1, &step), STOP_NOTHING);
        assert_eq(stop.due, 5 * CURFEW_SEC);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGTERM);
        assert_eq(stop_handle(&stop, STOP_MET, 6 * CURFEW_SEC, &step), STOP_END_MET);
}

static void take_all(struct stop *stop, const struct curfew_step *plan, enum curfew_until until) {
        struct curfew_step step = { 0 };

        stop_init(stop, plan, until, 0);
        assert_eq(stop_handle(stop, STOP_ASK, 0, &step), STOP_STEP);
        while (stop->taken < stop->n_steps)
                assert_eq(due(stop, &step), STOP_STEP);
}

/* Whom no step names is asked, too, before SIGKILL, as the last step that asks has asked. */
static void test_the_rest_is_asked(void) {
        static const struct curfew_step kill[CURFEW_MAX_STEPS] = {
                { .signal = SIGKILL, .whom = CURFEW_LEADER, .grace = 3 },
        };
        struct curfew_step step = { 0 };
        struct stop stop;
        int64_t before;

        take_all(&stop, group_alone, CURFEW_UNTIL_EMPTY);
        before = stop.due;
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGINT);
        assert_eq(step.whom, CURFEW_TREE);
        assert_eq(stop.due - before, 5 * CURFEW_SEC);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGKILL);
        assert_eq(step.whom, CURFEW_TREE);
        assert_eq(stop.state, STOP_KILLED);

        /* None is not the grace of somebody who has not had one. */
        take_all(&stop, leader_alone, CURFEW_UNTIL_EMPTY);
        before = stop.due;
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGUSR1);
        assert_eq(step.whom, CURFEW_TREE);
        assert_eq(stop.due - before, CURFEW_GRACE);

        /* There may be nobody else. */
        take_all(&stop, group_alone, CURFEW_UNTIL_EMPTY);
        assert_true(stop_asks_rest(&stop));
        stop_skip_rest(&stop);
        assert_false(stop_asks_rest(&stop));
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGKILL);
        assert_eq(stop.state, STOP_KILLED);

        take_all(&stop, kill, CURFEW_UNTIL_EMPTY);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGTERM);
        assert_eq(stop.due, 3 + CURFEW_GRACE);
}

/* Whom the plan doesn't name has the time to linger, once the others are gone; and no more than the
 * grace that is left. */
static void test_named_are_gone(void) {
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, leader_alone, CURFEW_UNTIL_EMPTY, 0);
        assert_false(stop_awaits_named(&stop));
        assert_eq(stop_handle(&stop, STOP_ASK, 0, &step), STOP_STEP);
        assert_true(stop_awaits_named(&stop));
        assert_eq(stop_handle(&stop, STOP_GONE, 10, &step), STOP_LINGER);
        assert_eq(stop.due, 10 + CURFEW_LINGER);
        assert_eq(stop_handle(&stop, STOP_GONE, 20, &step), STOP_LINGER);
        assert_eq(stop.due, 10 + CURFEW_LINGER);

        /* The grace of the others is theirs. */
        take_all(&stop, leader_alone, CURFEW_UNTIL_EMPTY);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_false(stop_awaits_named(&stop));
        assert_eq(stop_handle(&stop, STOP_GONE, 10, &step), STOP_NOTHING);

        stop_init(&stop, two_steps, CURFEW_UNTIL_EXIT, 0);
        stop_handle(&stop, STOP_ASK, 0, &step);
        assert_false(stop_awaits_named(&stop));
}

/* A step to the leader or the group that finds nobody there gives nobody time. */
static void test_nobody_is_waited_for(void) {
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, two_steps, CURFEW_UNTIL_EMPTY, 0);
        stop_handle(&stop, STOP_ASK, 10, &step);
        stop_find_nobody(&stop, 20);
        assert_eq(stop.due, 20);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.whom, CURFEW_TREE);

        stop_init(&stop, no_plan, CURFEW_UNTIL_EMPTY, 0);
        stop_handle(&stop, STOP_ASK, 10, &step);
        stop_find_nobody(&stop, 20);
        assert_eq(stop.due, 10 + CURFEW_GRACE);
}

/* What is to be left alone is, if the plan doesn't name it: then SIGKILL doesn't mean it, either.
 */
static void test_the_rest_is_left(void) {
        struct curfew_step step = { 0 };
        struct stop stop;

        stop_init(&stop, leader_alone, CURFEW_UNTIL_EXIT, 0);
        assert_eq(stop_handle(&stop, STOP_ASK, 0, &step), STOP_STEP);
        assert_eq(stop_handle(&stop, STOP_GONE, 10, &step), STOP_LINGER);
        assert_eq(stop.state, STOP_LEAVING);
        assert_eq(stop_handle(&stop, STOP_ASK, 11, &step), STOP_NOTHING);
        assert_eq(stop_handle(&stop, STOP_MET, 12, &step), STOP_END_MET);
        assert_eq(stop_end_of(&stop, STOP_END_MET), CURFEW_END_EXIT);

        take_all(&stop, group_alone, CURFEW_UNTIL_OUTPUT);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGKILL);
        assert_eq(step.whom, CURFEW_GROUP);
        assert_eq(stop.state, STOP_KILLED);
        assert_eq(stop_handle(&stop, STOP_GONE, 10, &step), STOP_LINGER);
        assert_eq(stop.due, 10 + CURFEW_LINGER);
        assert_eq(due(&stop, &step), STOP_END_LINGER);
        assert_eq(stop_end_of(&stop, STOP_END_LINGER), CURFEW_END_LINGER);

        take_all(&stop, two_steps, CURFEW_UNTIL_EXIT);
        assert_eq(due(&stop, &step), STOP_STEP);
        assert_eq(step.signal, SIGKILL);
        assert_eq(step.whom, CURFEW_TREE);
        assert_eq(stop_handle(&stop, STOP_MET, stop.due, &step), STOP_END_MET);
        assert_eq(stop_end_of(&stop, STOP_END_MET), CURFEW_END_EMPTY);
}

static int64_t graces(const struct curfew_step *plan, enum curfew_until until) {
        struct stop stop;

        stop_init(&stop, plan, until, 0);
        return stop_graces(&stop);
}

static void test_graces(void) {
        assert_eq(graces(no_plan, CURFEW_UNTIL_EMPTY), CURFEW_GRACE);
        assert_eq(graces(two_steps, CURFEW_UNTIL_EMPTY), 5 * CURFEW_SEC);
        assert_eq(graces(kill_at_once, CURFEW_UNTIL_EMPTY), 0);
        assert_eq(graces(group_alone, CURFEW_UNTIL_EXIT), 5 * CURFEW_SEC + 3);
        assert_eq(graces(group_alone, CURFEW_UNTIL_EMPTY), 10 * CURFEW_SEC + 3);
}

/* What must hold after any event, whatever came before it. */
static void check_invariants(const struct stop *stop, unsigned taken_before, unsigned n_steps) {
        bool has_rest = stop->until == CURFEW_UNTIL_EMPTY && stop->widest != CURFEW_TREE;

        n_steps += has_rest;
        assert_le(stop->taken, n_steps + 1);
        assert_ge(stop->taken, taken_before);
        assert_le(stop->taken, taken_before + 1);
        if (stop->state == STOP_ENDED || stop->state == STOP_RUNNING)
                assert_eq(stop->due, CLOCK_NEVER);
        else
                assert_ne(stop->due, CLOCK_NEVER);
        if (stop->taken == n_steps + 1)
                assert_true(stop->state == STOP_KILLED || stop->state == STOP_LEAVING ||
                            stop->state == STOP_ENDED);
}

/* From any state, nothing but the passing of time ends a run that has been asked. */
static void check_ends(struct stop stop, unsigned n_steps) {
        struct curfew_step step = { 0 };

        if (stop.state == STOP_RUNNING)
                stop_handle(&stop, STOP_ASK, 0, &step);
        for (unsigned i = 0; i < n_steps + 3 && stop.state != STOP_ENDED; ++i)
                due(&stop, &step);
        assert_eq(stop.state, STOP_ENDED);
}

static unsigned long walk(struct stop stop, int64_t now, unsigned depth) {
        unsigned long n = 1;

        check_ends(stop, stop.n_steps);
        if (depth == 0)
                return n;

        for (enum stop_event event = 0; event < STOP_N_EVENTS; ++event) {
                struct stop next = stop;
                struct curfew_step step = { 0 };
                enum stop_action action;
                int64_t at = now;

                if (event == STOP_TIME) {
                        if (stop.due == CLOCK_NEVER)
                                continue;
                        at = stop.due;
                }
                action = stop_handle(&next, event, at, &step);
                check_invariants(&next, stop.taken, stop.n_steps);
                assert_eq(action == STOP_STEP, next.taken == stop.taken + 1);
                assert_eq(action >= STOP_END_MET,
                        stop.state != STOP_ENDED && next.state == STOP_ENDED);
                if (event == STOP_ASK && stop_is_asked(&stop))
                        assert_eq(action, STOP_NOTHING);
                n += walk(next, at, depth - 1);
        }
        return n;
}

static void test_every_sequence(void) {
        const struct curfew_step *const plans[] = { no_plan, two_steps, kill_at_once, leader_alone,
                group_alone };

        for (size_t i = 0; i < ARRAY_SIZE(plans); ++i) {
                struct stop stop;

                for (enum curfew_until until = 0; until <= CURFEW_UNTIL_OUTPUT; ++until) {
                        stop_init(&stop, plans[i], until, 0);
                        assert_gt(walk(stop, 0, DEPTH), 1000);
                }
        }
}

static void test_terminating_signals(void) {
        static const int harmless[] = { 0, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU,
                SIGURG, SIGWINCH };

        for (int signal = 0; signal <= SIGRTMAX; ++signal) {
                bool expect = true;

                for (size_t i = 0; i < ARRAY_SIZE(harmless); ++i)
                        if (harmless[i] == signal)
                                expect = false;
                assert_eq(stop_signal_terminates(signal), expect);
        }
}

int main(void) {
        test_default_plan();
        test_steps_in_order();
        test_kill_in_plan_is_final();
        test_full_plan();
        test_endless_only_if_written();
        test_linger();
        test_leftovers();
        test_resume();
        test_heard();
        test_heard_for_how_long();
        test_heard_once();
        test_grace_belongs_to_the_tree();
        test_the_rest_is_asked();
        test_named_are_gone();
        test_nobody_is_waited_for();
        test_the_rest_is_left();
        test_graces();
        test_every_sequence();
        test_terminating_signals();
        return 0;
}
