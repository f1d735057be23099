// SPDX-License-Identifier: MIT

/*
 * Three commands at once, on one thread, in a plain poll loop: a supervisor is one descriptor more
 * in it. Here the other is standard input: an end of file there (Ctrl-D) stops what still runs.
 */

#include <curfew.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const commands[][4] = {
        { "sh", "-c", "echo one; sleep 0.2; echo two", NULL },
        { "sh", "-c", "echo I am slow; sleep 30", NULL },
        { "sh", "-c", "echo I fail >&2; exit 3", NULL },
};

static int start_all(struct curfew *sup, struct curfew_ctx *ctx) {
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); ++i) {
                struct curfew_run *run;
                enum curfew_stage stage;
                int r = curfew_start(sup, ctx,
                        &(struct curfew_cmd){
                                .argv = commands[i],
                                .out = { CURFEW_CAPTURE },
                                .err = { CURFEW_TO_STDOUT },
                                .data = (void *)commands[i][2],
                        },
                        &stage, &run);

                if (r < 0) {
                        fprintf(stderr, "%s: %s: %s\n", commands[i][0], curfew_stage_name(stage),
                                strerror(-r));
                        return r;
                }
        }
        return 0;
}

/* How many runs have ended. */
static unsigned handle_events(struct curfew *sup) {
        struct curfew_event event;
        unsigned n = 0;

        while (curfew_next_event(sup, &event) > 0) {
                const struct curfew_result *res = curfew_run_result(event.run);

                if (event.type != CURFEW_EVENT_END)
                        continue;
                printf("`%s` ended after %.3f s with %s %d\n",
                        (const char *)curfew_run_data(event.run),
                        (double)res->wall / (double)CURFEW_SEC,
                        res->status == CURFEW_STATUS_EXITED ? "status" : "signal", res->code);
                fwrite(res->out.data, 1, res->out.size, stdout);
                curfew_run_free(event.run);
                ++n;
        }
        return n;
}

/* Until as many have ended as were started. */
static int loop(struct curfew *sup, struct curfew_ctx *ctx) {
        struct pollfd fds[] = {
                { .fd = curfew_fd(sup), .events = POLLIN },
                { .fd = STDIN_FILENO, .events = POLLIN },
        };
        unsigned left = sizeof(commands) / sizeof(commands[0]);

        while (left > 0) {
                char buf[256];
                int r;

                poll(fds, 2, -1);
                if (fds[1].revents && read(STDIN_FILENO, buf, sizeof(buf)) <= 0) {
                        curfew_ctx_cancel(ctx);
                        fds[1].fd = -1;
                }
                r = curfew_dispatch(sup);
                if (r < 0)
                        return r;
                left -= handle_events(sup);
        }
        return 0;
}

int main(void) {
        struct curfew_ctx *ctx = NULL;
        struct curfew *sup = NULL;
        int r;

        r = curfew_ctx_with_timeout(NULL, 2 * CURFEW_SEC, &ctx);
        if (r == 0)
                r = curfew_new(&sup);
        if (r == 0)
                r = start_all(sup, ctx);
        if (r == 0)
                r = loop(sup, ctx);

        curfew_free(sup);
        curfew_ctx_unref(ctx);
        return r < 0;
}
