// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "core/ctx.h"
#include "core/deadline.h"
#include "core/merge.h"
#include "core/source.h"
#include "core/value.h"
#include "curfew.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

/*
 * core decides; what it lacks is added here: the time, the descriptor, and signals.
 *
 * A context's descriptor is a timerfd, set to the deadline when it is made, and to "at once" when
 * the context ends: so it is readable from the end on, for whatever reason, and nobody ever reads
 * it. Where the end may come from a signal, an epoll of the timerfd and the signalfds stands in for
 * it: a signal makes it readable, whoever then asks for the state reads the signalfd and ends the
 * context, and that makes it readable for good.
 */

_public_ int64_t curfew_now(void) {
        return clock_now();
}

/* The clock is read only for a context that can end by it. */
static int look(struct curfew_ctx *ctx) {
        int err = ctx_get_err(ctx);

        if (err != 0 || !ctx_needs_look(ctx))
                return err;
        return ctx_look(ctx, clock_towards(ctx->terms->deadline));
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

        ctx_find(ctx, key, &value);
        return value;
}

/* Descriptors */

struct bell {
        struct ctx_bell bell;
        int timerfd;
        int epoll; /* -1 if the timerfd is enough */
};

/* Setting a timerfd makes it unreadable until its interrupt has come, which is soon but not now:
 * wait for it, so that whoever polls after a cancel finds what it promises. */
static void bell_ring(struct ctx_bell *b) {
        struct bell *bell = container_of(b, struct bell, bell);
        const struct itimerspec at_once = { .it_value = { .tv_nsec = 1 } };
        struct pollfd fd = { .fd = bell->timerfd, .events = POLLIN };

        timerfd_settime(bell->timerfd, 0, &at_once, NULL);
        while (poll(&fd, 1, -1) < 0 && errno == EINTR)
                ;
}

static void bell_free(struct ctx_bell *b) {
        struct bell *bell = container_of(b, struct bell, bell);

        close_fd(bell->epoll);
        close_fd(bell->timerfd);
        free(bell);
}

static void bell_freep(struct bell **bell) {
        if (*bell)
                bell_free(&(*bell)->bell);
}

static int bell_fd(struct ctx_bell *b) {
        struct bell *bell = container_of(b, struct bell, bell);

        return bell->epoll >= 0 ? bell->epoll : bell->timerfd;
}

/* A deadline that lies before the clock began disarms it: but then the context is done, and rings.
 */
static int set_timer(int timerfd, int64_t deadline) {
        struct itimerspec at = { .it_value = clock_timespec(deadline) };

        if (deadline == CLOCK_NEVER)
                return 0;
        return timerfd_settime(timerfd, TFD_TIMER_ABSTIME, &at, NULL) < 0 ? -errno : 0;
}

static int add_to_epoll(int epoll, int fd) {
        struct epoll_event event = { .events = EPOLLIN };

        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 && errno != EEXIST)
                return -errno;
        return 0;
}

static int bell_watch(struct bell *bell, const struct sources *sources) {
        int r;

        bell->epoll = raise_fd(epoll_create1(EPOLL_CLOEXEC));
        if (bell->epoll < 0)
                return -errno;

        r = add_to_epoll(bell->epoll, bell->timerfd);
        for (size_t i = 0; r == 0 && i < sources->n; ++i)
                r = add_to_epoll(bell->epoll, sources->list[i]->fd);
        return r;
}

static int bell_new(const struct curfew_ctx *ctx, struct bell **ret) {
        _cleanup_(close_fdp) int timerfd = -1;
        _cleanup_(bell_freep) struct bell *bell = NULL;
        int r;

        timerfd = raise_fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
        if (timerfd < 0)
                return -errno;
        r = set_timer(timerfd, ctx->terms->deadline);
        if (r < 0)
                return r;

        bell = malloc(sizeof(*bell));
        if (!bell)
                return -ENOMEM;
        *bell = (struct bell){
                .bell = { bell_ring, bell_free },
                .timerfd = steal_fd(&timerfd),
                .epoll = -1,
        };
        if (ctx_has_sources(ctx))
                r = bell_watch(bell, ctx->terms->sources);
        if (r < 0)
                return r;

        *ret = steal_ptr(bell);
        return 0;
}

_public_ int curfew_ctx_fd(struct curfew_ctx *ctx) {
        _cleanup_(bell_freep) struct bell *bell = NULL;
        struct ctx_bell *other;
        int r;

        if (!ctx)
                return -EINVAL;

        other = ctx_get_bell(ctx);
        if (other)
                return bell_fd(other);

        r = ctx_prepare_sequel(ctx);
        if (r < 0)
                return r;
        r = bell_new(ctx, &bell);
        if (r < 0)
                return r;
        other = ctx_set_bell(ctx, &bell->bell);
        return bell_fd(other ?: &steal_ptr(bell)->bell);
}

static int poll_until(int fd, int64_t deadline) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        int64_t now = clock_now();
        struct timespec left = clock_timespec(deadline > now ? deadline - now : 0);
        int r = ppoll(&poll_fd, 1, deadline == CLOCK_NEVER ? NULL : &left, NULL);

        return r < 0 && errno != EINTR ? -errno : 0;
}

static int wait_until(struct curfew_ctx *ctx, int64_t deadline) {
        int fd = curfew_ctx_fd(ctx);
        int r = fd < 0 ? fd : 0;

        while (r == 0 && look(ctx) == 0) {
                if (deadline != CLOCK_NEVER && clock_now() >= deadline)
                        return -ETIMEDOUT;
                r = poll_until(fd, deadline);
        }
        return r;
}

/* The background is never done: only a limit could end this wait. */
static int wait_for_nothing(int64_t deadline) {
        do {
                poll_until(-1, deadline);
        } while (clock_now() < deadline);
        return -ETIMEDOUT;
}

_public_ int curfew_ctx_wait(struct curfew_ctx *ctx, int64_t timeout) {
        int64_t deadline = clock_after(clock_now(), timeout);

        if (!ctx)
                return wait_for_nothing(deadline);
        if (look(ctx) != 0)
                return 0;
        return timeout <= 0 ? -ETIMEDOUT : wait_until(ctx, deadline);
}

/* Signals */

struct signal_source {
        struct source source;
        sigset_t blocked; /* by us, to be unblocked again */
};

/* The number of one that has been received, or 0. */
static int take_signal(int fd) {
        struct signalfd_siginfo info;

        return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

static void signal_source_look(struct source *source) {
        int saved = errno;
        int signal = take_signal(source->fd);
        char text[32];

        errno = saved;
        if (signal == 0)
                return;
        snprintf(text, sizeof(text), "SIG%s", curfew_signal_name(signal));
        ctx_cancel(source->ctx, (struct curfew_cause){ signal, text });
}

static void signal_source_free(struct source *s) {
        struct signal_source *source = container_of(s, struct signal_source, source);

        while (take_signal(s->fd) != 0)
                ;
        pthread_sigmask(SIG_UNBLOCK, &source->blocked, NULL);
        close_fd(s->fd);
        free(source);
}

static void signal_source_freep(struct signal_source **source) {
        if (*source)
                signal_source_free(&(*source)->source);
}

/* Those of `signals` that are not blocked yet. */
static sigset_t not_blocked(const sigset_t *signals, const sigset_t *mask) {
        sigset_t set;

        sigemptyset(&set);
        for (int signal = 1; signal <= SIGRTMAX; ++signal)
                if (sigismember(signals, signal) > 0 && sigismember(mask, signal) == 0)
                        sigaddset(&set, signal);
        return set;
}

static int signal_source_new(const sigset_t *signals, struct signal_source **ret) {
        _cleanup_(close_fdp) int fd = -1;
        struct signal_source *source;
        sigset_t mask;

        fd = raise_fd(signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK));
        if (fd < 0)
                return -errno;
        source = malloc(sizeof(*source));
        if (!source)
                return -ENOMEM;

        pthread_sigmask(SIG_BLOCK, signals, &mask);
        *source = (struct signal_source){
                .source = { .fd = steal_fd(&fd),
                        .look = signal_source_look,
                        .free = signal_source_free },
                .blocked = not_blocked(signals, &mask),
        };
        *ret = source;
        return 0;
}

_public_ int curfew_ctx_with_signals(
        struct curfew_ctx *parent, const sigset_t *signals, struct curfew_ctx **ret) {
        _cleanup_(signal_source_freep) struct signal_source *source = NULL;
        int r;

        if (!signals || !ret)
                return -EINVAL;

        r = signal_source_new(signals, &source);
        if (r < 0)
                return r;
        r = source_new(parent, &source->source, ret);
        if (r < 0)
                return r;

        steal_ptr(source);
        return 0;
}
