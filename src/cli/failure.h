// SPDX-License-Identifier: MIT
#pragma once

/* A command that could not be started. */

#include "opts.h"
#include "record.h"

struct failure {
        enum curfew_stage stage;
        int error;
        int64_t deadline;
        int over;              /* what the context has come to by then, as curfew_ctx_err() */
        int signals;           /* the descriptor of those that have come meanwhile */
        const sigset_t *stops; /* those of them that ask for an end */
};

/* Record it, and say a line about it unless it was what somebody wanted. What the program exits
 * with then, or the negative number of the signal that it is to die of. */
int failure_tell(const struct opts *opts, struct record *record, const struct failure *failure);
