// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "command.h"
#include "run.h"

/*
 * A start is a sequence of stages. Up to the spawn all is preparation and each stage gives back
 * what it took; the spawn either executes the program or leaves nothing; and what comes after it is
 * one epoll_ctl(2), whose failure ends the process again before anybody has heard of it.
 */

static void run_freep(struct curfew_run **run) {
        run_free(*run);
}

/* How long the caller waits for the child. */
struct wish {
        struct watch *watch;
        const struct curfew_cmd *cmd;
};

static int ask(void *arg) {
        const struct wish *wish = arg;
        int r = watch_look(wish->watch);

        if (r == 0 && wish->cmd->give_up && wish->cmd->give_up(wish->cmd->data) != 0)
                r = -ECANCELED;
        return r;
}

static int execute(struct curfew_run *run, struct command *command, enum curfew_stage *stage) {
        _cleanup_(child_deinit) struct child child = CHILD_NULL;
        struct wish wish = { &run->watch, command->cmd };
        const struct patience patience = { ask, &wish };
        struct spawn_plan plan = command_plan(command);
        int64_t started;
        int r;

        plan.patience = &patience;

        *stage = CURFEW_STAGE_SUPERVISE;
        r = streams_attach(run->streams, &run->sup->loop, command->cmd, command->own_ends);
        if (r < 0)
                return r;

        started = clock_now();
        r = tree_start(&run->tree, &plan, stage, &child);
        if (r < 0)
                return r;

        *stage = CURFEW_STAGE_SUPERVISE;
        return run_begin(run, &child, started);
}

/* Whose group it joins must not be stopped as one any more. */
static void note_joined(struct curfew *sup, pid_t pgid) {
        if (pgid <= 0)
                return;
        list_for_each (i, &sup->live) {
                struct curfew_run *run = list_entry(i, struct curfew_run, link);

                if (run->child.pid == pgid)
                        tree_share_group(&run->tree);
        }
}

static int start(struct curfew *sup, struct curfew_ctx *ctx, const struct curfew_cmd *cmd,
        enum curfew_stage *stage, struct curfew_run **ret) {
        _cleanup_(command_deinit) struct command command = COMMAND_NULL;
        _cleanup_(run_freep) struct curfew_run *run = NULL;
        int r;

        *stage = CURFEW_STAGE_CONTEXT;
        r = curfew_ctx_err(ctx);
        if (r < 0)
                return r;

        r = command_prepare(&command, cmd, curfew_ctx_deadline(ctx), &sup->null, stage);
        if (r < 0)
                return r;

        *stage = CURFEW_STAGE_SUPERVISE;
        r = run_new(sup, ctx, cmd, &run);
        if (r < 0)
                return r;

        note_joined(sup, cmd->pgid);
        r = execute(run, &command, stage);
        if (r < 0)
                return r;

        *ret = steal_ptr(run);
        return 0;
}

_public_ int curfew_start(struct curfew *sup, struct curfew_ctx *ctx, const struct curfew_cmd *cmd,
        enum curfew_stage *ret_stage, struct curfew_run **ret) {
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        int r = start(sup, ctx, cmd, &stage, ret);

        if (r < 0 && ret_stage)
                *ret_stage = stage;
        return r;
}
