// SPDX-License-Identifier: MIT
#include "run.h"
#include "base/clock.h"
#include "command.h"
#include "step.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

/*
 * The life of a run is decided in core/stop; this file tells it what happens and does what it says.
 *
 * What can happen comes from few places: the leader's pidfd, the run's one timer, a notice that
 * somebody has asked it to stop, the tree that thinks it has emptied, an output at its end. Each of
 * them notes what it knows and then calls advance(), which alone asks whether the end is met, takes
 * steps that are due, and sets the timer. A run may end in it, and if the caller has let go of the
 * run already it is freed in it: whoever calls advance() does so last.
 *
 * How the leader ended and why it was asked to end are kept apart, so the order of the two matters:
 * before a request counts, the pidfd is looked at. A leader that had exited by then was not asked,
 * whatever was noticed first.
 */

#define RECHECK (CURFEW_SEC / 10)

static void advance(struct curfew_run *run);

static int64_t since_start(const struct curfew_run *run) {
        return clock_now() - run->started;
}

/* Events */

static void push_event(struct curfew_run *run, enum curfew_event_type type) {
        if (run->freed)
                return;
        run->events[run->n_events++] = (uint8_t)type;
        if (!list_is_linked(&run->eventful))
                list_append(&run->sup->eventful, &run->eventful);
}

void run_pop_event(struct curfew_run *run, struct curfew_event *ret) {
        struct curfew_event event = { .type = run->events[run->next_event++], .run = run };

        if (event.type == CURFEW_EVENT_STEP)
                event.step = run->result->steps[run->next_step++];
        if (run->next_event == run->n_events)
                list_unlink(&run->eventful);
        *ret = event;
}

/* The end */

/* Detach from everything that could still call in. */
static void unhook(struct curfew_run *run) {
        watch_stop(&run->watch);
        loop_timer_set(&run->sup->loop, &run->timer, CLOCK_NEVER);
        tree_deinit(&run->tree);
}

static void note_exit(struct curfew_result *result, const struct child_exit *how) {
        result->status = how->status;
        result->code = how->code;
        result->core_dumped = how->core_dumped;
        result->usage = child_rusage(&how->usage);
        result->usage_known = how->usage_known;
}

/* A leader that SIGKILL doesn't end, stuck in the kernel, is reaped whenever it does end; till then
 * its run waits in the supervisor's list of lost ones. Another's child is not ours to reap. */
static bool release_leader(struct curfew_run *run) {
        struct child_exit how;

        if (!run->leader_gone)
                return !run->tree.leader_is_ours;
        /* Before Linux 5.17 only who reaps it hears of the end of all its threads, others of the
         * first one's. */
        if (!run->child.reaped && child_take(&run->child, &how) > 0 &&
                how.status != CURFEW_STATUS_UNKNOWN)
                note_exit(run->result, &how);
        return true;
}

static void end(struct curfew_run *run, enum stop_action action) {
        struct curfew_result *result = run->result;

        run->ended = true;
        result->started = run->started;
        result->end = stop_end_of(&run->stop, action);
        step_note_end(&run->tree, run->killed, result);
        step_forget_killed(&run->killed);

        unhook(run);
        streams_finish(run->streams, result);
        result->wall = since_start(run);

        list_unlink(&run->link);
        list_append(release_leader(run) ? &run->sup->ended : &run->sup->lost, &run->link);
        push_event(run, CURFEW_EVENT_END);
}

/* The decisions */

static void handle(struct curfew_run *run, enum stop_event event) {
        struct curfew_step step = { 0 };
        enum stop_action action;

        if ((event == STOP_TIME || event == STOP_SKIP) && stop_asks_rest(&run->stop) &&
                tree_has_only(&run->tree, run->stop.widest))
                stop_skip_rest(&run->stop);
        action = stop_handle(&run->stop, event, clock_now(), &step);

        switch (action) {
        case STOP_NOTHING:
        case STOP_LINGER: break;
        case STOP_STEP:
                run->result->started = run->started;
                step_take(&run->tree, &run->stop, &step, &run->killed, run->result);
                push_event(run, CURFEW_EVENT_STEP);
                break;
        case STOP_END_MET:
        case STOP_END_LINGER:
        case STOP_END_GIVEN_UP: end(run, action); break;
        }
}

static bool is_empty(struct curfew_run *run) {
        int r = tree_is_empty(&run->tree);

        run->tree_unwatchable = r < 0;
        return r > 0;
}

/* Once it has been asked to stop, a run ends in an empty tree, whatever the caller's choice; but
 * for one that is to leave alone whom its plan doesn't name. */
static bool is_met(struct curfew_run *run) {
        bool asked = stop_is_asked(&run->stop) && run->stop.state != STOP_LEAVING;

        if (!run->leader_gone)
                return false;
        if (run->stop.until == CURFEW_UNTIL_EMPTY)
                return is_empty(run);
        if (asked)
                return stop_reach(&run->stop) == CURFEW_TREE && is_empty(run);
        if (run->stop.until == CURFEW_UNTIL_OUTPUT)
                return streams_are_closed(run->streams);
        return true;
}

static bool is_named_gone(struct curfew_run *run) {
        return run->leader_gone && stop_awaits_named(&run->stop) &&
               (run->stop.widest == CURFEW_LEADER || tree_group_is_gone(&run->tree));
}

static void set_timer(struct curfew_run *run) {
        int64_t at = run->stop.due;

        if (!stop_is_asked(&run->stop))
                at = clock_min(at, curfew_ctx_deadline(run->watch.ctx));
        if (run->leader_unwatchable || run->tree_unwatchable || run->stop.state == STOP_KILLED ||
                (run->leader_gone && stop_awaits_named(&run->stop)))
                at = clock_min(at, clock_after(clock_now(), RECHECK));
        else if (run->leader_gone && stop_is_asked(&run->stop))
                at = clock_min(at, clock_after(clock_now(), tree_pause(&run->tree)));
        loop_timer_set(&run->sup->loop, &run->timer, at);
}

static void advance(struct curfew_run *run) {
        while (run->stop.state != STOP_ENDED) {
                if (is_named_gone(run))
                        handle(run, STOP_GONE);
                if (is_met(run)) {
                        handle(run, STOP_MET);
                } else if (run->stop.due <= clock_now()) {
                        if (run->stop.state == STOP_DRAINING)
                                run->result->reason = CURFEW_REASON_LEFTOVERS;
                        handle(run, STOP_TIME);
                } else {
                        set_timer(run);
                        return;
                }
        }
        if (run->freed)
                run_abandon(run);
}

/* A run ends only while its supervisor dispatches: who polls its descriptor would otherwise never
 * hear of it. So what a caller does from outside goes on with the next dispatch, which is due if
 * that could find anything to do, or there is an event to be told of. */
static void proceed(struct curfew_run *run) {
        int64_t now = clock_now();

        if (run->sup->dispatching)
                advance(run);
        else if (run->leader_gone || run->stop.due <= now || list_is_linked(&run->eventful))
                loop_timer_set(&run->sup->loop, &run->timer, now);
        else
                set_timer(run);
}

/* What happens */

/* See whether the leader has exited, and if so note how. */
static void look_at_leader(struct curfew_run *run) {
        struct curfew_result *result = run->result;
        struct child_exit how;

        if (run->leader_gone || tree_look_at_leader(&run->tree, &how) <= 0)
                return;

        run->leader_gone = true;
        run->leader_unwatchable = false;
        note_exit(result, &how);
        result->exited = since_start(run);

        loop_remove(&run->sup->loop, &run->exit_io);
        push_event(run, CURFEW_EVENT_EXIT);
        handle(run, STOP_LEADER);
}

/* A lost leader has ended after all: the run is what it was, but for the zombie. */
static void find_lost(struct curfew_run *run) {
        loop_remove(&run->sup->loop, &run->exit_io);
        if (child_reap(&run->child) < 0)
                return;

        run->leader_gone = true;
        list_unlink(&run->link);
        list_append(&run->sup->ended, &run->link);
        if (run->freed)
                run_free(run);
}

/* One that is traced by somebody else has exited, as its pidfd says, but its parent is not told
 * until the tracer has seen it (ptrace(2)). Its pidfd would be readable all that time. */
static void stop_watching_leader(struct curfew_run *run) {
        loop_remove(&run->sup->loop, &run->exit_io);
        run->leader_unwatchable = true;
}

static void on_exit_io(struct loop_io *io, uint32_t events _unused_) {
        struct curfew_run *run = container_of(io, struct curfew_run, exit_io);

        if (run_has_ended(run)) {
                find_lost(run);
                return;
        }
        look_at_leader(run);
        if (!run->leader_gone)
                stop_watching_leader(run);
        advance(run);
}

/* Begin the stop plan, unless it has begun or the run turns out to have ended. */
static void ask(struct curfew_run *run, enum curfew_reason reason) {
        struct curfew_cause cause = { 0 };

        if (stop_is_asked(&run->stop) || run_has_ended(run))
                return;

        tree_settle(&run->tree);
        look_at_leader(run);
        if (is_met(run)) {
                proceed(run);
                return;
        }

        if (reason == CURFEW_REASON_CANCELLED || reason == CURFEW_REASON_DEADLINE)
                curfew_ctx_cause(run->watch.ctx, &cause);
        run->result->reason = reason;
        run->result->cause.code = cause.code;
        run->result->cause.text = cause.text ? strdup(cause.text) : NULL;
        handle(run, STOP_ASK);
        proceed(run);
}

static enum curfew_reason reason_of(int err) {
        return err == -ETIMEDOUT ? CURFEW_REASON_DEADLINE : CURFEW_REASON_CANCELLED;
}

static void on_asked(struct notice *notice) {
        struct curfew_run *run = container_of(notice, struct curfew_run, asked);
        int err = watch_look(&run->watch);

        if (err < 0)
                ask(run, reason_of(err));
        else
                ask(run, run->tree.asked ? CURFEW_REASON_OUTSIDE : CURFEW_REASON_CALLER);
}

/* Who asks whoever keeps the tree asks nobody else of it, and so means all of it. */
static void note_asked_outside(struct curfew_run *run) {
        stop_mean_all(&run->stop);
        supervisor_queue(run->sup, &run->asked);
}

void run_ask_from_outside(struct curfew_run *run) {
        run->tree.asked = true;
        note_asked_outside(run);
}

/* From within a callback the run itself may be in the middle of something: it is done after that.
 */
void run_stop(struct curfew_run *run) {
        if (run->sup->dispatching)
                supervisor_queue(run->sup, &run->asked);
        else
                ask(run, CURFEW_REASON_CALLER);
}

void run_skip(struct curfew_run *run) {
        handle(run, STOP_SKIP);
        proceed(run);
}

void run_hear(struct curfew_run *run, int signal) {
        int64_t now = clock_now();

        if (tree_hear(&run->tree, signal, now))
                stop_hear(&run->stop, signal, now);
}

static void on_timer(struct loop_timer *timer) {
        struct curfew_run *run = container_of(timer, struct curfew_run, timer);
        int err = stop_is_asked(&run->stop) ? 0 : watch_look(&run->watch);

        if (run->leader_unwatchable)
                look_at_leader(run);
        if (run->stop.state == STOP_KILLED)
                step_kill_again(&run->tree, &run->stop);
        if (err < 0)
                ask(run, reason_of(err));
        else
                advance(run);
}

static void on_tree_changed(struct tree *tree) {
        struct curfew_run *run = container_of(tree, struct curfew_run, tree);

        look_at_leader(run);
        run->leader_unwatchable = !run->leader_gone && child_signal(&run->child, 0) == -ESRCH;
        if (tree->asked)
                note_asked_outside(run);
        advance(run);
}

static void on_output_closed(struct reader *reader) {
        struct curfew_run *run = reader->owner;

        if (run->stop.until == CURFEW_UNTIL_OUTPUT)
                advance(run);
}

/* Birth and death */

/* With the step that ends it. */
static size_t plan_size(const struct curfew_cmd *cmd) {
        size_t n = 0;

        while (n < CURFEW_MAX_STEPS && cmd->stop[n].signal != 0)
                ++n;
        return (n < CURFEW_MAX_STEPS ? n + 1 : n) * sizeof(cmd->stop[0]);
}

static void run_init(struct curfew_run *run, struct curfew *sup, const struct curfew_cmd *cmd) {
        *run = (struct curfew_run){
                .sup = sup,
                .data = cmd->data,
                .asked = { .fn = on_asked },
                .child = CHILD_NULL,
                .exit_io = { .fn = on_exit_io, .fd = -1 },
                .timer = { .fn = on_timer, .node = HEAP_NODE_NULL },
        };
        list_init(&run->link);
        list_init(&run->asked.link);
        list_init(&run->eventful);
        memcpy(run->plan, cmd->stop, plan_size(cmd));
        stop_init(&run->stop, run->plan, cmd->until, cmd->linger);
        tree_init(
                &run->tree, &sup->forest, &run->child, command_has_own_group(cmd), on_tree_changed);
}

int run_new(struct curfew *sup, struct curfew_ctx *ctx, const struct curfew_cmd *cmd,
        struct curfew_run **ret) {
        struct curfew_result *result;
        struct curfew_run *run;
        int r;

        run = malloc(sizeof(*run) + plan_size(cmd));
        if (!run)
                return -ENOMEM;

        r = loop_reserve(&sup->loop);
        if (r < 0) {
                free(run);
                return r;
        }

        result = results_take(&sup->results);
        if (!result) {
                loop_release(&sup->loop);
                free(run);
                return -ENOMEM;
        }

        run_init(run, sup, cmd);
        run->result = result;
        r = watch_init(&run->watch, sup, ctx, &run->asked);
        if (r == 0)
                r = streams_new(cmd, on_output_closed, run, &run->streams);
        if (r < 0) {
                run_free(run);
                return r;
        }

        *ret = run;
        return 0;
}

struct curfew_run *run_free(struct curfew_run *run) {
        if (!run)
                return NULL;

        unhook(run);
        step_forget_killed(&run->killed);
        loop_remove(&run->sup->loop, &run->exit_io);
        loop_release(&run->sup->loop);
        list_unlink(&run->eventful);
        list_unlink(&run->link);
        streams_free(run->streams);
        child_release(&run->child);
        watch_deinit(&run->watch);
        curfew_result_deinit(run->result);
        results_give(&run->sup->results, run->result);
        free(run);
        return NULL;
}

/* Nothing is known of what it may have started by now but that it is in its tree. */
static void end_unwatched(struct curfew_run *run) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;

        tree_kill(&run->tree, &list);
        tree_deinit(&run->tree);
        child_deinit(&run->child);
}

int run_begin(struct curfew_run *run, struct child *child, int64_t started) {
        int r = 0;

        if (run->tree.leader_is_ours)
                r = loop_add(&run->sup->loop, &run->exit_io, child->pidfd, EPOLLIN | EPOLLONESHOT);
        run->child = *child;
        *child = (struct child)CHILD_NULL;
        if (r < 0) {
                end_unwatched(run);
                return r;
        }

        run->started = started;
        list_append(&run->sup->live, &run->link);
        set_timer(run);
        return 0;
}

void run_abandon(struct curfew_run *run) {
        run->freed = true;
        list_unlink(&run->eventful);
        streams_stop_borrowing(run->streams);

        if (!run_has_ended(run))
                ask(run, CURFEW_REASON_CALLER);
        else if (run->leader_gone)
                run_free(run);
}
