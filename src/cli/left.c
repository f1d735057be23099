// SPDX-License-Identifier: MIT
#include "left.h"
#include "curfew.h"
#include "say.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whole milliseconds, rounded down: nobody is told more than there is. But where there is none it
 * is one, never 0: what is printed goes into another command line, where the status is lost, and 0
 * is no limit to timeout, to curl and to this program. */
int left_main(void) {
        struct curfew_ctx *ctx;
        int64_t deadline, left;
        int r = curfew_ctx_from_environment(NULL, &ctx);

        if (r < 0) {
                say("cannot read CURFEW_DEADLINE: %s", strerror(-r));
                return STATUS_FAILED;
        }
        deadline = curfew_ctx_deadline(ctx);
        curfew_ctx_unref(ctx);

        if (r > 0) {
                say("CURFEW_DEADLINE is '%s': it should be a time on CLOCK_MONOTONIC, in "
                    "nanoseconds",
                        getenv("CURFEW_DEADLINE"));
                return STATUS_FAILED;
        }
        if (deadline == CURFEW_FOREVER) {
                puts("inf");
                return 0;
        }

        left = (deadline - curfew_now()) / CURFEW_MSEC;
        if (left <= 0) {
                puts("0.001");
                return STATUS_TIMED_OUT;
        }
        printf("%" PRId64 ".%03d\n", left / 1000, (int)(left % 1000));
        return 0;
}
