// SPDX-License-Identifier: MIT
#pragma once

/* A signal that is no step of the library's. */

#include "opts.h"
#include "say.h"

/* Send the signal of the step to whom it says, write down how that went, and say so as part of
 * `speech` if that is wanted, `why` in a word. Returns 0, or the negative errno that has kept it
 * from everybody. */
int send_step(const struct opts *opts, struct curfew_run *run, struct speech *speech,
        const char *why, struct curfew_step_taken *step);
