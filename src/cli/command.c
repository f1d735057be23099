// SPDX-License-Identifier: MIT
#include "command.h"
#include "init.h"
#include "script.h"
#include "signals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct curfew_cmd describe(const struct command *command, const char *const argv[]) {
        const struct opts *opts = command->opts;
        const struct files *files = command->files;
        enum curfew_stream_kind kind = command->has_pipes ? CURFEW_PIPE : CURFEW_FD;
        struct curfew_cmd cmd = {
                .argv = argv,
                .in = { CURFEW_INHERIT },
                .out = { kind, .fd = files->out },
                .err = { files->are_one ? CURFEW_TO_STDOUT : kind, .fd = files->err },
                .pgid = command->shares_group ? CURFEW_SAME_GROUP : 0,
                .sigignore = command->ignored,
                .until = opts->leftovers == OPTS_LEAVE ? CURFEW_UNTIL_EXIT : CURFEW_UNTIL_EMPTY,
                .linger = opts->leftovers == OPTS_WAIT ? CURFEW_FOREVER : 0,
                .guarantee = opts->guarantee,
                .fds = command->inherited->fds,
                .n_fds = command->inherited->n,
                .give_up = signals_have_stop,
                .data = (void *)command->stops,
        };

        memcpy(cmd.stop, opts->stop, sizeof(cmd.stop));
        if (opts->group)
                init_give_terminal(&cmd);
        return cmd;
}

int command_start(const struct command *command, struct curfew *sup, struct curfew_ctx *ctx,
        enum curfew_stage *ret_stage, struct curfew_run **ret) {
        const char *const *argv = command->opts->argv;
        struct curfew_cmd cmd = describe(command, argv);
        const char **shell;
        int r = curfew_start(sup, ctx, &cmd, ret_stage, ret);

        if (r != -ENOEXEC || *ret_stage != CURFEW_STAGE_EXEC)
                return r;
        cmd.argv = shell = script_argv(NULL, argv);
        r = shell ? curfew_start(sup, ctx, &cmd, ret_stage, ret) : -ENOMEM;
        free(shell);
        return r;
}
