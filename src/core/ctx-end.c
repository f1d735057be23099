// SPDX-License-Identifier: MIT
#include "core/ctx.h"

#include <string.h>

/*
 * The end of a node is the end of all below it. They are marked in one go, under the lock, level by
 * level, with the list of those still to be marked threaded through the very links that had tied
 * them to their siblings: no recursion, no memory, whatever the shape. Nothing but their err is
 * written: the cause is with the one where the end began, the origin, in the place of the links
 * that it needs no more; and that is the first origin on the way up.
 *
 * Those who have to know at once are hooks, called under the lock as the node is marked: a
 * descriptor becomes readable, a run is told, and a merge joins the line as the child of whichever
 * parent has ended first; its lock is theirs. So when the lock is released, all of it has happened,
 * and who finds a context done that still has hooks to be called waits for the lock: there is no
 * moment at which a context is done for one who asks and not for one who polls.
 *
 * The functions of callers are queued meanwhile, and called when the lock is released: see after.c.
 */

/* Those still to be marked, by the links that had tied them to their siblings. */
struct line {
        struct list *first, *last;
};

struct ctx_ending {
        int err;
        struct line line;
        struct after_queue *queue;
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

static void call_hooks(struct ctx_sequel *sequel, struct ctx_ending *ending) {
        struct list *first;

        while ((first = list_first(&sequel->hooks))) {
                struct ctx_hook *hook = list_entry(first, struct ctx_hook, link);

                list_unlink(first);
                hook->fn(hook, ending);
        }
        atomic_store_explicit(&sequel->is_settled, true, memory_order_release);
}

/* Mark a node, and add what follows from it to the line and the queue. Then it may be gone, unless
 * it has a sequel: see let_go() in ctx.c. */
static void mark(struct curfew_ctx *ctx, struct ctx_ending *ending) {
        struct ctx_sequel *sequel = atomic_load_explicit(&ctx->sequel, memory_order_acquire);

        if (ctx->children) {
                line_join(&ending->line, ctx->children);
                ctx->children = NULL;
        }
        atomic_store_explicit(&ctx->err, (int16_t)ending->err, memory_order_release);
        if (!sequel)
                return;
        after_queue_take(ending->queue, &sequel->afters);
        call_hooks(sequel, ending);
}

static void mark_line(struct ctx_ending *ending) {
        struct curfew_ctx *ctx;

        while ((ctx = line_take(&ending->line)))
                mark(ctx, ending);
}

/* Its place in the line is a sibling's, which a merge has no other use for; and from now on it has
 * one parent, which the cause is looked for on the way to. One that is being freed is left alone.
 */
void ctx_follow(struct curfew_ctx *ctx, struct curfew_ctx *from, struct ctx_ending *ending) {
        if (!ctx_is_live(ctx) || ctx->parent || refs_gone(&ctx->refs))
                return;
        ctx->parent = from;
        list_init(&ctx->sibling);
        line_join(&ending->line, &ctx->sibling);
}

/* End a node, and all below it, unless it is done. What follows is in the queue. */
static bool end(
        struct curfew_ctx *ctx, int err, struct ctx_cause cause, struct after_queue *queue) {
        struct ctx_ending ending = { .err = err, .queue = queue };
        struct root *root = ctx_get_root(ctx);
        bool ends;

        root_lock(root);
        ends = ctx_is_live(ctx);
        if (ends) {
                if (!(ctx->flags & CTX_TOP))
                        ring_unlink(&ctx->parent->children, &ctx->sibling);
                ctx->is_origin = true;
                ctx->cause = cause;
                mark(ctx, &ending);
                mark_line(&ending);
        }
        root_unlock(root);
        return ends;
}

/* The text is copied. */
static int cancel(struct curfew_ctx *ctx, struct curfew_cause cause, struct after_queue *queue) {
        char *text = cause.text ? strdup(cause.text) : NULL;

        if (!end(ctx, -ECANCELED, (struct ctx_cause){ text, cause.code, text != NULL }, queue)) {
                free(text);
                return 0;
        }
        return cause.text && !text ? -ENOMEM : 0;
}

int ctx_cancel(struct curfew_ctx *ctx, struct curfew_cause cause) {
        struct after_queue queue;
        int r;

        after_queue_init(&queue, ctx_get_root(ctx));
        r = cancel(ctx, cause, &queue);
        after_queue_run(&queue);
        return r;
}

static void look_at_sources(struct curfew_ctx *ctx, struct after_queue *queue) {
        const struct sources *sources = ctx->terms->sources;
        char text[SOURCE_TEXT];

        for (size_t i = 0; sources && i < sources->n && ctx_is_live(ctx); ++i) {
                struct source *source = sources->list[i];
                int code = source->look(source, text);

                if (code != 0)
                        cancel(source->ctx, (struct curfew_cause){ code, text }, queue);
        }
}

/* Its deadline has passed, whose is above it, or itself. */
static void expire(struct curfew_ctx *owner, struct after_queue *queue) {
        const struct curfew_cause *cause = &owner->terms->cause;

        end(owner, -ETIMEDOUT, (struct ctx_cause){ cause->text, cause->code, false }, queue);
}

/* All that can end it hangs together with it, so one queue is enough for what follows. */
int ctx_look_quietly(struct curfew_ctx *ctx, int64_t now, struct after_queue *queue) {
        int err = ctx_get_err(ctx);

        if (err != 0 || !ctx_is_due(ctx, now))
                return err;

        look_at_sources(ctx, queue);
        if (ctx_is_live(ctx) && ctx->terms->deadline <= now)
                expire(ctx->terms->owner, queue);
        return ctx_get_err(ctx);
}

int ctx_look(struct curfew_ctx *ctx, int64_t now) {
        struct after_queue queue;
        int err;

        after_queue_init(&queue, ctx_get_root(ctx));
        err = ctx_look_quietly(ctx, now, &queue);
        if (err != 0)
                ctx_settle(ctx);
        after_queue_run(&queue); /* what is called may let go of it */
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
        list_init(&sequel->hooks);
        list_init(&sequel->afters);
        sequel->bell = NULL;
        atomic_init(&sequel->is_settled, false);
        if (!atomic_compare_exchange_strong(&ctx->sequel, &none, sequel))
                free(sequel); /* somebody else was first */
        return 0;
}

static _cold_ void wait_for_hooks(struct root *root, struct ctx_sequel *sequel) {
        root_lock(root);
        atomic_store_explicit(&sequel->is_settled, true, memory_order_release);
        root_unlock(root);
}

void ctx_settle(struct curfew_ctx *ctx) {
        struct ctx_sequel *sequel = atomic_load_explicit(&ctx->sequel, memory_order_acquire);

        if (sequel && !atomic_load_explicit(&sequel->is_settled, memory_order_acquire))
                wait_for_hooks(ctx_get_root(ctx), sequel);
}

/* Under the lock. A hook that is called here makes nothing follow but an end: of a merge that has
 * nobody yet. */
static void add_hook(struct curfew_ctx *ctx, struct ctx_hook *hook, struct after_queue *queue) {
        struct ctx_ending ending = { .err = ctx_get_err(ctx), .queue = queue };

        list_init(&hook->link);
        if (ctx_is_live(ctx)) {
                list_append(&ctx->sequel->hooks, &hook->link);
        } else {
                hook->fn(hook, &ending);
                mark_line(&ending);
        }
}

void ctx_add_hook(struct curfew_ctx *ctx, struct ctx_hook *hook) {
        struct root *root = ctx_get_root(ctx);
        struct after_queue queue;

        after_queue_init(&queue, root);
        root_lock(root);
        add_hook(ctx, hook, &queue);
        root_unlock(root);
        after_queue_run(&queue);
}

void ctx_remove_hook(struct curfew_ctx *ctx, struct ctx_hook *hook) {
        root_lock(ctx_get_root(ctx));
        list_unlink(&hook->link);
        root_unlock(ctx_get_root(ctx));
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
        struct after_queue queue;
        struct ctx_bell *other;

        after_queue_init(&queue, root);
        root_lock(root);
        other = ctx->sequel->bell;
        if (!other) {
                ctx->sequel->bell = bell;
                add_hook(ctx, &bell->hook, &queue);
        }
        root_unlock(root);
        return other;
}

static void add_after(struct curfew_ctx *ctx, struct curfew_after *after) {
        struct root *root = root_ref(ctx_get_root(ctx));
        struct after_queue queue;

        after->root = root;
        after_queue_init(&queue, root);

        root_lock(root);
        if (ctx_is_live(ctx))
                list_append(&ctx->sequel->afters, &after->link);
        else
                after_queue_add(&queue, after);
        root_unlock(root);

        after_queue_run(&queue);
}

int ctx_after(struct curfew_ctx *ctx, void (*fn)(void *arg), void *arg, struct curfew_after **ret) {
        struct curfew_after *after;
        int r;

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
        add_after(ctx, after);
        return 0;
}
