// SPDX-License-Identifier: MIT
#include "bell.h"
#include "base/clock.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

/*
 * An eventfd that is written to when the context ends, and never read. Where it may also end by its
 * terms, an epoll is polled instead, of the eventfd, a timerfd for the deadline, and the
 * descriptors of its sources: any of these makes it readable, whoever then asks for the state ends
 * the context, and that makes it readable for good.
 *
 * A timerfd alone could do all of it, set to "at once" by a cancel. But setting it takes back that
 * it was readable, until its interrupt has come. (TFD_IOC_SET_TICKS doesn't, where the kernel was
 * built with it.)
 */

static void ring(struct ctx_hook *hook, struct ctx_ending *ending _unused_) {
        const struct bell *bell = container_of(hook, struct bell, bell.hook);
        int saved = errno;

        (void)!write(bell->event, &(uint64_t){ 1 }, sizeof(uint64_t));
        errno = saved;
}

struct bell *bell_free(struct bell *bell) {
        if (!bell)
                return NULL;
        close_fd(bell->epoll);
        close_fd(bell->timer);
        close_fd(bell->event);
        free(bell);
        return NULL;
}

static void free_with_context(struct ctx_bell *bell) {
        bell_free(container_of(bell, struct bell, bell));
}

static void bell_freep(struct bell **bell) {
        bell_free(*bell);
}

/* A deadline that lies before the clock began disarms it: but then the context is done, and rings.
 */
static int open_timer(int64_t deadline, int *ret) {
        struct itimerspec at = { .it_value = clock_timespec(deadline) };

        if (deadline == CLOCK_NEVER)
                return 0;
        *ret = raise_fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
        return *ret < 0 || timerfd_settime(*ret, TFD_TIMER_ABSTIME, &at, NULL) < 0 ? -errno : 0;
}

static int add(int epoll, int fd) {
        struct epoll_event event = { .events = EPOLLIN };

        if (fd < 0)
                return 0;
        return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_epoll(struct bell *bell, const struct sources *sources) {
        int r;

        bell->epoll = raise_fd(epoll_create1(EPOLL_CLOEXEC));
        if (bell->epoll < 0)
                return -errno;

        r = add(bell->epoll, bell->event);
        if (r == 0)
                r = add(bell->epoll, bell->timer);
        for (size_t i = 0; r == 0 && sources && i < sources->n; ++i)
                r = add(bell->epoll, sources->list[i]->fd);
        return r;
}

int bell_new(const struct curfew_ctx *ctx, struct bell **ret) {
        _cleanup_(bell_freep) struct bell *bell = NULL;
        int r;

        bell = malloc(sizeof(*bell));
        if (!bell)
                return -ENOMEM;
        *bell = (struct bell){
                .bell = { { .fn = ring }, free_with_context },
                .event = -1,
                .timer = -1,
                .epoll = -1,
        };
        bell->event = raise_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (bell->event < 0)
                return -errno;
        r = open_timer(ctx->terms->deadline, &bell->timer);
        if (r == 0 && (bell->timer >= 0 || ctx->terms->sources))
                r = open_epoll(bell, ctx->terms->sources);
        if (r < 0)
                return r;

        *ret = steal_ptr(bell);
        return 0;
}
