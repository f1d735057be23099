// SPDX-License-Identifier: MIT
#include "core/merge.h"
#include "base/clock.h"
#include "core/source.h"

/*
 * A merge is the topmost node of a tree of its own. Each of its parents has an after that tells it
 * of the end; these lie in the merge's own memory, and each holds on to its parent.
 *
 * What a parent finds when it tells is alive: a merge that is freed withdraws its afters first, and
 * that waits while one of them is being told. It waits for nothing but the marking of this tree,
 * under its lock: see after.c. Nothing may be told before the merge is complete, either: so the
 * deadlines of all are compared first, and only then are the afters added.
 */

struct merge {
        struct ctx_of_kind base;
        struct after_queue queue; /* what follows when a parent has told; it does so once */
        size_t n;
        struct merge_parent {
                struct curfew_after after;
                struct merge *merge;
        } parents[];
};

static bool merge_find(const struct curfew_ctx **ctx, const void *key, void **ret) {
        const struct merge *merge = container_of(*ctx, const struct merge, base.ctx);

        /* In order; the last is left to the caller, so that a chain of merges takes no stack. */
        *ctx = merge->n > 0 ? merge->parents[merge->n - 1].after.ctx : NULL;
        for (size_t i = 0; i + 1 < merge->n; ++i)
                if (ctx_find(merge->parents[i].after.ctx, key, ret))
                        return true;
        return false;
}

static void merge_free(struct curfew_ctx *ctx, struct list *dead) {
        struct merge *merge = container_of(ctx, struct merge, base.ctx);

        for (size_t i = 0; i < merge->n; ++i) {
                after_withdraw(&merge->parents[i].after);
                ctx_release(merge->parents[i].after.ctx, dead);
        }
        free(ctx->terms->sources);
}

static const struct ctx_kind merge_kind = { .find = merge_find, .free = merge_free };

static void tell(struct curfew_after *after, struct list *queues) {
        struct merge *merge = container_of(after, struct merge_parent, after)->merge;

        if (ctx_follow(&merge->base.ctx, after->ctx, &merge->queue) && merge->queue.in_use)
                list_append(queues, &merge->queue.link);
}

/* After this, nothing that has to do with them can fail. */
static int prepare_parents(struct curfew_ctx *const ctxs[], size_t n) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; ++i)
                if (ctxs[i])
                        r = ctx_prepare_sequel(ctxs[i]);
        return r;
}

static void add_parent(struct merge *merge, struct curfew_ctx *ctx) {
        struct merge_parent *parent = &merge->parents[merge->n++];

        *parent = (struct merge_parent){ .after = { .tell = tell }, .merge = merge };
        parent->after.ctx = curfew_ctx_ref(ctx);
        if (ctx->terms->deadline < merge->base.ctx.terms->deadline)
                ctx_set_deadline(&merge->base.ctx, ctx->terms->deadline, ctx->terms->owner);
}

int merge_new(struct curfew_ctx *const ctxs[], size_t n, struct curfew_ctx **ret) {
        _cleanup_(freep) struct sources *sources = NULL;
        struct curfew_ctx *ctx;
        struct merge *merge;
        int r;

        r = prepare_parents(ctxs, n);
        if (r < 0)
                return r;
        r = sources_join(ctxs, n, 0, &sources);
        if (r < 0)
                return r;
        r = ctx_alloc(
                sizeof(*merge) + n * sizeof(merge->parents[0]), &merge_kind, NULL, false, &ctx);
        if (r < 0)
                return r;

        ctx_set_sources(ctx, steal_ptr(sources));
        merge = container_of(ctx, struct merge, base.ctx);
        merge->n = 0;
        after_queue_init(&merge->queue, ctx->terms->root);
        for (size_t i = 0; i < n; ++i)
                if (ctxs[i])
                        add_parent(merge, ctxs[i]);
        for (size_t i = 0; i < merge->n; ++i)
                ctx_add_after(merge->parents[i].after.ctx, &merge->parents[i].after);
        *ret = ctx;
        return 0;
}
