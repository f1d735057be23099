// SPDX-License-Identifier: MIT
#include "core/value.h"
#include "core/merge.h"

/*
 * A value is looked for on the way up, where nothing ever changes. At a merge the way forks, and
 * may fork again, and ways may meet again higher up. All of them are gone, in the order of the
 * parents, but each merge is passed once: what lies above it is the same the next time. The way
 * back is kept in the merges themselves, so it takes neither stack nor memory, only the lock, which
 * all merges have in common that are above each other.
 */

struct value {
        struct ctx_of_kind base;
        const void *key;
        void *value;
        void (*release)(void *value);
};

static void value_free(struct curfew_ctx *ctx, struct list *dead _unused_) {
        struct value *value = container_of(ctx, struct value, base.ctx);

        if (value->release)
                value->release(value->value);
}

static const struct ctx_kind value_kind = { .free = value_free };

static const struct value *value_of(const struct curfew_ctx *ctx) {
        if (!(ctx->flags & CTX_KIND) || ctx_get_kind(ctx) != &value_kind)
                return NULL;
        return container_of(ctx, const struct value, base.ctx);
}

/* The next on the way up that has such a value or is a merge; or NULL. */
static const struct curfew_ctx *climb(const struct curfew_ctx *ctx, const void *key) {
        for (; ctx && !(ctx->flags & CTX_MERGE); ctx = ctx->parent) {
                const struct value *value = value_of(ctx);

                if (value && value->key == key)
                        break;
        }
        return ctx;
}

static void enter(struct merge *merge, struct merge *from, uint64_t search) {
        merge->search = search;
        merge->from = from;
        merge->next = 0;
}

/* Under the lock, from one merge on. */
static const struct curfew_ctx *search(struct merge *merge, const void *key) {
        uint64_t number = ++root_top(ctx_get_root(&merge->base.ctx))->searches;

        enter(merge, NULL, number);
        while (merge) {
                const struct curfew_ctx *ctx;

                if (merge->next == merge->n) {
                        merge = merge->from;
                        continue;
                }
                ctx = climb(merge->parents[merge->next++].ctx, key);
                if (!ctx)
                        continue;
                if (!(ctx->flags & CTX_MERGE))
                        return ctx;
                if (merge_of(ctx)->search != number) {
                        enter(merge_of(ctx), merge, number);
                        merge = merge_of(ctx);
                }
        }
        return NULL;
}

bool value_find(const struct curfew_ctx *ctx, const void *key, void **ret) {
        const struct value *value;
        struct root *root;

        ctx = climb(ctx, key);
        if (ctx && (ctx->flags & CTX_MERGE)) {
                root = ctx_get_root(ctx);
                root_lock(root);
                ctx = search(merge_of(ctx), key);
                root_unlock(root);
        }
        value = ctx ? value_of(ctx) : NULL;
        if (value)
                *ret = value->value;
        return value;
}

int value_new(struct curfew_ctx *parent, const void *key, void *value, void (*release)(void *value),
        struct curfew_ctx **ret) {
        struct curfew_ctx *ctx;
        struct value *own;
        int r;

        r = ctx_alloc(sizeof(*own), &value_kind, parent, false, &ctx);
        if (r < 0)
                return r;

        own = container_of(ctx, struct value, base.ctx);
        own->key = key;
        own->value = value;
        own->release = release;
        ctx_attach(ctx, parent);
        *ret = ctx;
        return 0;
}
