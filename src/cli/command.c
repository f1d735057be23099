// SPDX-License-Identifier: MIT
#include "command.h"
#include "init.h"
#include "script.h"
#include "signals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The arguments under the name that the command is told. To be freed; NULL if there is no memory.
 */
static const char **name_argv(const struct opts *opts) {
        const char **argv;
        size_t n = 0;

        while (opts->argv[n])
                ++n;
        argv = calloc(n + 1, sizeof(*argv));
        if (!argv)
                return NULL;
        memcpy(argv, opts->argv, n * sizeof(*argv));
        if (opts->argv0)
                argv[0] = opts->argv0;
        return argv;
}

static struct curfew_cmd describe(const struct command *command, const char *const argv[]) {
        const struct opts *opts = command->opts;
        const struct files *files = command->files;
        enum curfew_stream_kind kind = command->has_pipes ? CURFEW_PIPE : CURFEW_FD;
        struct curfew_cmd cmd = {
                .argv = argv,
                .path = opts->argv[0],
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

/* By a shell, which finds it by its name once more. */
static int start_script(struct curfew_cmd cmd, const struct command *command, struct curfew *sup,
        struct curfew_ctx *ctx, struct curfew_run **ret) {
        const char **argv = script_argv(NULL, command->opts->argv);
        int r;

        cmd.path = NULL;
        cmd.argv = argv;
        r = argv ? curfew_start(sup, ctx, &cmd, command->ret_stage, ret) : -ENOMEM;
        free(argv);
        return r;
}

int command_start(const struct command *command, struct curfew *sup, struct curfew_ctx *ctx,
        struct curfew_run **ret) {
        const char **argv = name_argv(command->opts);
        struct curfew_cmd cmd = describe(command, argv);
        int r = argv ? curfew_start(sup, ctx, &cmd, command->ret_stage, ret) : -ENOMEM;

        free(argv);
        if (r == -ENOEXEC && *command->ret_stage == CURFEW_STAGE_EXEC)
                r = start_script(cmd, command, sup, ctx, ret);
        return r;
}
