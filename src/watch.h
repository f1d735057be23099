// SPDX-License-Identifier: MIT
#pragma once

/* A context that the supervisor's thread is told the end of. */

#include "base/base.h"
#include "curfew.h"
#include "supervisor.h"

struct watch {
        struct curfew *sup;
        struct curfew_ctx *ctx; /* a reference; or NULL */
        struct curfew_after *after;
        struct loop_io io;     /* a duplicate of its descriptor, if the host's signals may end it */
        struct notice *notice; /* what is handled then */
};

/* `ctx` may be NULL. On failure there is something to give back all the same. */
int watch_init(
        struct watch *watch, struct curfew *sup, struct curfew_ctx *ctx, struct notice *notice);

void watch_stop(struct watch *watch);   /* no notice comes from it any more */
void watch_deinit(struct watch *watch); /* … and the context is let go of */
