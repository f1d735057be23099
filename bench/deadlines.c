// SPDX-License-Identifier: MIT

/*
 * A million deadlines on one loop, in random order: adding them, cancelling them, having them
 * expire; beside the heap that they can't do without: a 4-ary one of keys and numbers, and where
 * each number is in it. There is no library around that, no callback and no descriptor.
 *
 * A supervisor's deadlines are its loop's timers, and the public API sets one only with a process
 * to it; so this is linked with what is inside the library.
 *
 * Where each is in the heap takes the floor four bytes in an array of its own, which caches hold
 * for a million. A timer lies in what it belongs to and has that in itself; so the same heap is
 * also shown with its notes as far apart as the loop's timers are here: sixteen bytes.
 *
 *     deadlines [COUNT]
 */

#include "base/clock.h"
#include "bench.h"
#include "sys/loop.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define ARITY 4U

static unsigned long settimes;

/* In place of the C library's.
 * NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): what it calls them is its */
int timerfd_settime(
        int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old_value) {
        settimes++;
        return (int)syscall(SYS_timerfd_settime, fd, flags, new_value, old_value);
}

/* The work: a key for each, and an order in which they are cancelled. */

static unsigned dealt;
static int64_t *keys;
static unsigned *order;

static uint64_t draw(void) {
        static uint64_t state = 88172645463325252;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
}

/* For so many, unless that is what there is. */
static void deal(unsigned n) {
        if (n == dealt)
                return;
        dealt = n;
        keys = reallocarray(keys, n, sizeof(*keys));
        order = reallocarray(order, n, sizeof(*order));
        if (!keys || !order)
                bench_fail("reallocarray");
        for (unsigned i = 0; i < n; ++i) {
                unsigned j = (unsigned)(draw() % (i + 1));

                keys[i] = (int64_t)(draw() % (uint64_t)CLOCK_SEC);
                order[i] = order[j];
                order[j] = i;
        }
}

/* The floor */

struct bare {
        struct slot {
                int64_t key;
                unsigned number;
        } * slots;
        unsigned *where; /* by number, so many apart */
        size_t apart;
        unsigned n;
};

static void bare_put(struct bare *bare, unsigned at, struct slot slot) {
        bare->slots[at] = slot;
        bare->where[slot.number * bare->apart] = at;
}

static unsigned bare_rise(struct bare *bare, unsigned at, int64_t key) {
        while (at > 0 && bare->slots[(at - 1) / ARITY].key > key) {
                bare_put(bare, at, bare->slots[(at - 1) / ARITY]);
                at = (at - 1) / ARITY;
        }
        return at;
}

static unsigned bare_sink(struct bare *bare, unsigned at, int64_t key) {
        for (;;) {
                unsigned first = at * ARITY + 1, least = first;

                for (unsigned i = first + 1; i < first + ARITY && i < bare->n; ++i)
                        if (bare->slots[i].key < bare->slots[least].key)
                                least = i;
                if (first >= bare->n || bare->slots[least].key >= key)
                        return at;
                bare_put(bare, at, bare->slots[least]);
                at = least;
        }
}

static void bare_add(struct bare *bare, struct slot slot) {
        bare_put(bare, bare_rise(bare, bare->n++, slot.key), slot);
}

static void bare_remove(struct bare *bare, unsigned at) {
        struct slot last = bare->slots[--bare->n];

        if (at == bare->n)
                return;
        at = bare_rise(bare, at, last.key);
        bare_put(bare, bare_sink(bare, at, last.key), last);
}

static struct bare bare_new(unsigned n, size_t apart) {
        struct bare bare = {
                .slots = calloc(n, sizeof(*bare.slots)),
                .where = calloc(n, apart * sizeof(*bare.where)),
                .apart = apart,
        };

        if (!bare.slots || !bare.where)
                bench_fail("calloc");
        if (apart > 1)
                memset(bare.where, 0xff,
                        apart * n * sizeof(*bare.where)); /* timers are there before */
        return bare;
}

/* Each way does one of these things with all of them, and only that is measured. */

enum phase { ADD, CANCEL, EXPIRE };

static int64_t by_heap(enum phase phase, unsigned n, size_t apart) {
        struct bare bare = bare_new(n, apart);
        int64_t before, took;

        deal(n);
        before = bench_now();
        for (unsigned i = 0; i < n; ++i)
                bare_add(&bare, (struct slot){ keys[i], i });
        took = bench_now() - before;
        if (phase != ADD) {
                before = bench_now();
                for (unsigned i = 0; i < n && phase == CANCEL; ++i)
                        bare_remove(&bare, bare.where[order[i] * apart]);
                while (bare.n > 0)
                        bare_remove(&bare, 0);
                took = bench_now() - before;
        }
        free(bare.slots);
        free(bare.where);
        return took;
}

static int64_t by_bare(const struct bench_way *way, unsigned n) {
        return by_heap(*(const enum phase *)way->arg, n, 1);
}

static int64_t by_spread(const struct bench_way *way, unsigned n) {
        return by_heap(
                *(const enum phase *)way->arg, n, sizeof(struct loop_timer) / sizeof(unsigned));
}

static unsigned expired;

static void on_timer(struct loop_timer *timer) {
        (void)timer;
        expired++;
}

static int64_t loop_add_all(
        struct loop *loop, struct loop_timer *timers, unsigned n, int64_t from) {
        int64_t before;

        for (unsigned i = 0; i < n; ++i)
                timers[i] = (struct loop_timer){ on_timer, HEAP_NODE_NULL };
        before = bench_now();
        for (unsigned i = 0; i < n; ++i) {
                if (loop_reserve(loop) < 0)
                        bench_fail("loop_reserve");
                loop_timer_set(loop, &timers[i], from + keys[i]);
        }
        return bench_now() - before;
}

static int64_t loop_cancel_all(struct loop *loop, struct loop_timer *timers, unsigned n) {
        int64_t before = bench_now();

        for (unsigned i = 0; i < n; ++i) {
                loop_timer_set(loop, &timers[order[i]], CLOCK_NEVER);
                loop_release(loop);
        }
        return bench_now() - before;
}

static int64_t loop_expire_all(struct loop *loop, unsigned n) {
        int64_t before = bench_now();

        for (expired = 0; expired < n;)
                if (loop_dispatch(loop, before) < 0)
                        bench_fail("loop_dispatch");
        return bench_now() - before;
}

/* What is to expire is due already; the rest is due in an hour. */
static int64_t by_loop(const struct bench_way *way, unsigned n) {
        enum phase phase = *(const enum phase *)way->arg;
        struct loop_timer *timers = calloc(n, sizeof(*timers));
        struct loop loop;
        int64_t took, from = bench_now() + (phase == EXPIRE ? -CLOCK_SEC : 3600 * CLOCK_SEC);

        if (!timers || loop_init(&loop) < 0)
                bench_fail("loop_init");
        deal(n);
        settimes = 0;
        took = loop_add_all(&loop, timers, n, from);
        if (phase == EXPIRE)
                took = loop_expire_all(&loop, n);
        else if (phase == CANCEL)
                took = loop_cancel_all(&loop, timers, n);
        else
                loop_cancel_all(&loop, timers, n);
        loop_deinit(&loop);
        free(timers);
        return took;
}

static void bench_phase(const char *title, enum phase phase, unsigned n) {
        const struct bench_way ways[] = {
                { "bare heap", by_bare, &phase },
                { "bare heap, a note in each timer", by_spread, &phase },
                { "curfew's loop", by_loop, &phase, .goal = 1.2 },
        };

        bench_table(title, ways, BENCH_COUNT(ways), bench_rounds(5), n);
        bench_note("timerfd_settime(2) from the first to the last of them: %lu.", settimes);
}

int main(int argc, char **argv) {
        unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;

        if (n == 0)
                return 2;
        bench_phase("Add a deadline", ADD, n);
        bench_phase("Cancel a deadline", CANCEL, n);
        bench_phase("A deadline expires", EXPIRE, n);
        free(keys);
        free(order);
        return 0;
}
