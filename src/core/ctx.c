// SPDX-License-Identifier: MIT
#include "core/ctx.h"
#include "base/clock.h"

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
 * The end of a node is the end of all below it. They are marked in one go, under the lock, level by
 * level, with the list of those still to be marked threaded through the very links that had tied
 * them to their parents: no recursion, no memory, whatever the shape. What each must remember is
 * only its origin, the node where it began, whose cause is theirs. That node is above them, so it
 * lives at least as long. What follows from the end is queued meanwhile: see after.c.
 *
 * A deadline needs nobody who watches it. A node knows the earliest on its path, and, as its origin
 * until it has a better one, whose that is; who looks at the node and finds that the time has come
 * ends its origin, and with it the node. All below have the same reason and the same cause then,
 * whichever of them was looked at.
 *
 * A merge has several parents and can't be in the tree of all: it is a tree of its own, which each
 * of them tells of its end. Its deadline may be in another tree, too.
 */

static bool is_live(const struct curfew_ctx *ctx) {
        return ctx_get_err(ctx) == 0;
}

/* The end of a context */

/* Under the lock: mark a node, and add what follows from it to the lists. */
static void mark(struct curfew_ctx *ctx, int err, struct curfew_ctx *origin, struct list *nodes,
        struct after_queue *queue) {
        struct ctx_bell *bell = ctx->bell;
        struct list *first;

        list_splice(nodes, &ctx->children);
        while ((first = list_first(&ctx->afters))) {
                list_unlink(first);
                after_queue_add(queue, list_entry(first, struct curfew_after, link));
        }

        ctx->origin = origin;
        atomic_store_explicit(&ctx->err, err, memory_order_release);
        if (bell)
                bell->ring(bell);
}

/* Take the first off, which leaves its links and its neighbour's way back as they were: nobody goes
 * there any more, and where there are many, to write to each twice is most of the work. */
static struct curfew_ctx *take_first(struct list *nodes) {
        struct list *first = nodes->next;

        if (first == nodes)
                return NULL;
        nodes->next = first->next;
        if (nodes->next == nodes)
                nodes->prev = nodes;
        return list_entry(first, struct curfew_ctx, sibling);
}

/* Under the lock: end a node and all below it, for the reason and the cause that `origin` has. */
static void end(
        struct curfew_ctx *ctx, int err, struct curfew_ctx *origin, struct after_queue *queue) {
        struct list nodes = LIST_INIT(nodes);

        /* The topmost has no siblings. If it is just being freed, it is on the list of the dead. */
        if (ctx->root->memory != ctx)
                list_unlink(&ctx->sibling);
        do {
                mark(ctx, err, origin, &nodes, queue);
        } while ((ctx = take_first(&nodes)));
}

bool ctx_follow(
        struct curfew_ctx *ctx, int err, struct curfew_ctx *origin, struct after_queue *queue) {
        bool was_live;

        root_lock(ctx->root);
        was_live = is_live(ctx);
        if (was_live)
                end(ctx, err, origin, queue);
        root_unlock(ctx->root);
        return was_live;
}

/* A copy of a text; of none, none. */
static inline int copy_text(const char *text, char **ret) {
        char *copy;

        *ret = NULL;
        if (!text)
                return 0;
        copy = malloc(strlen(text) + 1);
        if (!copy)
                return -ENOMEM;
        *ret = strcpy(copy, text);
        return 0;
}

int ctx_cancel(struct curfew_ctx *ctx, const struct curfew_cause *cause) {
        _cleanup_(freep) char *text = NULL;
        struct root *root = ctx->root;
        struct after_queue queue;
        int r = copy_text(cause->text, &text);

        after_queue_init(&queue, root);
        root_lock(root);
        if (is_live(ctx)) {
                char *of_deadline = ctx->text;

                ctx->code = cause->code;
                ctx->text = text;
                text = of_deadline;
                end(ctx, -ECANCELED, ctx, &queue);
        } else {
                r = 0;
        }
        root_unlock(root);

        after_queue_run(&queue);
        return r;
}

static void end_as(struct curfew_ctx *ctx, int err, struct curfew_ctx *origin) {
        struct after_queue queue;

        after_queue_init(&queue, ctx->root);
        ctx_follow(ctx, err, origin, &queue);
        after_queue_run(&queue);
}

/* Its deadline has passed. A merge may not have been told yet of the end of whose that is. */
static void expire(struct curfew_ctx *ctx) {
        struct curfew_ctx *owner = ctx_get_origin(ctx);

        end_as(owner, -ETIMEDOUT, owner);
        if (is_live(ctx))
                end_as(ctx, ctx_get_err(owner), owner->origin);
}

static void look_at_sources(struct curfew_ctx *ctx) {
        const struct sources *sources = ctx->sources;

        for (size_t i = 0; sources && i < sources->n && is_live(ctx); ++i)
                sources->list[i]->look(sources->list[i]);
}

int ctx_look(struct curfew_ctx *ctx, int64_t now) {
        int err = ctx_get_err(ctx);

        if (err != 0 || (!ctx->sources && ctx->deadline > now))
                return err;

        curfew_ctx_ref(ctx); /* what is called by its end may let go of it */
        look_at_sources(ctx);
        if (is_live(ctx) && ctx->deadline <= now)
                expire(ctx);
        err = ctx_get_err(ctx);
        curfew_ctx_unref(ctx);
        return err;
}

struct curfew_cause ctx_get_cause(const struct curfew_ctx *ctx) {
        const struct curfew_ctx *origin = ctx->origin;
        int err = ctx_get_err(ctx);

        if (origin->code != 0 || origin->text)
                return (struct curfew_cause){ origin->code, origin->text };
        return (struct curfew_cause){ err, err == -ETIMEDOUT ? "deadline exceeded" : "cancelled" };
}

struct curfew_ctx *ctx_get_origin(struct curfew_ctx *ctx) {
        struct curfew_ctx *origin;

        root_lock(ctx->root);
        origin = ctx->origin;
        root_unlock(ctx->root);
        return origin;
}

/* Who is told of it */

void ctx_add_after(struct curfew_ctx *ctx, struct curfew_after *after) {
        struct root *root = ctx->root;
        struct after_queue queue;

        after->root = root;
        root_ref(root);
        after_queue_init(&queue, root);

        root_lock(root);
        if (is_live(ctx))
                list_append(&ctx->afters, &after->link);
        else
                after_queue_add(&queue, after);
        root_unlock(root);

        after_queue_run(&queue);
}

_public_ int curfew_ctx_after(
        struct curfew_ctx *ctx, void (*fn)(void *arg), void *arg, struct curfew_after **ret) {
        struct curfew_after *after;

        if (!ctx || !fn)
                return -EINVAL;

        after = malloc(sizeof(*after));
        if (!after)
                return -ENOMEM;

        *after = (struct curfew_after){ .fn = fn, .arg = arg, .owned = !ret };
        if (ret) {
                after->ctx = curfew_ctx_ref(ctx);
                *ret = after; /* before anybody could call */
        }
        ctx_add_after(ctx, after);
        return 0;
}

struct ctx_bell *ctx_get_bell(struct curfew_ctx *ctx) {
        struct ctx_bell *bell;

        root_lock(ctx->root);
        bell = ctx->bell;
        root_unlock(ctx->root);
        return bell;
}

struct ctx_bell *ctx_set_bell(struct curfew_ctx *ctx, struct ctx_bell *bell) {
        struct ctx_bell *other;

        root_lock(ctx->root);
        other = ctx->bell;
        if (!other) {
                ctx->bell = bell;
                if (!is_live(ctx))
                        bell->ring(bell);
        }
        root_unlock(ctx->root);
        return other;
}

/* Birth */

/* One by one: a literal is cleared first, by an instruction that takes as long as all the rest. */
static void init(struct curfew_ctx *ctx, const struct ctx_kind *kind, struct root *root) {
        atomic_init(&ctx->refs, 1);
        atomic_init(&ctx->err, 0);
        ctx->origin = NULL;
        ctx->bell = NULL;
        list_init(&ctx->sibling);
        list_init(&ctx->children);
        list_init(&ctx->afters);
        ctx->sources = NULL;
        ctx->deadline = CLOCK_NEVER;
        ctx->root = root;
        ctx->kind = kind;
        ctx->parent = NULL;
        ctx->text = NULL;
        ctx->code = 0;
}

int ctx_alloc(
        size_t size, const struct ctx_kind *kind, struct root *root, struct curfew_ctx **ret) {
        size_t align = _Alignof(struct root), at = (size + align - 1) / align * align;
        struct curfew_ctx *ctx = malloc(root ? size : at + sizeof(*root));

        if (!ctx)
                return -ENOMEM;

        init(ctx, kind, root ?: (struct root *)((char *)ctx + at));
        if (!root)
                root_init(ctx->root, ctx);
        *ret = ctx;
        return 0;
}

void ctx_attach(struct curfew_ctx *ctx, struct curfew_ctx *parent) {
        bool inherits;

        if (!parent)
                return;

        inherits = parent->deadline <= ctx->deadline;
        ctx->parent = curfew_ctx_ref(parent);
        ctx->deadline = inherits ? parent->deadline : ctx->deadline;
        ctx->sources = ctx->sources ?: parent->sources;

        root_lock(ctx->root);
        if (inherits || !is_live(parent))
                ctx->origin = parent->origin;
        if (is_live(parent))
                list_append(&parent->children, &ctx->sibling);
        else
                atomic_store_explicit(&ctx->err, ctx_get_err(parent), memory_order_release);
        root_unlock(ctx->root);
}

int ctx_new(struct curfew_ctx *parent, int64_t deadline, const struct curfew_cause *cause,
        struct curfew_ctx **ret) {
        _cleanup_(freep) char *text = NULL;
        struct curfew_ctx *ctx;
        int r;

        r = copy_text(cause->text, &text);
        if (r < 0)
                return r;
        r = ctx_alloc(sizeof(*ctx), NULL, parent ? parent->root : NULL, &ctx);
        if (r < 0)
                return r;

        ctx->deadline = deadline;
        ctx->origin = ctx;
        ctx->code = cause->code;
        ctx->text = steal_ptr(text);
        ctx_attach(ctx, parent);
        *ret = ctx;
        return 0;
}

int ctx_new_without_cancel(struct curfew_ctx *parent, struct curfew_ctx **ret) {
        struct curfew_ctx *ctx;
        int r;

        r = ctx_alloc(sizeof(*ctx), NULL, NULL, &ctx);
        if (r < 0)
                return r;

        ctx->parent = curfew_ctx_ref(parent);
        *ret = ctx;
        return 0;
}

bool ctx_find(const struct curfew_ctx *ctx, const void *key, void **ret) {
        while (ctx)
                if (!ctx->kind)
                        ctx = ctx->parent;
                else if (ctx->kind->find(&ctx, key, ret))
                        return true;
        return false;
}

/* Death */

_public_ struct curfew_ctx *curfew_ctx_ref(struct curfew_ctx *ctx) {
        if (ctx)
                refs_take(&ctx->refs);
        return ctx;
}

/* Whether that was the last reference; then it is on no list any more. */
static bool let_go(struct curfew_ctx *ctx) {
        if (!refs_drop(&ctx->refs))
                return false;

        /* Once it is marked, only a bell of it may still be used under the lock; and its links mean
         * nothing any more, see take_first(). */
        if (ctx->root->memory != ctx && (is_live(ctx) || ctx->bell)) {
                root_lock(ctx->root);
                if (is_live(ctx))
                        list_unlink(&ctx->sibling);
                root_unlock(ctx->root);
        }
        return true;
}

void ctx_release(struct curfew_ctx *ctx, struct list *dead) {
        if (ctx && let_go(ctx))
                list_append(dead, &ctx->sibling);
}

static void destroy(struct curfew_ctx *ctx, struct list *dead) {
        struct root *root = ctx->root;

        if (ctx->kind)
                ctx->kind->free(ctx, dead); /* nobody tells a merge of anything after this */
        list_for_each_safe (i, &ctx->afters)
                after_delete(list_entry(i, struct curfew_after, link));
        if (ctx->bell)
                ctx->bell->free(ctx->bell);
        free(ctx->text);
        ctx_release(ctx->parent, dead);

        if (root->memory == ctx)
                root_unref(root);
        else
                free(ctx);
}

_public_ struct curfew_ctx *curfew_ctx_unref(struct curfew_ctx *ctx) {
        struct list dead, *first;

        if (!ctx || !let_go(ctx))
                return NULL;

        list_init(&dead);
        destroy(ctx, &dead);
        while ((first = list_first(&dead))) {
                list_unlink(first);
                destroy(list_entry(first, struct curfew_ctx, sibling), &dead);
        }
        return NULL;
}
