// SPDX-License-Identifier: MIT
#include "context.h"
#include "say.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/*
 * One below the other: the time that curfew itself has been given, its parent, its lifeline, and
 * then its own time. Whichever is over first is the cause.
 *
 * The lifeline is not read, so that what is still in it neither counts nor hides that it has hung
 * up. A descriptor for which poll(2) would never say that is refused.
 */

static int from_environment(
        const struct opts *opts, struct curfew_ctx *above, struct curfew_ctx **ret) {
        int r = curfew_ctx_from_environment(above, ret);

        (void)opts;
        if (r > 0)
                say("CURFEW_DEADLINE is ignored: '%s' is no time on CLOCK_MONOTONIC, in "
                    "nanoseconds",
                        getenv("CURFEW_DEADLINE"));
        return r;
}

static int add_parent(const struct opts *opts, struct curfew_ctx *above, struct curfew_ctx **ret) {
        if (opts->parent == 0)
                return curfew_ctx_with_cancel(above, ret);
        return curfew_ctx_with_ppid(above, opts->parent, ret);
}

static int add_lifeline(
        const struct opts *opts, struct curfew_ctx *above, struct curfew_ctx **ret) {
        if (opts->lifeline < 0)
                return curfew_ctx_with_cancel(above, ret);
        return curfew_ctx_with_fd(above, opts->lifeline, POLLRDHUP, ret);
}

static int add_duration(
        const struct opts *opts, struct curfew_ctx *above, struct curfew_ctx **ret) {
        if (opts->duration == 0)
                return curfew_ctx_with_cancel(above, ret);
        return curfew_ctx_with_timeout_cause(above, opts->duration, 0, "deadline", ret);
}

static const struct layer {
        int (*add)(const struct opts *opts, struct curfew_ctx *above, struct curfew_ctx **ret);
        const char *what;
} layers[] = {
        { from_environment, "make a context" },
        { add_parent, "see the end of the parent" },
        { add_lifeline, "see the lifeline hang up" },
        { add_duration, "set the deadline" },
};

int context_make(const struct opts *opts, struct curfew_ctx **ret) {
        struct curfew_ctx *ctx = NULL;

        for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); ++i) {
                struct curfew_ctx *above = ctx;
                int r = layers[i].add(opts, above, &ctx);

                curfew_ctx_unref(above);
                if (r < 0) {
                        say("cannot %s: %s", layers[i].what,
                                r == -EPERM ? "it is no pipe, socket or terminal" : strerror(-r));
                        return r;
                }
        }
        *ret = ctx;
        return 0;
}
