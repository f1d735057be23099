// SPDX-License-Identifier: MIT

/*
 * A Python worker under a deadline that it can't meet: it is asked to stop with the SIGINT that it
 * handles, and has five seconds to clean up.
 *
 *     deadline WORKER.PY DIRECTORY
 */

#include <curfew.h>
#include <stdio.h>
#include <string.h>

static double seconds(int64_t ns) {
        return (double)ns / (double)CURFEW_SEC;
}

static void tell(const struct curfew_result *res) {
        fputs(res->out.data, stdout);

        for (unsigned i = 0; i < res->n_steps; ++i)
                printf("%.3f s: asked with SIG%s, %u reached\n", seconds(res->steps[i].at),
                        curfew_signal_name(res->steps[i].signal), res->steps[i].reached);
        if (res->status == CURFEW_STATUS_EXITED)
                printf("%.3f s: exited with %d\n", seconds(res->exited), res->code);
        else if (res->status == CURFEW_STATUS_SIGNALED)
                printf("%.3f s: killed by SIG%s\n", seconds(res->exited),
                        curfew_signal_name(res->code));
        if (res->reason == CURFEW_REASON_DEADLINE)
                printf("It was stopped because: %s\n", res->cause.text);
}

int main(int argc, char **argv) {
        struct curfew_ctx *ctx = NULL;
        struct curfew_result res = { 0 };
        int r;

        if (argc != 3) {
                fprintf(stderr, "usage: %s WORKER.PY DIRECTORY\n", argv[0]);
                return 2;
        }

        r = curfew_ctx_with_timeout_cause(NULL, 2 * CURFEW_SEC, 0, "the office closes", &ctx);
        if (r == 0)
                r = curfew_run(ctx,
                        &(struct curfew_cmd){
                                .argv = (const char *[]){ "python3", argv[1], argv[2], NULL },
                                .out = { CURFEW_CAPTURE },
                                .err = { CURFEW_TO_STDOUT },
                                .stop = { { SIGINT, CURFEW_TREE, 5 * CURFEW_SEC } },
                        },
                        &res);

        if (r < 0) {
                const char *stage = curfew_stage_name(res.stage);

                fprintf(stderr, "%s: %s\n", stage ? stage : "context", strerror(-r));
        } else {
                tell(&res);
        }
        curfew_result_deinit(&res);
        curfew_ctx_unref(ctx);
        return r < 0;
}
