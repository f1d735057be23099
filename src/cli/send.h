// SPDX-License-Identifier: MIT
#pragma once

/* A signal that is no step of the library's. */

#include "opts.h"
#include "say.h"

/* Send it, and say so if that is wanted, `why` in a word, as part of `speech`. Returns 0, or the
 * negative errno that has kept it from everybody. */
int send_step(const struct opts *opts, struct curfew_run *run, const struct curfew_step *step,
        struct speech *speech, const char *why, struct curfew_step_taken *ret);
