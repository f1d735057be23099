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

/* The supervisor's ends of the pipes. */
static int attach_streams(struct curfew_run *run, struct command *command) {
        const struct curfew_cmd *cmd = command->cmd;
        const struct curfew_stream *streams[] = { &cmd->in, &cmd->out, &cmd->err };
        struct loop *loop = &run->sup->loop;

        for (int i = 0; i < 3; ++i) {
                int *own = &command->own_ends[i];
                int r = 0;

                if (streams[i]->kind == CURFEW_PIPE)
                        run->pipes[i] = *own;
                else if (stream_is_read(streams[i]))
                        r = reader_attach(&run->readers[i - 1], loop, *own);
                else if (streams[i]->kind == CURFEW_FEED)
                        r = feeder_attach(
                                &run->feeder, loop, *own, streams[i]->data, streams[i]->size);

                if (r < 0)
                        return r;
                *own = -1;
        }
        return 0;
}

static int execute(struct curfew_run *run, struct command *command, enum curfew_stage *stage) {
        _cleanup_(child_deinit) struct child child = CHILD_NULL;
        struct spawn_plan plan = command_plan(command);
        int64_t started;
        int r;

        *stage = CURFEW_STAGE_SUPERVISE;
        r = attach_streams(run, command);
        if (r < 0)
                return r;

        started = clock_now();
        r = tree_start(&run->tree, &plan, stage, &child);
        if (r < 0)
                return r;

        *stage = CURFEW_STAGE_SUPERVISE;
        return run_begin(run, &child, started);
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
