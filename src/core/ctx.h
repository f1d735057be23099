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

/* By what a context may end, other than a cancel: its parent's, if it has no more to say. Nothing
 * changes in them once a context has been attached. */
struct ctx_terms {
        struct root *root;         /* shared by all that hang together */
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
        struct list afters;
        struct ctx_bell *bell;
};

enum {
        CTX_TOP = 1 << 0,  /* the topmost of a tree */
        CTX_KIND = 1 << 1, /* a struct ctx_of_kind */
        CTX_LOOK = 1 << 2, /* may end by its terms */
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
        /* Whether it has a value under the key; if not, `*ctx` becomes the next to be asked. */
        bool (*find)(const struct curfew_ctx **ctx, const void *key, void **ret);
        /* Give back what it has; other contexts with ctx_release(). The node goes after that. */
        void (*free)(struct curfew_ctx *ctx, struct list *dead);
};

struct ctx_of_kind {
        struct curfew_ctx ctx;
        const struct ctx_kind *kind;
};

int ctx_new(struct curfew_ctx *parent, struct curfew_ctx **ret);
int ctx_new_without_cancel(struct curfew_ctx *parent, struct curfew_ctx **ret);

/* The cause applies if the deadline is what ends the context. Where the parent's is as early, or
 * the deadline is CLOCK_NEVER, it has none of its own. */
int ctx_new_with_deadline(struct curfew_ctx *parent, int64_t deadline, struct curfew_cause cause,
        struct curfew_ctx **ret);

/* With the cause of the caller's choice; { 0, NULL } is the plain one. -ENOMEM: done all the same,
 * without the text. */
int ctx_cancel(struct curfew_ctx *ctx, struct curfew_cause cause);

/* Look at its sources and at the time, and end it if it has to. */
int ctx_look(struct curfew_ctx *ctx, int64_t now);

/* The state that is known without a look. */
static inline int ctx_get_err(const struct curfew_ctx *ctx) {
        return atomic_load_explicit(&ctx->err, memory_order_acquire);
}

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

/* The nearest value under the key, on the way up. */
bool ctx_find(const struct curfew_ctx *ctx, const void *key, void **ret);

/* Have a place for what follows from its end: before a bell is set or an after added. -ENOMEM. */
int ctx_prepare_sequel(struct curfew_ctx *ctx);

/* Have the bell rung when the context is done, at once if it is; unless it has one already: then
 * that is returned, and the new one is the caller's to free. Else NULL. */
struct ctx_bell *ctx_set_bell(struct curfew_ctx *ctx, struct ctx_bell *bell);
struct ctx_bell *ctx_get_bell(struct curfew_ctx *ctx);

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

/* Have `after`, set up but for its root, take place once the context is done. */
void ctx_add_after(struct curfew_ctx *ctx, struct curfew_after *after);

/* End a context, with all below it, as `other` above it has ended, which may be in another tree;
 * unless it is done, or just being freed. What follows is in the queue. */
bool ctx_follow(struct curfew_ctx *ctx, const struct curfew_ctx *other, struct after_queue *queue);

/* Let go of a context; if that was the last reference, it joins the dead, to be freed by who has
 * the list. */
void ctx_release(struct curfew_ctx *ctx, struct list *dead);
