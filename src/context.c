// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "bell.h"
#include "core/ctx.h"
#include "core/deadline.h"
#include "core/merge.h"
#include "core/value.h"
#include "curfew.h"

#include <poll.h>
#include <pthread.h>

/* core decides; what it lacks is added here: the time, the descriptor, and waiting. */

_public_ int64_t curfew_now(void) {
        return clock_now();
}

/* The clock is read only for a context that can end by it. Who finds it done finds all that can be
 * polled for it readable. */
static int look(struct curfew_ctx *ctx) {
        int err = ctx_get_err(ctx);

        if (err != 0)
                ctx_settle(ctx);
        else if (ctx_needs_look(ctx))
                err = ctx_look(ctx, clock_towards(ctx->terms->deadline));
        return err;
}

static const struct curfew_cause plain_cause = { 0, NULL };

_public_ int curfew_ctx_with_cancel(struct curfew_ctx *parent, struct curfew_ctx **ret) {
        return ret ? ctx_new(parent, ret) : -EINVAL;
}

/* One whose time is past is born done. */
static int with_deadline(struct curfew_ctx *parent, int64_t deadline, int64_t now,
        struct curfew_cause cause, struct curfew_ctx **ret) {
        struct curfew_ctx *ctx;
        int r;

        if (!ret)
                return -EINVAL;

        r = ctx_new_with_deadline(parent, deadline, cause, &ctx);
        if (r < 0)
                return r;

        ctx_look(ctx, now);
        *ret = ctx;
        return 0;
}

_public_ int curfew_ctx_with_deadline(
        struct curfew_ctx *parent, int64_t deadline, struct curfew_ctx **ret) {
        return with_deadline(parent, deadline, clock_now(), plain_cause, ret);
}

_public_ int curfew_ctx_with_deadline_cause(struct curfew_ctx *parent, int64_t deadline, int code,
        const char *text, struct curfew_ctx **ret) {
        const struct curfew_cause cause = { code, text };

        return with_deadline(parent, deadline, clock_now(), cause, ret);
}

_public_ int curfew_ctx_with_timeout(
        struct curfew_ctx *parent, int64_t timeout, struct curfew_ctx **ret) {
        int64_t now = clock_now();

        return with_deadline(parent, clock_after(now, timeout), now, plain_cause, ret);
}

_public_ int curfew_ctx_with_timeout_cause(struct curfew_ctx *parent, int64_t timeout, int code,
        const char *text, struct curfew_ctx **ret) {
        const struct curfew_cause cause = { code, text };
        int64_t now = clock_now();

        return with_deadline(parent, clock_after(now, timeout), now, cause, ret);
}

_public_ int curfew_ctx_without_cancel(struct curfew_ctx *parent, struct curfew_ctx **ret) {
        return ret ? ctx_new_without_cancel(parent, ret) : -EINVAL;
}

_public_ int curfew_ctx_with_value(struct curfew_ctx *parent, const void *key, void *value,
        void (*release)(void *value), struct curfew_ctx **ret) {
        return key && ret ? value_new(parent, key, value, release, ret) : -EINVAL;
}

_public_ int curfew_ctx_merge(struct curfew_ctx *const ctxs[], size_t n, struct curfew_ctx **ret) {
        return n > 0 && ctxs && ret ? merge_new(ctxs, n, ret) : -EINVAL;
}

_public_ int curfew_ctx_from_environment(struct curfew_ctx *parent, struct curfew_ctx **ret) {
        const char *text = getenv("CURFEW_DEADLINE");
        int64_t deadline = CLOCK_NEVER;
        bool broken = text && *text && deadline_parse(text, &deadline) < 0;
        int r = curfew_ctx_with_deadline(parent, deadline, ret);

        return r < 0 ? r : broken;
}

_public_ void curfew_ctx_cancel(struct curfew_ctx *ctx) {
        curfew_ctx_cancel_cause(ctx, 0, NULL);
}

/* A deadline that has passed came first. */
static int look_and_cancel(struct curfew_ctx *ctx, struct curfew_cause cause) {
        int64_t now = clock_towards(ctx->terms->deadline);
        int r;

        if (!ctx_is_due(ctx, now))
                return ctx_cancel(ctx, cause);

        curfew_ctx_ref(ctx); /* what a look calls may let go of it */
        ctx_look(ctx, now);
        r = ctx_cancel(ctx, cause);
        curfew_ctx_unref(ctx);
        return r;
}

_public_ int curfew_ctx_cancel_cause(struct curfew_ctx *ctx, int code, const char *text) {
        const struct curfew_cause cause = { code, text };

        if (!ctx)
                return 0;
        return ctx_needs_look(ctx) ? look_and_cancel(ctx, cause) : ctx_cancel(ctx, cause);
}

_public_ int curfew_ctx_err(struct curfew_ctx *ctx) {
        return ctx ? look(ctx) : 0;
}

_public_ int curfew_ctx_cause(struct curfew_ctx *ctx, struct curfew_cause *ret) {
        int err = curfew_ctx_err(ctx);

        *ret = err < 0 ? ctx_get_cause(ctx) : plain_cause;
        return err;
}

_public_ int64_t curfew_ctx_deadline(const struct curfew_ctx *ctx) {
        return ctx ? ctx->terms->deadline : CURFEW_FOREVER;
}

_public_ void *curfew_ctx_value(const struct curfew_ctx *ctx, const void *key) {
        void *value = NULL;

        value_find(ctx, key, &value);
        return value;
}

_public_ int curfew_ctx_after(
        struct curfew_ctx *ctx, void (*fn)(void *arg), void *arg, struct curfew_after **ret) {
        if (!ctx || !fn)
                return -EINVAL;
        look(ctx); /* a deadline that has passed, though nobody has looked */
        return ctx_after(ctx, fn, arg, ret);
}

_public_ int curfew_ctx_fd(struct curfew_ctx *ctx) {
        struct ctx_bell *other;
        struct bell *bell;
        int r;

        if (!ctx)
                return -EINVAL;

        other = ctx_get_bell(ctx);
        if (other)
                return bell_fd(container_of(other, struct bell, bell));

        r = ctx_prepare_sequel(ctx);
        if (r < 0)
                return r;
        r = bell_new(ctx, &bell);
        if (r < 0)
                return r;
        other = ctx_set_bell(ctx, &bell->bell);
        if (other)
                bell_free(bell);
        return bell_fd(other ? container_of(other, struct bell, bell) : bell);
}

/* Waiting */

static int poll_until(int fd, int64_t until) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        int64_t now = clock_now();
        struct timespec left = clock_timespec(until > now ? until - now : 0);
        int r = ppoll(&poll_fd, 1, until == CLOCK_NEVER ? NULL : &left, NULL);

        return r < 0 && errno != EINTR ? -errno : 0;
}

/* Somebody has to look at its sources: that takes a descriptor, for as long as the wait takes. */
static int wait_with_sources(struct curfew_ctx *ctx, int64_t limit) {
        struct bell *bell;
        int r = bell_new(ctx, &bell);

        if (r < 0)
                return r;

        ctx_add_hook(ctx, &bell->bell.hook);
        while (r == 0 && look(ctx) == 0) {
                if (limit != CLOCK_NEVER && clock_now() >= limit)
                        r = -ETIMEDOUT;
                else
                        r = poll_until(bell_fd(bell), limit);
        }
        ctx_remove_hook(ctx, &bell->bell.hook);
        bell_free(bell);
        return r;
}

struct waiter {
        struct ctx_hook hook;
        pthread_mutex_t lock;
        pthread_cond_t is_over;
        bool over;
};

static void waiter_init(struct waiter *waiter, void (*fn)(struct ctx_hook *, struct ctx_ending *)) {
        pthread_condattr_t attr;

        *waiter = (struct waiter){ .hook = { .fn = fn }, .lock = PTHREAD_MUTEX_INITIALIZER };
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&waiter->is_over, &attr);
        pthread_condattr_destroy(&attr);
}

static void waiter_deinit(struct waiter *waiter) {
        pthread_cond_destroy(&waiter->is_over);
        pthread_mutex_destroy(&waiter->lock);
}

static void on_over(struct ctx_hook *hook, struct ctx_ending *ending _unused_) {
        struct waiter *waiter = container_of(hook, struct waiter, hook);

        pthread_mutex_lock(&waiter->lock);
        waiter->over = true;
        pthread_cond_signal(&waiter->is_over);
        pthread_mutex_unlock(&waiter->lock);
}

static void sleep_until(struct waiter *waiter, int64_t until) {
        const struct timespec at = clock_timespec(until);
        int r = 0;

        pthread_mutex_lock(&waiter->lock);
        while (!waiter->over && r == 0) {
                if (until == CLOCK_NEVER)
                        pthread_cond_wait(&waiter->is_over, &waiter->lock);
                else
                        r = pthread_cond_timedwait(&waiter->is_over, &waiter->lock, &at);
        }
        pthread_mutex_unlock(&waiter->lock);
}

static int wait_without(struct curfew_ctx *ctx, int64_t limit) {
        struct waiter waiter;
        int r = 0;

        waiter_init(&waiter, on_over);
        ctx_add_hook(ctx, &waiter.hook);
        while (r == 0 && look(ctx) == 0) {
                if (limit != CLOCK_NEVER && clock_now() >= limit)
                        r = -ETIMEDOUT;
                else
                        sleep_until(&waiter, clock_min(limit, ctx->terms->deadline));
        }
        ctx_remove_hook(ctx, &waiter.hook);
        waiter_deinit(&waiter);
        return r;
}

static int wait_until(struct curfew_ctx *ctx, int64_t limit) {
        int r = ctx_prepare_sequel(ctx);

        if (r < 0)
                return r;
        curfew_ctx_ref(ctx); /* what a look calls may let go of it */
        r = ctx_has_sources(ctx) ? wait_with_sources(ctx, limit) : wait_without(ctx, limit);
        curfew_ctx_unref(ctx);
        return r;
}

/* The background is never done: only a limit could end this wait. */
static int wait_for_nothing(int64_t limit) {
        do {
                poll_until(-1, limit);
        } while (clock_now() < limit);
        return -ETIMEDOUT;
}

/* What a wait has hung on the context lies on this stack: so nobody cancels the thread in it. */
_public_ int curfew_ctx_wait(struct curfew_ctx *ctx, int64_t timeout) {
        int64_t limit = clock_after(clock_now(), timeout);
        int r, state;

        if (!ctx)
                return wait_for_nothing(limit);
        if (look(ctx) != 0)
                return 0;
        if (timeout <= 0)
                return -ETIMEDOUT;

        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
        r = wait_until(ctx, limit);
        pthread_setcancelstate(state, NULL);
        return r;
}
