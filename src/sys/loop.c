// SPDX-License-Identifier: MIT
#include "sys/loop.h"
#include "base/clock.h"

#include <assert.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

/*
 * One dispatch is one batch of descriptors, then one round of timers. Descriptors come first, so
 * that what has happened is known before anybody acts because it hasn't: a child whose exit and
 * whose deadline come together has exited.
 *
 * Callbacks may add, remove and set whatever they like, themselves included. What they remove may
 * be freed at once, so loop_remove() strikes it from the batch too, and no event is handed out for
 * what is gone. What they add is not in the batch and comes with the next one.
 *
 * Nothing starves. Epoll rotates its ready list, so among many descriptors each has its turn. A
 * round of timers has one time, read once, and what is set during the round to a time that it
 * covers comes just after it: a timer that sets itself to the past is called once a dispatch, and
 * neither keeps the descriptors waiting nor the timers that were due before it.
 *
 * The timerfd is only there to make the epoll readable, and whether a timer is due is for the clock
 * to say; so it is in the epoll without an io, and never read: setting it clears it. It is set
 * when the earliest time becomes earlier than what it is set to, or when it has gone off. When the
 * earliest timer is moved later or cleared, which is what mostly happens to timeouts, it is left
 * alone: it goes off once for nothing, and is then set to what is the earliest by that time. A
 * thousand runs that end before their deadlines cost one system call, not a thousand.
 */

struct loop_batch {
        struct epoll_event events[64];
        int n;
};

static bool is_watched(const struct loop_io *io) {
        return io->fd >= 0;
}

static int watch(struct loop *loop, int fd, uint32_t events, struct loop_io *io) {
        struct epoll_event event = { .events = events, .data.ptr = io };

        return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_io *io, int fd, uint32_t events) {
        int r = watch(loop, fd, events, io);

        if (r < 0)
                return r;
        io->fd = fd;
        io->once = events & EPOLLONESHOT;
        io->spent = false;
        return 0;
}

void loop_remove(struct loop *loop, struct loop_io *io) {
        if (!is_watched(io))
                return;

        if (!io->spent)
                epoll_ctl(loop->epoll, EPOLL_CTL_DEL, io->fd, NULL);
        io->fd = -1;

        for (int i = 0; loop->batch && i < loop->batch->n; ++i)
                if (loop->batch->events[i].data.ptr == io)
                        loop->batch->events[i].data.ptr = NULL;
}

/* Timers */

static _cold_ int open_timer(struct loop *loop) {
        _cleanup_(close_fdp) int fd = -1;
        int r;

        fd = raise_fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
        if (fd < 0)
                return -errno;
        r = watch(loop, fd, EPOLLIN, NULL);
        if (r < 0)
                return r;
        loop->timerfd = steal_fd(&fd);
        return 0;
}

int loop_reserve(struct loop *loop) {
        int r = loop->timerfd >= 0 ? 0 : open_timer(loop);

        return r < 0 ? r : heap_reserve(&loop->timers);
}

void loop_release(struct loop *loop) {
        heap_release(&loop->timers);
}

static _cold_ void set_timer(struct loop *loop, int64_t at) {
        struct itimerspec spec = { 0 };

        /* Zero would disarm it; a time in the past makes it go off at once. */
        if (at != CLOCK_NEVER)
                spec.it_value = clock_timespec(at > 0 ? at : 1);
        timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &spec, NULL);
        loop->armed = at;
}

/* Set the timerfd to the earliest time, if it is to go off earlier, or has gone off by `now`. */
static inline void arm(struct loop *loop, int64_t now) {
        int64_t at = heap_min_key(&loop->timers);

        if (at < loop->armed || loop->armed <= now)
                set_timer(loop, at);
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at) {
        if (at == CLOCK_NEVER) {
                heap_remove(&loop->timers, &timer->node);
                return;
        }

        heap_set(&loop->timers, &timer->node, at > loop->round ? at : loop->round + 1);
        if (!loop->batch)
                arm(loop, INT64_MIN);
}

static int run_timers(struct loop *loop, int64_t now) {
        struct heap_node *first;
        int n = 0;

        loop->round = now;
        while ((first = heap_min(&loop->timers)) && heap_min_key(&loop->timers) <= now) {
                struct loop_timer *timer = container_of(first, struct loop_timer, node);

                heap_remove(&loop->timers, first);
                timer->fn(timer);
                n++;
        }
        loop->round = INT64_MIN;
        return n;
}

/* Dispatching */

/* Epoll_wait(2) counts in milliseconds, and epoll_pwait2(2) came with Linux 5.11: a wait that has a
 * limit is a ppoll(2), which counts in nanoseconds, and then takes what there is. */
static int collect(struct loop *loop, int64_t deadline, struct loop_batch *batch) {
        struct pollfd pollfd = { .fd = loop->epoll, .events = POLLIN };
        int64_t now = deadline == CLOCK_NEVER ? CLOCK_NEVER : clock_now();
        int n;

        if (now < deadline) {
                struct timespec timeout = clock_timespec(deadline - now);

                ppoll(&pollfd, 1, &timeout, NULL);
        }

        n = epoll_wait(loop->epoll, batch->events, ARRAY_SIZE(batch->events),
                deadline == CLOCK_NEVER ? -1 : 0);
        if (n < 0)
                return errno == EINTR ? 0 : -errno;
        return n;
}

static int hand_out(struct loop_batch *batch) {
        int n = 0;

        for (int i = 0; i < batch->n; ++i) {
                struct loop_io *io = batch->events[i].data.ptr;

                if (io) {
                        io->spent = io->once;
                        io->fn(io, batch->events[i].events);
                        n++;
                }
        }
        return n;
}

int loop_dispatch(struct loop *loop, int64_t deadline) {
        struct loop_batch batch;
        int64_t now;
        int n;

        if (loop->batch)
                return -EBUSY;

        batch.n = collect(loop, deadline, &batch);
        if (batch.n < 0)
                return batch.n;

        loop->batch = &batch;
        n = hand_out(&batch);
        now = clock_now();
        n += run_timers(loop, now);
        loop->batch = NULL;

        arm(loop, now);
        return n > 0;
}

int loop_init(struct loop *loop) {
        int fd = raise_fd(epoll_create1(EPOLL_CLOEXEC));

        if (fd < 0)
                return -errno;

        *loop = (struct loop)LOOP_NULL;
        loop->epoll = fd;
        return 0;
}

void loop_deinit(struct loop *loop) {
        assert(!heap_min(&loop->timers));
        heap_deinit(&loop->timers);
        loop->timerfd = close_fd(loop->timerfd);
        loop->epoll = close_fd(loop->epoll);
}
