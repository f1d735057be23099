// SPDX-License-Identifier: MIT
#include "core/ctx.h"

#include <string.h>

/*
 * A context is a node with one atomic word, its err: 0 while it is live. Whoever sees it non-zero
 * sees a context that is done, and everything else about its end was written before.
 *
 * Nodes that hang together share one lock, which lives in the memory of their topmost node: that is
 * a child of the background, which keeps no list of its children, so that the trees of different
 * requests have nothing in common. A child holds a reference to its parent, so the way up is there
 * as long as anybody could go it; a parent only lists the children that are live, and a child takes
 * itself off that list, under the lock, before it goes.
 *
 * There may be a million of them, so a node is a cache line with what malloc adds, and what it can
 * share or do without is elsewhere. By what it may end, it has from its parent: the terms of a node
 * lie in the nearest above it, or itself, that has said more than its parent. What follows from its
 * end has a place of its own from the first that asks for it.
 *
 * A deadline needs nobody who watches it. The terms have the earliest on the path, and whose that
 * is; who looks at a node and finds that the time has come ends the owner, and with it the node.
 * All below have the same reason and the same cause then, whichever of them was looked at.
 *
 * A merge has several parents and can't be in the list of each: it is the topmost of a tree of its
 * own, which has its lock in common with theirs from then on: see merge.c and root.h.
 *
 * How a context ends is in ctx-end.c, how a value is found in value.c.
 */

/* Birth */

/* What the topmost has behind it. */
struct tree {
        struct ctx_terms terms;
        struct root root;
};

/* Where, behind what is so large, its terms lie, or its tree. */
static size_t place_behind(size_t size) {
        size_t align = _Alignof(struct tree);

        return (size + align - 1) / align * align;
}

/* One by one: a literal is cleared first, by an instruction that takes as long as all the rest. */
static inline void init(struct curfew_ctx *ctx, uint8_t flags, struct ctx_terms *terms) {
        atomic_init(&ctx->refs, 1);
        atomic_init(&ctx->err, 0);
        ctx->is_origin = false;
        ctx->flags = flags;
        ctx->terms = terms;
        ctx->parent = NULL;
        ctx->children = NULL;
        atomic_init(&ctx->sequel, NULL);
}

static struct curfew_ctx *new_top(size_t size) {
        struct curfew_ctx *ctx = malloc(place_behind(size) + sizeof(struct tree));
        struct tree *tree;

        if (!ctx)
                return NULL;
        tree = (struct tree *)((char *)ctx + place_behind(size));
        root_init(&tree->root, ctx);
        tree->terms = (struct ctx_terms){ .root = &tree->root, .deadline = CLOCK_NEVER };
        init(ctx, CTX_TOP, &tree->terms);
        return ctx;
}

static inline uint8_t inherited(const struct curfew_ctx *parent) {
        return parent->flags & (CTX_LOOK | CTX_MERGED);
}

static struct curfew_ctx *new_on_terms(size_t size, const struct curfew_ctx *parent) {
        struct curfew_ctx *ctx = malloc(place_behind(size) + sizeof(struct ctx_terms));
        struct ctx_terms *terms;

        if (!ctx)
                return NULL;
        terms = (struct ctx_terms *)((char *)ctx + place_behind(size));
        *terms = *parent->terms;
        init(ctx, inherited(parent), terms);
        return ctx;
}

static inline struct curfew_ctx *new_below(size_t size, const struct curfew_ctx *parent) {
        struct curfew_ctx *ctx = malloc(size);

        if (ctx)
                init(ctx, inherited(parent), parent->terms);
        return ctx;
}

int ctx_alloc(size_t size, const struct ctx_kind *kind, const struct curfew_ctx *parent,
        bool on_terms, struct curfew_ctx **ret) {
        struct curfew_ctx *ctx = !parent    ? new_top(size)
                                 : on_terms ? new_on_terms(size, parent)
                                            : new_below(size, parent);

        if (!ctx)
                return -ENOMEM;
        ctx->flags |= CTX_KIND;
        container_of(ctx, struct ctx_of_kind, ctx)->kind = kind;
        *ret = ctx;
        return 0;
}

void ctx_set_deadline(struct curfew_ctx *ctx, int64_t deadline, struct curfew_ctx *owner) {
        ctx->terms->deadline = deadline;
        ctx->terms->owner = owner;
        ctx->flags |= CTX_LOOK;
}

void ctx_set_sources(struct curfew_ctx *ctx, struct sources *sources) {
        ctx->terms->sources = sources;
        if (sources)
                ctx->flags |= CTX_LOOK;
}

static inline void attach(struct curfew_ctx *ctx, struct curfew_ctx *parent) {
        struct root *root = ctx_get_root(parent);

        ctx->parent = parent;
        root_lock(root);
        refs_take(&parent->refs);
        if (ctx_is_live(parent))
                ring_append(&parent->children, &ctx->sibling);
        else
                atomic_init(&ctx->err, (int16_t)ctx_get_err(parent));
        root_unlock(root);
}

void ctx_attach(struct curfew_ctx *ctx, struct curfew_ctx *parent) {
        if (parent)
                attach(ctx, parent);
}

static _cold_ int new_tree(struct curfew_ctx **ret) {
        struct curfew_ctx *ctx = new_top(sizeof(*ctx));

        if (!ctx)
                return -ENOMEM;
        *ret = ctx;
        return 0;
}

int ctx_new(struct curfew_ctx *parent, struct curfew_ctx **ret) {
        struct curfew_ctx *ctx;

        if (!parent)
                return new_tree(ret);

        ctx = new_below(sizeof(*ctx), parent);
        if (!ctx)
                return -ENOMEM;
        attach(ctx, parent);
        *ret = ctx;
        return 0;
}

int ctx_new_with_deadline(struct curfew_ctx *parent, int64_t deadline, struct curfew_cause cause,
        struct curfew_ctx **ret) {
        _cleanup_(freep) char *text = NULL;
        struct curfew_ctx *ctx;

        if (deadline >= (parent ? parent->terms->deadline : CLOCK_NEVER))
                return ctx_new(parent, ret);

        text = cause.text ? strdup(cause.text) : NULL;
        if (cause.text && !text)
                return -ENOMEM;
        ctx = parent ? new_on_terms(sizeof(*ctx), parent) : new_top(sizeof(*ctx));
        if (!ctx)
                return -ENOMEM;

        ctx_set_deadline(ctx, deadline, ctx);
        ctx->terms->cause = (struct curfew_cause){ cause.code, steal_ptr(text) };
        ctx_attach(ctx, parent);
        *ret = ctx;
        return 0;
}

int ctx_new_without_cancel(struct curfew_ctx *parent, struct curfew_ctx **ret) {
        struct curfew_ctx *ctx = new_top(sizeof(*ctx));

        if (!ctx)
                return -ENOMEM;
        ctx->parent = curfew_ctx_ref(parent);
        if (parent && (parent->flags & CTX_MERGED)) {
                ctx->flags |= CTX_MERGED;
                root_join(ctx_get_root(parent), ctx_get_root(ctx));
        }
        *ret = ctx;
        return 0;
}

/* Death */

_public_ struct curfew_ctx *curfew_ctx_ref(struct curfew_ctx *ctx) {
        if (ctx)
                refs_take(&ctx->refs);
        return ctx;
}

/* Who ends it just now has the lock. */
static _cold_ void leave_parent(struct curfew_ctx *ctx) {
        root_lock(ctx_get_root(ctx));
        if (ctx_is_live(ctx) && !(ctx->flags & CTX_TOP))
                ring_unlink(&ctx->parent->children, &ctx->sibling);
        root_unlock(ctx_get_root(ctx));
}

/* Whether that was the last reference; then it is on no list any more, and its links are free. */
static inline bool let_go(struct curfew_ctx *ctx) {
        if (!refs_drop(&ctx->refs))
                return false;

        /* Once it is marked, only its hooks may still be called. */
        if (ctx_is_live(ctx) || ctx->sequel)
                leave_parent(ctx);
        if (ctx->is_origin && ctx->cause.is_copy)
                free((char *)ctx->cause.text);
        return true;
}

void ctx_release(struct curfew_ctx *ctx, struct list *dead) {
        if (ctx && let_go(ctx))
                list_append(dead, &ctx->sibling);
}

static struct curfew_ctx *take_dead(struct list *dead) {
        struct list *first = list_first(dead);

        if (!first)
                return NULL;
        list_unlink(first);
        return list_entry(first, struct curfew_ctx, sibling);
}

static _cold_ void free_sequel(struct ctx_sequel *sequel) {
        list_for_each_safe (i, &sequel->afters)
                after_delete(list_entry(i, struct curfew_after, link));
        if (sequel->bell)
                sequel->bell->free(sequel->bell);
        free(sequel);
}

static void destroy(struct curfew_ctx *ctx, struct list *dead) {
        if (ctx->flags & CTX_KIND)
                ctx_get_kind(ctx)->free(ctx, dead); /* no end comes to a merge after this */
        if (ctx->sequel)
                free_sequel(ctx->sequel);
        if (ctx->terms->owner == ctx)
                free((char *)ctx->terms->cause.text);
        ctx_release(ctx->parent, dead);

        if (ctx->flags & CTX_TOP)
                root_unref(ctx_get_root(ctx));
        else
                free(ctx);
}

_public_ struct curfew_ctx *curfew_ctx_unref(struct curfew_ctx *ctx) {
        struct list dead;

        if (!ctx || !let_go(ctx))
                return NULL;

        list_init(&dead);
        do {
                destroy(ctx, &dead);
        } while ((ctx = take_dead(&dead)));
        return NULL;
}
