// SPDX-License-Identifier: MIT
#include "send.h"
#include "account.h"

int send_step(const struct opts *opts, struct curfew_run *run, const struct curfew_step *step,
        struct speech *speech, const char *why, struct curfew_step_taken *ret) {
        int64_t at = curfew_now() - curfew_run_started(run);
        int n = curfew_run_signal(run, step->whom, step->signal);

        *ret = (struct curfew_step_taken){
                .signal = step->signal,
                .whom = step->whom,
                .at = at,
                .reached = n > 0 ? (unsigned)n : 0,
                .error = n < 0 ? n : 0,
        };
        if (opts->verbose)
                account_step(speech, opts->argv[0], ret, why);
        return ret->error;
}
