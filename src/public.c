// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "curfew.h"
#include "run.h"
#include "step.h"
#include "supervisor.h"

/* The public calls of supervisors and runs, each a few lines over supervisor.c and run.c, and
 * curfew_run(), which needs nothing that its callers don't have. */

/* Somebody has asked the guard of all control groups. */
static void on_asked(struct forest *forest) {
        struct curfew *sup = container_of(forest, struct curfew, forest);

        list_for_each (i, &sup->live)
                run_ask_from_outside(list_entry(i, struct curfew_run, link));
}

_public_ int curfew_new(struct curfew **ret) {
        _cleanup_(freep) struct curfew *sup = NULL;
        int r;

        sup = malloc(sizeof(*sup));
        if (!sup)
                return -ENOMEM;

        r = supervisor_init(sup, on_asked);
        if (r < 0)
                return r;

        *ret = steal_ptr(sup);
        return 0;
}

/* Ask all of them at the same time. One that is asked may take others to their end, through a
 * callback of the caller's. */
static void abandon_all(struct curfew *sup) {
        struct list todo = LIST_INIT(todo);
        struct list *first;

        list_splice(&todo, &sup->live);
        while ((first = list_first(&todo))) {
                list_unlink(first);
                list_append(&sup->live, first);
                run_abandon(list_entry(first, struct curfew_run, link));
        }
}

_public_ struct curfew *curfew_free(struct curfew *sup) {
        struct list *first;

        if (!sup)
                return NULL;

        abandon_all(sup);
        while (!list_is_empty(&sup->live))
                supervisor_dispatch(sup, CLOCK_NEVER);

        while ((first = list_first(&sup->ended)) || (first = list_first(&sup->lost)))
                run_free(list_entry(first, struct curfew_run, link));

        supervisor_deinit(sup);
        free(sup);
        return NULL;
}

_public_ int curfew_fd(const struct curfew *sup) {
        return sup->loop.epoll;
}

_public_ int curfew_dispatch(struct curfew *sup) {
        int r = supervisor_dispatch(sup, INT64_MIN);

        return r < 0 ? r : 0;
}

_public_ int curfew_next_event(struct curfew *sup, struct curfew_event *ret) {
        struct list *first = list_first(&sup->eventful);

        if (!first)
                return 0;
        run_pop_event(list_entry(first, struct curfew_run, eventful), ret);
        return 1;
}

static bool is_past(int64_t deadline) {
        return deadline != CLOCK_NEVER && clock_now() >= deadline;
}

_public_ int curfew_wait(struct curfew *sup, int64_t timeout) {
        int64_t deadline = clock_after(clock_now(), timeout);
        bool queued = !list_is_empty(&sup->eventful);
        int r;

        do {
                r = supervisor_dispatch(sup, queued ? INT64_MIN : deadline);
                queued = queued || !list_is_empty(&sup->eventful);
        } while (r == 0 && !queued && !is_past(deadline));

        if (r < 0)
                return r;
        return r > 0 || queued ? 0 : -ETIMEDOUT;
}

_public_ int curfew_run_wait(struct curfew_run *run, int64_t timeout) {
        int64_t deadline = clock_after(clock_now(), timeout);

        while (!run_has_ended(run)) {
                int r = supervisor_dispatch(run->sup, deadline);

                if (r < 0)
                        return r;
                if (is_past(deadline))
                        return run_has_ended(run) ? 0 : -ETIMEDOUT;
        }
        return 0;
}

_public_ struct curfew_run *curfew_run_free(struct curfew_run *run) {
        if (run)
                run_abandon(run);
        return NULL;
}

_public_ pid_t curfew_run_pid(const struct curfew_run *run) {
        return run->child.pid;
}

_public_ int curfew_run_pidfd(const struct curfew_run *run) {
        return run_has_ended(run) ? -ESRCH : run->child.pidfd;
}

_public_ int64_t curfew_run_started(const struct curfew_run *run) {
        return run->started;
}

_public_ void *curfew_run_data(const struct curfew_run *run) {
        return run->data;
}

_public_ int curfew_run_take_fd(struct curfew_run *run, int fd) {
        return streams_take_pipe(run->streams, fd);
}

_public_ int curfew_run_signal(struct curfew_run *run, enum curfew_whom whom, int signal) {
        if (signal < 0 || signal > SIGRTMAX || whom > CURFEW_LEADER)
                return -EINVAL;
        if (run_has_ended(run) || (whom == CURFEW_LEADER && run->leader_gone))
                return -ESRCH;
        return step_send(&run->tree, whom, signal);
}

_public_ int curfew_run_note_signal(struct curfew_run *run, int signal) {
        if (signal <= 0 || signal > SIGRTMAX || signal == SIGKILL)
                return -EINVAL;
        if (run_has_ended(run))
                return -ESRCH;
        run_hear(run, signal);
        return 0;
}

_public_ int curfew_run_note_listener(struct curfew_run *run, pid_t listener) {
        if (run_has_ended(run))
                return -ESRCH;
        tree_listen(&run->tree, listener);
        return 0;
}

_public_ int curfew_run_processes(struct curfew_run *run, struct curfew_process ret[], size_t n) {
        return run_has_ended(run) ? -ESRCH : step_list(&run->tree, ret, n);
}

_public_ void curfew_run_stop(struct curfew_run *run) {
        run_stop(run);
}

_public_ void curfew_run_skip(struct curfew_run *run) {
        run_skip(run);
}

_public_ const struct curfew_result *curfew_run_result(const struct curfew_run *run) {
        return run_has_ended(run) ? run->result : NULL;
}

_public_ void curfew_result_deinit(struct curfew_result *result) {
        free((char *)result->cause.text);
        capture_free(result->out.data, result->out.size);
        capture_free(result->err.data, result->err.size);
        *result = (struct curfew_result){ 0 };
}

static void supervisor_freep(struct curfew **sup) {
        curfew_free(*sup);
}

/* Run in a supervisor made for it. What was captured moves to the caller. */
static int run_to_end(struct curfew_ctx *ctx, const struct curfew_cmd *cmd,
        enum curfew_stage *stage, struct curfew_result *ret) {
        _cleanup_(supervisor_freep) struct curfew *sup = NULL;
        struct curfew_run *run;
        int r;

        *stage = CURFEW_STAGE_COMMAND;
        if (cmd && (cmd->in.kind == CURFEW_PIPE || cmd->out.kind == CURFEW_PIPE ||
                           cmd->err.kind == CURFEW_PIPE))
                return -EINVAL;

        *stage = CURFEW_STAGE_SUPERVISE;
        r = curfew_new(&sup);
        if (r < 0)
                return r;
        r = curfew_start(sup, ctx, cmd, stage, &run);
        if (r < 0)
                return r;
        r = curfew_run_wait(run, CURFEW_FOREVER);
        if (r < 0)
                return r;

        *ret = *run->result;
        *run->result = (struct curfew_result){ .end = ret->end };
        return 0;
}

_public_ int curfew_run(
        struct curfew_ctx *ctx, const struct curfew_cmd *cmd, struct curfew_result *ret) {
        struct curfew_result result = { 0 };
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        int r = run_to_end(ctx, cmd, &stage, &result);

        if (r < 0)
                result = (struct curfew_result){ .stage = stage, .error = r };
        *ret = result;
        return r;
}
