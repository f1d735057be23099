// SPDX-License-Identifier: MIT
#pragma once

/* The tree of contexts: what is done when, and why. Time is an argument. */

#include "base/base.h"
#include "base/clock.h"
#include "base/list.h"
#include "core/after.h"
#include "core/root.h"
#include "curfew.h"

/* Rung, under a lock, when the context it is set on becomes done; freed with that context. */
struct ctx_bell {
        void (*ring)(struct ctx_bell *bell);
        void (*free)(struct ctx_bell *bell);
};

/* Where a context may be found done without anybody calling in: looked at by whoever asks for the
 * state of that context or of one below. `look` cancels it if there is reason to. */
struct source {
        struct curfew_ctx *ctx; /* set by source_new() */
        int fd;                 /* polls readable when a look is worth it */
        void (*look)(struct source *source);
        void (*free)(struct source *source);
};

/* All the sources that a context depends on, the outermost first; there as long as the context. */
struct sources {
        size_t n;
        struct source *list[];
};

/* What a context that is more than a node has of its own. */
struct ctx_kind {
        /* Whether it has a value under the key; if not, `*ctx` becomes the next to be asked. */
        bool (*find)(const struct curfew_ctx **ctx, const void *key, void **ret);
        /* Give back what it has; other contexts with ctx_release(). The node goes after that. */
        void (*free)(struct curfew_ctx *ctx, struct list *dead);
};

struct curfew_ctx {
        atomic_uint refs;
        atomic_int err;              /* 0, then for ever -ECANCELED or -ETIMEDOUT */
        struct root *root;           /* shared by all that hang together */
        const struct ctx_kind *kind; /* or NULL */
        struct curfew_ctx *parent;
        struct curfew_ctx *origin; /* whose deadline it has; once done, whose end it was */
        int64_t deadline;          /* the earliest on its path */
        const struct sources *sources;
        struct ctx_bell *bell;
        struct list sibling, children, afters;
        char *text; /* with the code, the cause of its own deadline, then of its own end */
        int code;
};

/* `deadline` may be CLOCK_NEVER; the cause applies if it is what ends the context. */
int ctx_new(struct curfew_ctx *parent, int64_t deadline, const struct curfew_cause *cause,
        struct curfew_ctx **ret);
int ctx_new_without_cancel(struct curfew_ctx *parent, struct curfew_ctx **ret);

/* With the cause of the caller's choice; { 0, NULL } is the plain one. -ENOMEM: done all the same,
 * without the text. */
int ctx_cancel(struct curfew_ctx *ctx, const struct curfew_cause *cause);

/* Look at its sources and at the time, and end it if it has to. */
int ctx_look(struct curfew_ctx *ctx, int64_t now);

/* The state that is known without a look. */
static inline int ctx_get_err(const struct curfew_ctx *ctx) {
        return atomic_load_explicit(&ctx->err, memory_order_acquire);
}

/* Whether it may be found done only by looking at its sources. */
static inline bool ctx_has_sources(const struct curfew_ctx *ctx) {
        return ctx->sources;
}

/* Whether a look could find more: only then is it worth asking for the time. */
static inline bool ctx_needs_look(const struct curfew_ctx *ctx) {
        return ctx->sources || ctx->deadline != CLOCK_NEVER;
}

/* Of a context that is done. */
struct curfew_cause ctx_get_cause(const struct curfew_ctx *ctx);

/* The nearest value under the key, on the way up. */
bool ctx_find(const struct curfew_ctx *ctx, const void *key, void **ret);

/* Have the bell rung when the context is done, at once if it is; unless it has one already: then
 * that is returned, and the new one is the caller's to free. Else NULL. */
struct ctx_bell *ctx_set_bell(struct curfew_ctx *ctx, struct ctx_bell *bell);
struct ctx_bell *ctx_get_bell(struct curfew_ctx *ctx);

/* For those with a kind. */

/* Memory for a node, the first member of what is `size` bytes large: in the tree of that root, or,
 * without one, the topmost of a tree of its own. */
int ctx_alloc(size_t size, const struct ctx_kind *kind, struct root *root, struct curfew_ctx **ret);

/* Hang a new node, complete but for what it inherits, below its parent, which has the same root: it
 * ends with it, or has ended with it. */
void ctx_attach(struct curfew_ctx *ctx, struct curfew_ctx *parent);

/* Whose deadline it has; once done, whose end it was. */
struct curfew_ctx *ctx_get_origin(struct curfew_ctx *ctx);

/* Have `after`, set up but for its root, take place once the context is done. */
void ctx_add_after(struct curfew_ctx *ctx, struct curfew_after *after);

/* End it as `origin` has ended, with all below it, unless it is done. What follows is in the queue.
 */
bool ctx_follow(
        struct curfew_ctx *ctx, int err, struct curfew_ctx *origin, struct after_queue *queue);

/* Let go of a context; if that was the last reference, it joins the dead, to be freed by who has
 * the list. */
void ctx_release(struct curfew_ctx *ctx, struct list *dead);
