// SPDX-License-Identifier: MIT
#pragma once

/* What became of a command, in one word, and what the program makes of it. */

#include "opts.h"

enum verdict {
        VERDICT_EXITED,    /* by itself, with a status of its own */
        VERDICT_SIGNALLED, /* it died of a signal that nobody here has sent */
        VERDICT_WARNED,    /* it died of the warning */
        VERDICT_DEADLINE,  /* its time was over */
        VERDICT_IDLE,      /* it had nothing to say for too long */
        VERDICT_CANCELLED, /* somebody has interrupted it */
        VERDICT_LOST, /* how it has ended is not known, or something of it could not be ended */
};

#define VERDICT_IDLE_CODE (-62) /* the code of the cause that makes it VERDICT_IDLE: -ETIME */

/* `warned` is the warning that was sent; its signal is 0 if none was. */
enum verdict verdict_of(const struct curfew_result *result, const struct opts *opts,
        const struct curfew_step_taken *warned);

/* The word for it. */
const char *verdict_name(enum verdict verdict);

/*
 * What the program exits with; or the negative number of the signal that it dies of. `stopped_by`
 * is the signal that the program was interrupted with.
 */
int verdict_status(const struct curfew_result *result, const struct opts *opts, int stopped_by);

/* The same if not all of the output has arrived: a failure, unless there is another one already. */
int verdict_cut(int status, int stopped_by);

/* Whether it was made to end, and may not have got to put things in order. */
bool verdict_was_interrupted(const struct curfew_result *result);
