// SPDX-License-Identifier: MIT
#include "core/source.h"

struct source_ctx {
        struct ctx_of_kind base;
        struct source *source;
};

static bool source_find(
        const struct curfew_ctx **ctx, const void *key _unused_, void **ret _unused_) {
        *ctx = (*ctx)->parent;
        return false;
}

static void source_free(struct curfew_ctx *ctx, struct list *dead _unused_) {
        struct source_ctx *own = container_of(ctx, struct source_ctx, base.ctx);

        own->source->free(own->source);
        free(ctx->terms->sources);
}

static const struct ctx_kind source_kind = { .find = source_find, .free = source_free };

static size_t count(const struct curfew_ctx *ctx) {
        return ctx && ctx->terms->sources ? ctx->terms->sources->n : 0;
}

int sources_join(struct curfew_ctx *const ctxs[], size_t n, size_t room, struct sources **ret) {
        struct sources *sources;
        size_t joined = 0;

        for (size_t i = 0; i < n; ++i)
                joined += count(ctxs[i]);
        if (joined == 0 && room == 0) {
                *ret = NULL;
                return 0;
        }

        sources = malloc(sizeof(*sources) + (joined + room) * sizeof(struct source *));
        if (!sources)
                return -ENOMEM;

        sources->n = 0;
        for (size_t i = 0; i < n; ++i)
                for (size_t j = 0; j < count(ctxs[i]); ++j)
                        sources->list[sources->n++] = ctxs[i]->terms->sources->list[j];
        *ret = sources;
        return 0;
}

int source_new(struct curfew_ctx *parent, struct source *source, struct curfew_ctx **ret) {
        _cleanup_(freep) struct sources *sources = NULL;
        struct source_ctx *own;
        struct curfew_ctx *ctx;
        int r;

        r = sources_join(&parent, 1, 1, &sources);
        if (r < 0)
                return r;
        r = ctx_alloc(sizeof(*own), &source_kind, parent, true, &ctx);
        if (r < 0)
                return r;

        own = container_of(ctx, struct source_ctx, base.ctx);
        own->source = source;
        source->ctx = ctx;
        sources->list[sources->n++] = source;
        ctx_set_sources(ctx, steal_ptr(sources));
        ctx_attach(ctx, parent);
        *ret = ctx;
        return 0;
}
