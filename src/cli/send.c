// SPDX-License-Identifier: MIT
#include "send.h"
#include "account.h"

int send_step(const struct opts *opts, struct curfew_run *run, struct speech *speech,
        const char *why, struct curfew_step_taken *step) {
        int n;

        step->at = curfew_now() - curfew_run_started(run);
        n = curfew_run_signal(run, step->whom, step->signal);
        step->reached = n > 0 ? (unsigned)n : 0;
        step->error = n < 0 ? n : 0;
        if (opts->verbose)
                account_step(speech, opts->argv[0], step, why);
        return step->error;
}
