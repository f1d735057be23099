// SPDX-License-Identifier: MIT
#pragma once

/* Descriptors and times to wait for, behind one descriptor: an epoll, with a timerfd in it from the
 * first timer on. */

#include "base/base.h"
#include "base/heap.h"

struct loop;
struct loop_batch;

/* Something that becomes ready; embedded in what it belongs to. */
struct loop_io {
        void (*fn)(struct loop_io *io, uint32_t events);
        int fd; /* borrowed; -1 while not in a loop */
        bool once, spent;
};

#define LOOP_IO_NULL                                                                               \
        { .fn = NULL, .fd = -1 }

/* A time that comes; once it has, the timer is cleared, and then called. */
struct loop_timer {
        void (*fn)(struct loop_timer *timer);
        struct heap_node node; /* by the time */
};

struct loop {
        int epoll;   /* polls readable when there is something to dispatch */
        int timerfd; /* -1 until a timer is reserved */
        struct heap timers;
        int64_t armed;            /* what the timerfd is set to; CLOCK_NEVER: disarmed */
        int64_t round;            /* the time up to which timers are being handed out just now */
        struct loop_batch *batch; /* the events being handed out just now */
};

#define LOOP_NULL                                                                                  \
        { .epoll = -1, .timerfd = -1, .armed = INT64_MAX, .round = INT64_MIN }

int loop_init(struct loop *loop);
void loop_deinit(struct loop *loop); /* everything has been removed before */

/* Watch `fd` for `events` (EPOLLIN …, level-triggered). With EPOLLONESHOT it is for one event, and
 * for one io in the descriptor's life: removed after the event, it takes no system call. */
int loop_add(struct loop *loop, struct loop_io *io, int fd, uint32_t events);
void loop_remove(struct loop *loop, struct loop_io *io); /* no event for it comes after this */

/* Get what one more timer needs, the first of them the timerfd, so that setting it can't fail. */
int loop_reserve(struct loop *loop);
void loop_release(struct loop *loop); /* gives back what one loop_reserve() got */

/* Set, move or (CLOCK_NEVER) clear. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at);

/* Hand out what is ready, at most one batch of it, after waiting for it until `deadline` at most
 * (CLOCK_NEVER: as long as it takes; a time already past: not at all). 1: something was handed
 * out. 0: nothing was. A signal can cut the wait short, which counts as nothing. -EBUSY: called
 * from within itself. */
int loop_dispatch(struct loop *loop, int64_t deadline);
