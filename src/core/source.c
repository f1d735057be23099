// SPDX-License-Identifier: MIT
#include "core/source.h"

/*
 * Whoever looks at a context looks at all the sources that are above it. They are in one list,
 * which the source that is the last of it has made, and all that have no more than these share.
 * Each is in it once, on however many ways it is above: so no list is longer than there are
 * sources.
 */

struct source_ctx {
        struct ctx_of_kind base;
        struct source *source;
};

static void source_free(struct curfew_ctx *ctx, struct list *dead _unused_) {
        struct source_ctx *own = container_of(ctx, struct source_ctx, base.ctx);

        own->source->free(own->source);
        sources_free(ctx);
}

static const struct ctx_kind source_kind = { .free = source_free };

static struct sources *sources_new(size_t room) {
        struct sources *sources = malloc(sizeof(*sources) + room * sizeof(struct source *));

        if (sources)
                sources->n = 0;
        return sources;
}

void sources_free(struct curfew_ctx *ctx) {
        if (ctx->terms->sources && ctx->terms->sources->owner == ctx)
                free(ctx->terms->sources);
}

static bool has(const struct sources *sources, const struct source *source) {
        for (size_t i = 0; i < sources->n; ++i)
                if (sources->list[i] == source)
                        return true;
        return false;
}

static void add_all(struct sources *sources, const struct sources *other) {
        for (size_t i = 0; other && i < other->n; ++i)
                if (!has(sources, other->list[i]))
                        sources->list[sources->n++] = other->list[i];
}

static struct sources *sources_of(const struct curfew_ctx *ctx) {
        return ctx ? ctx->terms->sources : NULL;
}

int sources_join(struct curfew_ctx *ctx, struct curfew_ctx *const others[], size_t n) {
        struct sources *all = NULL;
        bool are_one = true;
        size_t room = 0;

        for (size_t i = 0; i < n; ++i) {
                struct sources *sources = sources_of(others[i]);

                if (!sources)
                        continue;
                are_one = are_one && (!all || all == sources);
                all = sources;
                room += sources->n;
        }
        if (!are_one) {
                all = sources_new(room);
                if (!all)
                        return -ENOMEM;
                all->owner = ctx;
                for (size_t i = 0; i < n; ++i)
                        add_all(all, sources_of(others[i]));
        }
        ctx_set_sources(ctx, all);
        return 0;
}

int source_new(struct curfew_ctx *parent, struct source *source, struct curfew_ctx **ret) {
        const struct sources *above = sources_of(parent);
        _cleanup_(freep) struct sources *sources = NULL;
        struct source_ctx *own;
        struct curfew_ctx *ctx;
        int r;

        sources = sources_new((above ? above->n : 0) + 1);
        if (!sources)
                return -ENOMEM;
        r = ctx_alloc(sizeof(*own), &source_kind, parent, true, &ctx);
        if (r < 0)
                return r;

        own = container_of(ctx, struct source_ctx, base.ctx);
        own->source = source;
        source->ctx = ctx;
        add_all(sources, above);
        sources->list[sources->n++] = source;
        sources->owner = ctx;
        ctx_set_sources(ctx, steal_ptr(sources));
        ctx_attach(ctx, parent);
        *ret = ctx;
        return 0;
}
