// SPDX-License-Identifier: MIT
#pragma once

/* Contexts with several parents. */

#include "core/ctx.h"

struct merge {
        struct ctx_of_kind base;

        /* Of the search for a value that has come by here: see value.c. */
        uint64_t search;
        struct merge *from;
        size_t next;

        size_t n;
        struct merge_parent {
                struct ctx_hook hook;
                struct curfew_ctx *ctx; /* a reference */
                struct merge *merge;
        } parents[];
};

/* `ctxs` may have NULLs, the background. */
int merge_new(struct curfew_ctx *const ctxs[], size_t n, struct curfew_ctx **ret);

/* A context that is one (CTX_MERGE). */
static inline struct merge *merge_of(const struct curfew_ctx *ctx) {
        return (struct merge *)container_of(ctx, const struct merge, base.ctx);
}
