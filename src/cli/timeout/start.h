// SPDX-License-Identifier: MIT
#pragma once

/* Starts the command as GNU timeout does: in the group of this process, holding nothing else, with
 * every descriptor that is to be passed on. */

#include "cli/timeout/opts.h"
#include "cli/timeout/signals.h"
#include "curfew.h"

/* Negative errno: of the stage that failed; see curfew_start(). The supervisor is made first, and
 * is the caller's then in any case. */
int timeout_start(const struct timeout_opts *opts, const struct timeout_signals *signals,
        enum curfew_stage *ret_stage, struct curfew **ret_sup, struct curfew_run **ret);
