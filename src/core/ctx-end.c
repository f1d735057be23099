// SPDX-License-Identifier: MIT
#include "core/ctx.h"

#include <string.h>

/*
 * The end of a node is the end of all below it. They are marked in one go, under the lock, level by
 * level, with the list of those still to be marked threaded through the very links that had tied
 * them to their siblings: no recursion, no memory, whatever the shape. Nothing but their err is
 * written: the cause is with the one where the end began, the origin, in the place of the links
 * that it needs no more; and that is the first origin on the way up. What follows from the end is
 * queued meanwhile: see after.c.
 *
 * The merge that has been told ends with a copy of the cause: its origin is in another tree. The
 * text is that one's; it is above the merge, so it lives at least as long.
 */

/* Those still to be marked, by the links that had tied them to their siblings. */
struct line {
        struct list *first, *last;
};

static void line_join(struct line *line, struct list *children) {
        if (line->first)
                line->last->next = children;
        else
                line->first = children;
        line->last = children->prev;
}

/* Only the way forward is kept: nobody goes back any more, and where there are many, to write to
 * each twice is most of the work. */
static struct curfew_ctx *line_take(struct line *line) {
        struct list *first = line->first;

        if (!first)
                return NULL;
        line->first = first == line->last ? NULL : first->next;
        return list_entry(first, struct curfew_ctx, sibling);
}

/* Under the lock: mark a node, and add what follows from it to the line and the queue. Then it may
 * be gone, unless it has a sequel: see let_go() in ctx.c. */
static void mark(struct curfew_ctx *ctx, int err, struct line *line, struct after_queue *queue) {
        struct ctx_sequel *sequel = atomic_load_explicit(&ctx->sequel, memory_order_acquire);

        if (ctx->children) {
                line_join(line, ctx->children);
                ctx->children = NULL;
        }
        if (sequel)
                after_queue_take(queue, &sequel->afters);
        atomic_store_explicit(&ctx->err, (int16_t)err, memory_order_release);
        if (sequel && sequel->bell)
                sequel->bell->ring(sequel->bell);
}

/* Under the lock: end a node, and all below it. */
static void end(
        struct curfew_ctx *ctx, int err, struct ctx_cause cause, struct after_queue *queue) {
        struct line line = { NULL, NULL };

        if (!(ctx->flags & CTX_TOP))
                ring_unlink(&ctx->parent->children, &ctx->sibling);
        ctx->is_origin = true;
        ctx->cause = cause;
        do {
                mark(ctx, err, &line, queue);
        } while ((ctx = line_take(&line)));
}

/* Unless it is done; or a merge that is told while it is being freed. */
static bool end_live(
        struct curfew_ctx *ctx, int err, struct ctx_cause cause, struct after_queue *queue) {
        struct root *root = ctx_get_root(ctx);
        bool ends;

        root_lock(root);
        ends = ctx_is_live(ctx) && !refs_gone(&ctx->refs);
        if (ends)
                end(ctx, err, cause, queue);
        root_unlock(root);
        return ends;
}

/* With all that follows. */
static bool end_fully(struct curfew_ctx *ctx, int err, struct ctx_cause cause) {
        struct after_queue queue;
        bool ends;

        after_queue_init(&queue, ctx_get_root(ctx));
        ends = end_live(ctx, err, cause, &queue);
        after_queue_run(&queue);
        return ends;
}

static _cold_ int cancel_with_text(struct curfew_ctx *ctx, struct curfew_cause cause) {
        char *text = strdup(cause.text);

        if (!end_fully(ctx, -ECANCELED, (struct ctx_cause){ text, cause.code, true })) {
                free(text);
                return 0;
        }
        return text ? 0 : -ENOMEM;
}

int ctx_cancel(struct curfew_ctx *ctx, struct curfew_cause cause) {
        if (cause.text)
                return cancel_with_text(ctx, cause);
        end_fully(ctx, -ECANCELED, (struct ctx_cause){ NULL, cause.code, false });
        return 0;
}

bool ctx_follow(struct curfew_ctx *ctx, const struct curfew_ctx *other, struct after_queue *queue) {
        struct curfew_cause cause = ctx_get_cause(other);

        return end_live(ctx, ctx_get_err(other),
                (struct ctx_cause){ cause.text, cause.code, false }, queue);
}

/* Its deadline has passed. The merge that it is below may not have been told yet of the end of
 * whose that is. */
static void expire(struct curfew_ctx *ctx) {
        struct curfew_ctx *owner = ctx->terms->owner;
        const struct curfew_cause *cause = &owner->terms->cause;
        struct after_queue queue;

        end_fully(owner, -ETIMEDOUT, (struct ctx_cause){ cause->text, cause->code, false });
        if (!ctx_is_live(ctx))
                return;

        after_queue_init(&queue, ctx_get_root(ctx));
        ctx_follow(ctx, owner, &queue);
        after_queue_run(&queue);
}

static void look_at_sources(struct curfew_ctx *ctx) {
        const struct sources *sources = ctx->terms->sources;

        for (size_t i = 0; sources && i < sources->n && ctx_is_live(ctx); ++i)
                sources->list[i]->look(sources->list[i]);
}

int ctx_look(struct curfew_ctx *ctx, int64_t now) {
        int err = ctx_get_err(ctx);

        if (err != 0 || !ctx_is_due(ctx, now))
                return err;

        curfew_ctx_ref(ctx); /* what is called by its end may let go of it */
        look_at_sources(ctx);
        if (ctx_is_live(ctx) && ctx->terms->deadline <= now)
                expire(ctx);
        err = ctx_get_err(ctx);
        curfew_ctx_unref(ctx);
        return err;
}

struct curfew_cause ctx_get_cause(const struct curfew_ctx *ctx) {
        int err = ctx_get_err(ctx);

        while (!ctx->is_origin)
                ctx = ctx->parent;
        if (ctx->cause.code != 0 || ctx->cause.text)
                return (struct curfew_cause){ ctx->cause.code, ctx->cause.text };
        return (struct curfew_cause){ err, err == -ETIMEDOUT ? "deadline exceeded" : "cancelled" };
}

/* Who is told of it */

int ctx_prepare_sequel(struct curfew_ctx *ctx) {
        struct ctx_sequel *sequel, *none = NULL;

        if (atomic_load_explicit(&ctx->sequel, memory_order_acquire))
                return 0;

        sequel = malloc(sizeof(*sequel));
        if (!sequel)
                return -ENOMEM;
        list_init(&sequel->afters);
        sequel->bell = NULL;
        if (!atomic_compare_exchange_strong(&ctx->sequel, &none, sequel))
                free(sequel); /* somebody else was first */
        return 0;
}

void ctx_add_after(struct curfew_ctx *ctx, struct curfew_after *after) {
        struct root *root = ctx_get_root(ctx);
        struct after_queue queue;

        after->root = root;
        root_ref(root);
        after_queue_init(&queue, root);

        root_lock(root);
        if (ctx_is_live(ctx))
                list_append(&ctx->sequel->afters, &after->link);
        else
                after_queue_add(&queue, after);
        root_unlock(root);

        after_queue_run(&queue);
}

_public_ int curfew_ctx_after(
        struct curfew_ctx *ctx, void (*fn)(void *arg), void *arg, struct curfew_after **ret) {
        struct curfew_after *after;
        int r;

        if (!ctx || !fn)
                return -EINVAL;

        r = ctx_prepare_sequel(ctx);
        if (r < 0)
                return r;
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
        struct ctx_sequel *sequel = atomic_load_explicit(&ctx->sequel, memory_order_acquire);
        struct ctx_bell *bell;

        if (!sequel)
                return NULL;
        root_lock(ctx_get_root(ctx));
        bell = sequel->bell;
        root_unlock(ctx_get_root(ctx));
        return bell;
}

struct ctx_bell *ctx_set_bell(struct curfew_ctx *ctx, struct ctx_bell *bell) {
        struct root *root = ctx_get_root(ctx);
        struct ctx_bell *other;

        root_lock(root);
        other = ctx->sequel->bell;
        if (!other) {
                ctx->sequel->bell = bell;
                if (!ctx_is_live(ctx))
                        bell->ring(bell);
        }
        root_unlock(root);
        return other;
}
