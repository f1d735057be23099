// SPDX-License-Identifier: MIT
#include "warning.h"
#include "send.h"

/* Counted from the deadline that holds, whoever has set it. If that is too near, the command gets a
 * moment to set its handler: most of these signals end a process that has none. */
int64_t warning_time(const struct opts_warn *warn, const struct curfew_ctx *ctx) {
        int64_t deadline = curfew_ctx_deadline(ctx), now = curfew_now();
        int64_t half = (deadline - now) / 2;

        if (warn->signal == 0 || deadline == CURFEW_FOREVER)
                return CURFEW_FOREVER;
        if (deadline - warn->before > now)
                return deadline - warn->before;
        return now + (half < CURFEW_SEC ? half : CURFEW_SEC);
}

void warning_send(const struct opts *opts, struct curfew_run *run, struct record *record,
        struct speech *speech) {
        struct curfew_step_taken taken = { .signal = opts->warn.signal, .whom = opts->warn.whom };

        send_step(opts, run, speech, "warning", &taken);
        record_warning(record, &taken);
}
