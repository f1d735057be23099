// SPDX-License-Identifier: MIT
#pragma once

/* The command, as the options describe it. */

#include "curfew.h"
#include "files.h"
#include "inherit.h"
#include "opts.h"

struct command {
        const struct opts *opts;
        const struct files *files;
        const struct inherited *inherited;
        const sigset_t *ignored; /* signals that it is to ignore */
        const sigset_t *stops;   /* signals that give up its start */
        bool shares_group;       /* with this program */
        bool has_pipes;          /* its output goes through this program */
        enum curfew_stage *ret_stage;
};

/* As curfew_start(). What can't be executed, and has no word on by what, is run by a shell. */
int command_start(const struct command *command, struct curfew *sup, struct curfew_ctx *ctx,
        struct curfew_run **ret);
