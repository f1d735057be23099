// SPDX-License-Identifier: MIT
#pragma once

/* The tree of contexts: what is done when, and why. Time is an argument. */

#include "base/base.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/refs.h"
#include "base/ring.h"
#include "core/after.h"
#include "core/root.h"
#include "curfew.h"

/* An end on its way through all that it reaches. */
struct ctx_ending;

/* Called under the lock, as soon as a context is done: so it stands behind nobody's functions. */
struct ctx_hook {
        struct list link;
        void (*fn)(struct ctx_hook *hook, struct ctx_ending *ending);
};

/* What can be polled for the end of a context; freed with that. */
struct ctx_bell {
        struct ctx_hook hook; /* rings it */
        void (*free)(struct ctx_bell *bell);
};

#define SOURCE_TEXT 64

/* Where a context may be found done without anybody calling in: looked at by whoever asks for the
 * state of that context or of one below. */
struct source {
        struct curfew_ctx *ctx; /* set by source_new() */
        int fd;                 /* polls readable when a look is worth it */
        /* 0, or the code of the cause for which the context is over, with a text. */
        int (*look)(struct source *source, char ret_text[SOURCE_TEXT]);
        void (*free)(struct source *source);
};

/* All the sources that a context depends on, the outermost first, each once; there as long as the
 * context, which may share it with those below. */
struct sources {
        const struct curfew_ctx *owner;
        size_t n;
        struct source *list[];
};

/* By what a context may end, other than a cancel: its parent's, if it has no more to say. Nothing
 * changes in them once a context has been attached. */
struct ctx_terms {
        struct root *root;         /* its lock is that of all that hang together */
        int64_t deadline;          /* the earliest on the path */
        struct curfew_ctx *owner;  /* whose deadline that is, or NULL */
        struct curfew_cause cause; /* of the deadline; the text is the owner's */
        struct sources *sources;   /* or NULL */
};

/* Why a context is done, where that has not come from above. */
struct ctx_cause {
        const char *text;
        int code;
        bool is_copy; /* to be freed with the context */
};

/* What follows from its end. */
struct ctx_sequel {
        struct list hooks, afters;
        struct ctx_bell *bell;
        atomic_bool is_settled; /* all hooks have been called */
};

enum {
        CTX_TOP = 1 << 0,    /* the topmost of a tree */
        CTX_KIND = 1 << 1,   /* a struct ctx_of_kind */
        CTX_MERGE = 1 << 2,  /* a struct merge, too */
        CTX_LOOK = 1 << 3,   /* may end by its terms */
        CTX_MERGED = 1 << 4, /* is a merge, or has one above it; it is below it in one lock */
};

/* There may be a million of these, so a node has what each of them needs, and is a cache line with
 * what malloc adds. What only some have lies behind it (terms, kind) or apart (sequel). */
struct curfew_ctx {
        atomic_uint refs;
        _Atomic(int16_t) err; /* 0, then for ever -ECANCELED or -ETIMEDOUT */
        bool is_origin;       /* of its end, which has not come from above */
        uint8_t flags;        /* of its birth */
        struct ctx_terms *terms;
        struct curfew_ctx *parent;
        struct list *children; /* those that are live, a ring */
        _Atomic(struct ctx_sequel *) sequel;
        union {
                struct list sibling;
                struct ctx_cause cause; /* of an origin, which no parent lists any more */
        };
};

/* What a context that is more than a node has of its own. */
struct ctx_kind {
        /* Give back what it has; other contexts with ctx_release(). The node goes after that. */
        void (*free)(struct curfew_ctx *ctx, struct list *dead);
};

struct ctx_of_kind {
        struct curfew_ctx ctx;
        const struct ctx_kind *kind;
};

static inline const struct ctx_kind *ctx_get_kind(const struct curfew_ctx *ctx) {
        return container_of(ctx, const struct ctx_of_kind, ctx)->kind;
}

int ctx_new(struct curfew_ctx *parent, struct curfew_ctx **ret);
int ctx_new_without_cancel(struct curfew_ctx *parent, struct curfew_ctx **ret);

/* The cause applies if the deadline is what ends the context. Where the parent's is as early, or
 * the deadline is CLOCK_NEVER, it has none of its own. */
int ctx_new_with_deadline(struct curfew_ctx *parent, int64_t deadline, struct curfew_cause cause,
        struct curfew_ctx **ret);

/* With the cause of the caller's choice; { 0, NULL } is the plain one. -ENOMEM: done all the same,
 * without the text. */
int ctx_cancel(struct curfew_ctx *ctx, struct curfew_cause cause);

/* Look at its sources and at the time, and end it if it has to; what follows then is called, or
 * (quietly) in the queue, which is set up for its root. */
int ctx_look(struct curfew_ctx *ctx, int64_t now);
int ctx_look_quietly(struct curfew_ctx *ctx, int64_t now, struct after_queue *queue);

/* The state that is known without a look. Its hooks may still be being called. */
static inline int ctx_get_err(const struct curfew_ctx *ctx) {
        return atomic_load_explicit(&ctx->err, memory_order_acquire);
}

/* Wait until they have been. */
void ctx_settle(struct curfew_ctx *ctx);

static inline bool ctx_is_live(const struct curfew_ctx *ctx) {
        return ctx_get_err(ctx) == 0;
}

/* Whether it may be found done only by looking at its sources. */
static inline bool ctx_has_sources(const struct curfew_ctx *ctx) {
        return ctx->terms->sources;
}

/* Whether a look could ever find more: only then is it worth asking for the time. */
static inline bool ctx_needs_look(const struct curfew_ctx *ctx) {
        return ctx->flags & CTX_LOOK;
}

/* Whether one could at that time. */
static inline bool ctx_is_due(const struct curfew_ctx *ctx, int64_t now) {
        return ctx->terms->sources || ctx->terms->deadline <= now;
}

/* Of a context that is done. */
struct curfew_cause ctx_get_cause(const struct curfew_ctx *ctx);

/* Have a place for what follows from its end: before a hook, a bell or an after is added. -ENOMEM.
 */
int ctx_prepare_sequel(struct curfew_ctx *ctx);

/* Have the hook called when the context is done, at once if it is; and don't any more. */
void ctx_add_hook(struct curfew_ctx *ctx, struct ctx_hook *hook);
void ctx_remove_hook(struct curfew_ctx *ctx, struct ctx_hook *hook);

/* Have the bell rung when the context is done, at once if it is; unless it has one already: then
 * that is returned, and the new one is the caller's to free. Else NULL. */
struct ctx_bell *ctx_set_bell(struct curfew_ctx *ctx, struct ctx_bell *bell);
struct ctx_bell *ctx_get_bell(struct curfew_ctx *ctx);

/* See curfew_ctx_after(); the context is not looked at. */
int ctx_after(struct curfew_ctx *ctx, void (*fn)(void *arg), void *arg, struct curfew_after **ret);

/* For those with a kind. */

/* Memory for a node of a kind, the first member of what is `size` bytes large; to be attached next.
 * Without a parent it is the topmost of a tree of its own. Its terms are its parent's unless it is
 * `on_terms` of its own, a copy of these; the topmost has its own, without deadline or sources. */
int ctx_alloc(size_t size, const struct ctx_kind *kind, const struct curfew_ctx *parent,
        bool on_terms, struct curfew_ctx **ret);

/* Terms that are its own. */
void ctx_set_deadline(struct curfew_ctx *ctx, int64_t deadline, struct curfew_ctx *owner);
void ctx_set_sources(struct curfew_ctx *ctx, struct sources *sources);

/* Hang a new node, complete, below its parent: it ends with it, or has ended with it. */
void ctx_attach(struct curfew_ctx *ctx, struct curfew_ctx *parent);

static inline struct root *ctx_get_root(const struct curfew_ctx *ctx) {
        return ctx->terms->root;
}

/* From a hook of `from`: end `ctx`, a topmost that is above nothing of what has ended so far, with
 * all below it, for the same cause; `from` is there as long as it. */
void ctx_follow(struct curfew_ctx *ctx, struct curfew_ctx *from, struct ctx_ending *ending);

/* Let go of a context; if that was the last reference, it joins the dead, to be freed by who has
 * the list. */
void ctx_release(struct curfew_ctx *ctx, struct list *dead);
