// SPDX-License-Identifier: MIT
#pragma once

/* Starts the command as GNU timeout does: in the group of this process, holding nothing else, with
 * every descriptor that is to be passed on. */

#include "cli/timeout/opts.h"
#include "cli/timeout/signals.h"
#include "curfew.h"

/* What ends the command, from before it is started. */
struct timeout_limit {
        int64_t deadline;
        struct timeout_signals signals;
};

/* Negative errno: of the stage that failed, see curfew_start(); -ECANCELED: the deadline has come,
 * or a signal is there to be read. The supervisor is made first, and is the caller's then in any
 * case. */
int timeout_start(const struct timeout_opts *opts, struct timeout_limit *limit,
        enum curfew_stage *ret_stage, struct curfew **ret_sup, struct curfew_run **ret);
