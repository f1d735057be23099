// SPDX-License-Identifier: MIT
#include "core/merge.h"
#include "base/clock.h"
#include "core/source.h"

/*
 * A merge is the topmost node of a tree of its own, the lock of which is that of its parents'
 * trees. Each of its parents has a hook in the merge's memory, which is called when that ends, and
 * the merge holds on to each of them.
 *
 * What a hook finds is alive: a merge that is freed takes its hooks back first, under the lock. And
 * it is complete: the deadlines of all are compared before the first hook is added.
 */

static void merge_free(struct curfew_ctx *ctx, struct list *dead) {
        struct merge *merge = merge_of(ctx);

        for (size_t i = 0; i < merge->n; ++i)
                ctx_remove_hook(merge->parents[i].ctx, &merge->parents[i].hook);
        for (size_t i = 0; i < merge->n; ++i)
                ctx_release(merge->parents[i].ctx, dead);
        ctx->parent = NULL; /* that it has followed, which is one of them */
        sources_free(ctx);
}

static const struct ctx_kind merge_kind = { .free = merge_free };

static void follow(struct ctx_hook *hook, struct ctx_ending *ending) {
        struct merge_parent *parent = container_of(hook, struct merge_parent, hook);

        ctx_follow(&parent->merge->base.ctx, parent->ctx, ending);
}

/* After this, nothing that has to do with them can fail. */
static int prepare_parents(struct curfew_ctx *const ctxs[], size_t n) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; ++i)
                if (ctxs[i])
                        r = ctx_prepare_sequel(ctxs[i]);
        return r;
}

static void add_parent(struct merge *merge, struct curfew_ctx *parent) {
        struct curfew_ctx *ctx = &merge->base.ctx;

        merge->parents[merge->n++] = (struct merge_parent){
                .hook = { .fn = follow },
                .ctx = curfew_ctx_ref(parent),
                .merge = merge,
        };
        root_join(ctx_get_root(parent), ctx_get_root(ctx));
        if (parent->terms->deadline < ctx->terms->deadline)
                ctx_set_deadline(ctx, parent->terms->deadline, parent->terms->owner);
}

static int alloc(size_t n, struct merge **ret) {
        struct curfew_ctx *ctx;
        struct merge *merge;
        int r;

        r = ctx_alloc(
                sizeof(*merge) + n * sizeof(merge->parents[0]), &merge_kind, NULL, false, &ctx);
        if (r < 0)
                return r;

        ctx->flags |= CTX_MERGE | CTX_MERGED;
        merge = merge_of(ctx);
        merge->search = 0;
        merge->n = 0;
        *ret = merge;
        return 0;
}

int merge_new(struct curfew_ctx *const ctxs[], size_t n, struct curfew_ctx **ret) {
        struct merge *merge;
        int r;

        r = prepare_parents(ctxs, n);
        if (r < 0)
                return r;
        r = alloc(n, &merge);
        if (r < 0)
                return r;
        r = sources_join(&merge->base.ctx, ctxs, n);
        if (r < 0) {
                curfew_ctx_unref(&merge->base.ctx);
                return r;
        }

        for (size_t i = 0; i < n; ++i)
                if (ctxs[i])
                        add_parent(merge, ctxs[i]);
        for (size_t i = 0; i < merge->n; ++i)
                ctx_add_hook(merge->parents[i].ctx, &merge->parents[i].hook);
        *ret = &merge->base.ctx;
        return 0;
}
