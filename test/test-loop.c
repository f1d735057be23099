// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "sys/loop.h"
#include "sys/wake.h"
#include "test.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/time.h>

#define HOUR (3600 * CLOCK_SEC)

/* A descriptor that is readable until somebody reads it, and what is to be done when it is. */
struct thing {
        struct loop_io io;
        struct loop *loop;
        int fd;
        unsigned calls;
        uint32_t events;
        void (*act)(struct thing *thing);
        struct thing *other;
};

static void thing_on_io(struct loop_io *io, uint32_t events) {
        struct thing *thing = container_of(io, struct thing, io);

        thing->calls++;
        thing->events = events;
        if (thing->act)
                thing->act(thing);
}

static struct thing *thing_new(struct loop *loop, void (*act)(struct thing *thing)) {
        struct thing *thing = calloc(1, sizeof(*thing));

        assert_true(thing);
        *thing = (struct thing){ .io = { .fn = thing_on_io, .fd = -1 }, .loop = loop, .act = act };
        thing->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_ge(thing->fd, 0);
        assert_eq(loop_add(loop, &thing->io, thing->fd, EPOLLIN), 0);
        return thing;
}

static struct thing *thing_free(struct thing *thing) {
        if (!thing)
                return NULL;
        loop_remove(thing->loop, &thing->io);
        close(thing->fd);
        free(thing);
        return NULL;
}

static struct loop new_loop(void) {
        struct loop loop = LOOP_NULL;

        assert_eq(loop_init(&loop), 0);
        return loop;
}

static bool is_readable(const struct loop *loop, int timeout) {
        struct pollfd pollfd = { .fd = loop->epoll, .events = POLLIN };
        int r = poll(&pollfd, 1, timeout);

        assert_ge(r, 0);
        return r > 0;
}

static void test_nothing(void) {
        struct loop loop = new_loop();
        int64_t deadline;

        assert_false(is_readable(&loop, 0));
        assert_eq(loop_dispatch(&loop, INT64_MIN), 0);
        assert_eq(loop_dispatch(&loop, 0), 0);
        assert_eq(loop_dispatch(&loop, clock_now()), 0);

        deadline = clock_now() + 2 * CLOCK_SEC / 1000;
        while (clock_now() < deadline)
                assert_eq(loop_dispatch(&loop, deadline), 0);

        loop_deinit(&loop);
        loop_deinit(&loop);
}

static void test_io(void) {
        struct loop loop = new_loop();
        struct thing *thing = thing_new(&loop, NULL);
        eventfd_t value;

        assert_true(is_readable(&loop, 0));
        assert_eq(loop_dispatch(&loop, CLOCK_NEVER), 1);
        assert_eq(loop_dispatch(&loop, clock_now() + HOUR), 1);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(thing->calls, 3);
        assert_eq(thing->events, EPOLLIN);

        assert_eq(eventfd_read(thing->fd, &value), 0);
        assert_false(is_readable(&loop, 0));
        assert_eq(loop_dispatch(&loop, INT64_MIN), 0);
        assert_eq(thing->calls, 3);

        assert_eq(eventfd_write(thing->fd, 1), 0);
        loop_remove(&loop, &thing->io);
        assert_eq(thing->io.fd, -1);
        loop_remove(&loop, &thing->io);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 0);
        assert_eq(thing->calls, 3);

        thing_free(thing);
        loop_deinit(&loop);
}

/* Who is watched for one event gets one, and is removed before it or after. */
static void test_once(void) {
        struct loop loop = new_loop();
        struct thing *first = thing_new(&loop, NULL), *second = thing_new(&loop, NULL);

        loop_remove(&loop, &first->io);
        loop_remove(&loop, &second->io);
        assert_eq(loop_add(&loop, &first->io, first->fd, EPOLLIN | EPOLLONESHOT), 0);
        assert_eq(loop_add(&loop, &second->io, second->fd, EPOLLIN | EPOLLONESHOT), 0);
        loop_remove(&loop, &second->io);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 0);
        assert_false(is_readable(&loop, 0));
        assert_eq(first->calls, 1);
        assert_eq(second->calls, 0);

        /* Whoever else has the descriptor: nothing is heard of it any more. */
        loop_remove(&loop, &first->io);
        assert_eq(first->io.fd, -1);
        assert_eq(eventfd_write(first->fd, 1), 0);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 0);
        assert_eq(first->calls, 1);

        /* One that had no event yet can be watched in another way. */
        assert_eq(loop_add(&loop, &second->io, second->fd, EPOLLIN), 0);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(second->calls, 1);

        thing_free(first);
        thing_free(second);
        loop_deinit(&loop);
}

static unsigned rings;

static void on_ring(struct loop_io *io, uint32_t events) {
        struct wake *wake = container_of(io, struct wake, io);

        (void)events;
        if (++rings == 2)
                wake_ring(wake);
}

/* Any number of rings is one call, and nothing needs to be cleared between. */
static void test_wake(void) {
        struct loop loop = new_loop();
        struct wake wake = WAKE_NULL;

        assert_eq(wake_open(&wake, &loop, on_ring), 0);
        assert_eq(wake_open(&wake, &loop, on_ring), 0);
        assert_false(is_readable(&loop, 0));
        for (unsigned i = 1; i <= 3; ++i) {
                if (i < 3) /* the third was rung for in the second's call */
                        wake_ring(&wake);
                assert_true(is_readable(&loop, 0));
                assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
                assert_eq(rings, i);
        }
        wake_ring(&wake);
        wake_ring(&wake);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(rings, 4);
        assert_false(is_readable(&loop, 0));
        assert_eq(loop_dispatch(&loop, INT64_MIN), 0);

        wake_deinit(&wake);
        loop_deinit(&loop);
}

static void test_add_fails(void) {
        struct loop loop = new_loop();
        struct loop_io io = { thing_on_io, -1 };
        struct thing *thing = thing_new(&loop, NULL);

        assert_eq(loop_add(&loop, &io, -1, EPOLLIN), -EBADF);
        assert_eq(loop_add(&loop, &io, thing->fd, EPOLLIN), -EEXIST);
        assert_eq(io.fd, -1);
        loop_remove(&loop, &io);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);

        thing_free(thing);
        loop_deinit(&loop);
}

static struct thing *survivor;

static void free_other(struct thing *thing) {
        thing->other = thing_free(thing->other);
        thing->act = NULL;
        survivor = thing;
}

/* Both are ready, and whoever comes first frees the other. */
static void test_free_other(void) {
        struct loop loop = new_loop();
        struct thing *a = thing_new(&loop, free_other), *b = thing_new(&loop, free_other);

        a->other = b;
        b->other = a;
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(survivor->calls, 1);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(survivor->calls, 2);

        thing_free(survivor);
        loop_deinit(&loop);
}

static void free_self(struct thing *thing) {
        thing_free(thing);
}

static void test_free_self(void) {
        struct loop loop = new_loop();

        thing_new(&loop, free_self);
        thing_new(&loop, free_self);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 0);
        loop_deinit(&loop);
}

static void renew_other(struct thing *thing) {
        loop_remove(thing->loop, &thing->other->io);
        assert_eq(loop_add(thing->loop, &thing->other->io, thing->other->fd, EPOLLIN), 0);
}

/* What was removed and added again has its event in the next batch. */
static void test_renew_other(void) {
        struct loop loop = new_loop();
        struct thing *a = thing_new(&loop, renew_other), *b = thing_new(&loop, NULL);

        a->other = b;
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(a->calls, 1);
        assert_eq(b->calls, 0);

        a->act = NULL;
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(b->calls, 1);

        thing_free(a);
        thing_free(b);
        loop_deinit(&loop);
}

static void add_other(struct thing *thing) {
        thing->other = thing_new(thing->loop, NULL);
        thing->act = NULL;
}

static void test_add_in_callback(void) {
        struct loop loop = new_loop();
        struct thing *a = thing_new(&loop, add_other);

        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(a->other->calls, 0);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(a->other->calls, 1);

        thing_free(a->other);
        thing_free(a);
        loop_deinit(&loop);
}

static void dispatch_again(struct thing *thing) {
        assert_eq(loop_dispatch(thing->loop, CLOCK_NEVER), -EBUSY);
}

static void test_not_within_itself(void) {
        struct loop loop = new_loop();
        struct thing *a = thing_new(&loop, dispatch_again);

        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(a->calls, 1);
        thing_free(a);
        loop_deinit(&loop);
}

/* More are ready all the time than go into a batch, and each has its turn. */
static void test_many(void) {
        struct loop loop = new_loop();
        struct thing *things[150];

        for (size_t i = 0; i < ARRAY_SIZE(things); ++i)
                things[i] = thing_new(&loop, NULL);
        for (int i = 0; i < 3; ++i)
                assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        for (size_t i = 0; i < ARRAY_SIZE(things); ++i)
                assert_ge(things[i]->calls, 1);

        for (size_t i = 0; i < ARRAY_SIZE(things); ++i)
                thing_free(things[i]);
        loop_deinit(&loop);
}

/* Timers */

struct bell {
        struct loop_timer timer;
        struct loop *loop;
        unsigned calls;
        unsigned order; /* of the last call, among all */
        void (*act)(struct bell *bell);
        struct bell *other;
};

static unsigned n_rung;

static void bell_on_timer(struct loop_timer *timer) {
        struct bell *bell = container_of(timer, struct bell, timer);

        bell->calls++;
        bell->order = ++n_rung;
        if (bell->act)
                bell->act(bell);
}

static void bell_init(struct bell *bell, struct loop *loop, void (*act)(struct bell *bell)) {
        *bell = (struct bell){
                .timer = { .fn = bell_on_timer, .node = HEAP_NODE_NULL },
                .loop = loop,
                .act = act,
        };
        assert_eq(loop_reserve(loop), 0);
}

static void bell_deinit(struct bell *bell) {
        loop_timer_set(bell->loop, &bell->timer, CLOCK_NEVER);
        loop_release(bell->loop);
}

static void bell_set(struct bell *bell, int64_t at) {
        loop_timer_set(bell->loop, &bell->timer, at);
}

static void test_timer(void) {
        struct loop loop = new_loop();
        struct bell bell;
        int64_t at;

        bell_init(&bell, &loop, NULL);
        assert_false(is_readable(&loop, 0));

        at = clock_now() + CLOCK_SEC / 1000;
        bell_set(&bell, at);
        assert_eq(loop_dispatch(&loop, CLOCK_NEVER), 1);
        assert_ge(clock_now(), at);
        assert_eq(bell.calls, 1);
        assert_true(bell.timer.node.index == HEAP_OUTSIDE);
        assert_eq(loop.armed, CLOCK_NEVER);
        assert_false(is_readable(&loop, 0));
        assert_eq(loop_dispatch(&loop, INT64_MIN), 0);

        bell_deinit(&bell);
        loop_deinit(&loop);
}

/* The host sees a timer through the descriptor alone, times long past too. */
static void test_timer_is_polled(void) {
        static const int64_t past[] = { INT64_MIN, -1, 0, 1 };
        struct loop loop = new_loop();
        struct bell bell;

        bell_init(&bell, &loop, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(past); ++i) {
                bell_set(&bell, past[i]);
                assert_true(is_readable(&loop, -1));
                assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
                assert_eq(bell.calls, i + 1);
                assert_false(is_readable(&loop, 0));
        }

        bell_set(&bell, clock_now() + CLOCK_SEC / 1000);
        assert_true(is_readable(&loop, -1));
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(bell.calls, ARRAY_SIZE(past) + 1);

        bell_deinit(&bell);
        loop_deinit(&loop);
}

static void test_timer_order(void) {
        struct loop loop = new_loop();
        struct bell bells[100];

        n_rung = 0;
        for (size_t i = 0; i < ARRAY_SIZE(bells); ++i) {
                bell_init(&bells[i], &loop, NULL);
                bell_set(&bells[i], (int64_t)(i * 37 % ARRAY_SIZE(bells)) + 1);
        }
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        for (size_t i = 0; i < ARRAY_SIZE(bells); ++i) {
                assert_eq(bells[i].calls, 1);
                assert_eq(bells[i].order, i * 37 % ARRAY_SIZE(bells) + 1);
                bell_deinit(&bells[i]);
        }
        loop_deinit(&loop);
}

static void set_to_past(struct bell *bell) {
        bell_set(bell, INT64_MIN);
}

/* Timers that are always due are called once a dispatch, and keep nobody else waiting. */
static void test_timer_starves_nobody(void) {
        struct loop loop = new_loop();
        struct thing *thing = thing_new(&loop, NULL);
        struct bell greedy[2], other;

        bell_init(&other, &loop, NULL);
        for (int i = 0; i < 2; ++i) {
                bell_init(&greedy[i], &loop, set_to_past);
                bell_set(&greedy[i], INT64_MIN);
        }
        bell_set(&other, clock_now());

        for (unsigned i = 1; i <= 3; ++i) {
                assert_true(is_readable(&loop, -1));
                assert_eq(loop_dispatch(&loop, CLOCK_NEVER), 1);
                assert_eq(greedy[0].calls, i);
                assert_eq(greedy[1].calls, i);
                assert_eq(other.calls, 1);
                assert_eq(thing->calls, i);
        }

        for (int i = 0; i < 2; ++i)
                bell_deinit(&greedy[i]);
        bell_deinit(&other);
        thing_free(thing);
        loop_deinit(&loop);
}

/* Nor do descriptors that are always ready keep timers waiting. */
static void test_timer_is_not_starved(void) {
        struct loop loop = new_loop();
        struct thing *things[150];
        struct bell bell;

        bell_init(&bell, &loop, set_to_past);
        for (size_t i = 0; i < ARRAY_SIZE(things); ++i)
                things[i] = thing_new(&loop, NULL);
        bell_set(&bell, 0);
        for (unsigned i = 1; i <= 3; ++i) {
                assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
                assert_eq(bell.calls, i);
        }

        for (size_t i = 0; i < ARRAY_SIZE(things); ++i)
                thing_free(things[i]);
        bell_deinit(&bell);
        loop_deinit(&loop);
}

static void clear_other(struct bell *bell) {
        bell_set(bell->other, CLOCK_NEVER);
}

static void test_timer_clears_timer(void) {
        struct loop loop = new_loop();
        struct bell a, b;

        bell_init(&a, &loop, clear_other);
        bell_init(&b, &loop, NULL);
        a.other = &b;
        bell_set(&a, 1);
        bell_set(&b, 2);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(a.calls, 1);
        assert_eq(b.calls, 0);
        assert_false(is_readable(&loop, 0));

        bell_deinit(&a);
        bell_deinit(&b);
        loop_deinit(&loop);
}

static struct bell *rung_by_thing;

static void set_bell(struct thing *thing) {
        assert_eq(rung_by_thing->calls, 0);
        bell_set(rung_by_thing, 0);
        loop_remove(thing->loop, &thing->io);
}

/* Descriptors come first, and what they set is in the round that follows. */
static void test_io_before_timers(void) {
        struct loop loop = new_loop();
        struct thing *thing = thing_new(&loop, set_bell);
        struct bell bell;

        bell_init(&bell, &loop, NULL);
        rung_by_thing = &bell;
        bell_set(&bell, 0);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(thing->calls, 1);
        assert_eq(bell.calls, 1);

        bell_deinit(&bell);
        thing_free(thing);
        loop_deinit(&loop);
}

/* The timerfd is left alone while it is early enough. It then goes off for nothing, once. */
static void test_timer_is_lazy(void) {
        struct loop loop = new_loop();
        int64_t soon = clock_now() + CLOCK_SEC / 1000, late = soon + HOUR;
        struct bell a, b;

        bell_init(&a, &loop, NULL);
        bell_init(&b, &loop, NULL);
        bell_set(&a, soon);
        assert_eq(loop.armed, soon);
        bell_set(&b, late - 1);
        assert_eq(loop.armed, soon);
        bell_set(&a, late);
        assert_eq(loop.armed, soon);

        assert_true(is_readable(&loop, -1));
        assert_eq(loop_dispatch(&loop, INT64_MIN), 0);
        assert_eq(loop.armed, late - 1);
        assert_false(is_readable(&loop, 0));

        bell_set(&a, 1);
        assert_eq(loop.armed, 1);
        bell_set(&a, CLOCK_NEVER);
        bell_set(&b, CLOCK_NEVER);
        assert_true(is_readable(&loop, -1));
        assert_eq(loop_dispatch(&loop, CLOCK_NEVER), 0);
        assert_eq(loop.armed, CLOCK_NEVER);
        assert_false(is_readable(&loop, 0));
        assert_eq(a.calls + b.calls, 0);

        bell_deinit(&a);
        bell_deinit(&b);
        loop_deinit(&loop);
}

static void on_alarm(int signal _unused_) {
}

/* A signal that the host handles ends the wait, as nothing. */
static void test_interrupted(void) {
        struct sigaction action = { .sa_handler = on_alarm }, old;
        struct itimerval often = { .it_value.tv_usec = 5000, .it_interval.tv_usec = 5000 };
        struct loop loop = new_loop();

        assert_eq(sigaction(SIGALRM, &action, &old), 0);
        assert_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
        assert_eq(loop_dispatch(&loop, CLOCK_NEVER), 0);
        assert_eq(loop_dispatch(&loop, clock_now() + HOUR), 0);
        assert_eq(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL), 0);
        assert_eq(sigaction(SIGALRM, &old, NULL), 0);

        test_bound(60);
        loop_deinit(&loop);
}

static void test_no_descriptors(void) {
        struct loop loop = new_loop(), none = LOOP_NULL;
        struct rlimit old, tight;

        assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
        tight = (struct rlimit){ .rlim_cur = 0, .rlim_max = old.rlim_max };
        assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
        assert_eq(loop_reserve(&loop), -EMFILE);
        assert_eq(loop_init(&none), -EMFILE);
        assert_eq(none.epoll, -1);
        assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);

        assert_eq(loop.timerfd, -1);
        assert_eq(loop_reserve(&loop), 0);
        loop_release(&loop);
        loop_deinit(&loop);
        loop_deinit(&none);
}

int main(void) {
        unsigned n_fds = test_count_fds();

        test_bound(60);
        test_nothing();
        test_io();
        test_once();
        test_wake();
        test_add_fails();
        test_free_other();
        test_free_self();
        test_renew_other();
        test_add_in_callback();
        test_not_within_itself();
        test_many();
        test_timer();
        test_timer_is_polled();
        test_timer_order();
        test_timer_starves_nobody();
        test_timer_is_not_starved();
        test_timer_clears_timer();
        test_io_before_timers();
        test_timer_is_lazy();
        test_interrupted();
        test_no_descriptors();
        assert_eq(test_count_fds(), n_fds);
        return 0;
}
