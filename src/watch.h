// SPDX-License-Identifier: MIT
#pragma once

/* A context that the supervisor's thread is told the end of. */

#include "base/base.h"
#include "core/ctx.h"
#include "curfew.h"
#include "supervisor.h"

struct watch {
        struct curfew *sup;
        struct curfew_ctx *ctx; /* a reference; or NULL */
        struct ctx_hook hook;
        struct loop_io io;     /* a duplicate of its descriptor, if it has to be looked at */
        struct notice *notice; /* what is handled then */
        struct calls calls;    /* where a look from here was what ended it */
};

/* `ctx` may be NULL. On failure there is something to give back all the same. */
int watch_init(
        struct watch *watch, struct curfew *sup, struct curfew_ctx *ctx, struct notice *notice);

/* As curfew_ctx_err(); but the functions that follow are called at the end of the dispatch. */
int watch_look(struct watch *watch);

void watch_stop(struct watch *watch);   /* no notice comes from it any more */
void watch_deinit(struct watch *watch); /* … and the context is let go of */
