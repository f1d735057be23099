// SPDX-License-Identifier: MIT

/* The end of a context is one moment, for one who asks and one who polls, and for all that hangs
 * together: what can be seen of it by other threads while it happens. */

#include "curfew.h"
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define FAR    (1000 * CURFEW_SEC)
#define ROUNDS 500

static struct curfew_ctx *with_cancel(struct curfew_ctx *parent) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(curfew_ctx_with_cancel(parent, &ctx), 0);
        return ctx;
}

static struct curfew_ctx *with_timeout(struct curfew_ctx *parent, int64_t timeout) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(curfew_ctx_with_timeout(parent, timeout, &ctx), 0);
        return ctx;
}

static struct curfew_ctx *merge(struct curfew_ctx *a, struct curfew_ctx *b) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(curfew_ctx_merge((struct curfew_ctx *[]){ a, b }, 2, &ctx), 0);
        return ctx;
}

static bool is_readable(int fd) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

        return poll(&poll_fd, 1, 0) == 1;
}

/* Spinning, as who is woken comes too late; but a busy machine has others to run, too. */
static void spin(unsigned *n) {
        if (++*n > 2000)
                sched_yield();
}

/* Two threads that meet, round by round. */

struct pair {
        atomic_uint arrived;
        unsigned round;
        struct curfew_ctx *a, *b; /* what it is about */
        struct curfew_ctx *below;
        int fd;
        unsigned failures;
};

static void meet(struct pair *pair, unsigned round) {
        unsigned n = 0;

        atomic_fetch_add(&pair->arrived, 1);
        while (atomic_load(&pair->arrived) < 2 * round)
                spin(&n);
}

struct play {
        struct pair *pair;
        void (*prepare)(struct pair *pair);
        void (*first)(struct pair *pair);
        void (*second)(struct pair *pair);
        void (*clear)(struct pair *pair);
};

static void *play_second(void *arg) {
        const struct play *play = arg;

        for (unsigned i = 0; i < ROUNDS; ++i) {
                meet(play->pair, 3 * i + 1);
                meet(play->pair, 3 * i + 2);
                play->second(play->pair);
                meet(play->pair, 3 * i + 3);
        }
        return NULL;
}

/* How many of the rounds have failed. */
static unsigned play(const struct play *play) {
        pthread_t thread;

        assert_eq(pthread_create(&thread, NULL, play_second, (void *)play), 0);
        for (unsigned i = 0; i < ROUNDS; ++i) {
                play->pair->round = i;
                play->prepare(play->pair);
                meet(play->pair, 3 * i + 1);
                meet(play->pair, 3 * i + 2);
                play->first(play->pair);
                meet(play->pair, 3 * i + 3);
                play->clear(play->pair);
        }
        assert_eq(pthread_join(thread, NULL), 0);
        return play->pair->failures;
}

static void cancel_a(struct pair *pair) {
        curfew_ctx_cancel(pair->a);
}

static void clear(struct pair *pair) {
        pair->a = curfew_ctx_unref(pair->a);
        pair->b = curfew_ctx_unref(pair->b);
        pair->below = curfew_ctx_unref(pair->below);
}

/* go 16: once a context is done its descriptor is readable, the one that was taken before, too. By
 * a cancel from above, or its own deadline. */
static void prepare_watched(struct pair *pair) {
        pair->a = with_cancel(NULL);
        pair->b = with_cancel(pair->a);
        pair->below = with_timeout(pair->b, FAR);
        pair->fd = curfew_ctx_fd(pair->below);
}

static void prepare_merged(struct pair *pair) {
        pair->a = with_cancel(NULL);
        pair->b = with_cancel(NULL);
        pair->below = merge(NULL, pair->a);
        for (unsigned i = 0; i < 4; ++i) {
                struct curfew_ctx *outer = merge(pair->below, pair->b);

                curfew_ctx_unref(pair->below);
                pair->below = with_cancel(outer);
                curfew_ctx_unref(outer);
        }
}

static void prepare_deadline(struct pair *pair) {
        pair->a = with_timeout(NULL, CURFEW_USEC * 50);
        pair->below = with_cancel(pair->a);
        pair->fd = curfew_ctx_fd(pair->below);
}

static void ask_until_done(struct pair *pair) {
        unsigned n = 0;

        while (curfew_ctx_err(pair->below) == 0)
                spin(&n);
        pair->failures += !is_readable(pair->fd);
}

static void ask_above_until_done(struct pair *pair) {
        unsigned n = 0;

        while (curfew_ctx_err(pair->a) == 0)
                spin(&n);
}

static void test_done_is_readable(void) {
        struct pair pair = { 0 };

        assert_eq(
                play(&(struct play){ &pair, prepare_watched, cancel_a, ask_until_done, clear }), 0);
        pair = (struct pair){ 0 };
        assert_eq(play(&(struct play){
                          &pair, prepare_deadline, ask_above_until_done, ask_until_done, clear }),
                0);
}

/* go 17: a cause that is asked for all the time is none or the one, never half of it. */
static void cancel_with_cause(struct pair *pair) {
        assert_eq(curfew_ctx_cancel_cause(pair->a, 7, "seven"), 0);
}

static void ask_cause_until_done(struct pair *pair) {
        struct curfew_cause cause;
        unsigned n = 0;

        while (curfew_ctx_cause(pair->below, &cause) == 0) {
                pair->failures += cause.code != 0 || cause.text;
                spin(&n);
        }
        pair->failures += cause.code != 7 || strcmp(cause.text, "seven") != 0;
}

static void test_cause_is_exact(void) {
        struct pair pair = { 0 };

        assert_eq(play(&(struct play){
                          &pair, prepare_watched, cancel_with_cause, ask_cause_until_done, clear }),
                0);
        pair = (struct pair){ 0 };
        assert_eq(play(&(struct play){
                          &pair, prepare_merged, cancel_with_cause, ask_cause_until_done, clear }),
                0);
}

/* The other way round: who finds it readable finds it done. */
static void poll_until_readable(struct pair *pair) {
        unsigned n = 0;

        while (!is_readable(pair->fd))
                spin(&n);
        pair->failures += curfew_ctx_err(pair->below) == 0;
}

static void test_readable_is_done(void) {
        struct pair pair = { 0 };

        assert_eq(play(&(struct play){
                          &pair, prepare_watched, cancel_a, poll_until_readable, clear }),
                0);
        pair = (struct pair){ 0 };
        assert_eq(play(&(struct play){ &pair, prepare_deadline, ask_above_until_done,
                          poll_until_readable, clear }),
                0);
}

/* Once readable it is so for good, whatever happens next: who looks, or a cancel that comes just at
 * the deadline. */
static void poll_on(struct pair *pair) {
        bool flickers = false;
        unsigned n = 0;

        while (!is_readable(pair->fd))
                spin(&n);
        for (unsigned i = 0; i < 100; ++i)
                flickers = flickers || !is_readable(pair->fd);
        pair->failures += flickers;
}

static void cancel_at_deadline(struct pair *pair) {
        while (curfew_now() < curfew_ctx_deadline(pair->a) - CURFEW_USEC)
                ;
        curfew_ctx_cancel(pair->a);
}

static void test_readable_is_for_good(void) {
        struct pair pair = { 0 };

        assert_eq(play(&(struct play){
                          &pair, prepare_deadline, ask_above_until_done, poll_on, clear }),
                0);
        pair = (struct pair){ 0 };
        assert_eq(
                play(&(struct play){ &pair, prepare_deadline, cancel_at_deadline, poll_on, clear }),
                0);
}

/* When cancel returns everything below is done, below merges, too, and whoever else is just ending
 * the same: by the same way, or another. */
static void cancel_a_and_look(struct pair *pair) {
        curfew_ctx_cancel(pair->a);
        if (curfew_ctx_err(pair->below) == 0)
                __atomic_fetch_add(&pair->failures, 1, __ATOMIC_RELAXED);
}

static void cancel_either_and_look(struct pair *pair) {
        curfew_ctx_cancel(pair->round % 2 ? pair->a : pair->b);
        if (curfew_ctx_err(pair->below) == 0)
                __atomic_fetch_add(&pair->failures, 1, __ATOMIC_RELAXED);
}

static void test_cancel_ends_merges(void) {
        struct pair pair = { 0 };

        assert_eq(play(&(struct play){ &pair, prepare_merged, cancel_a_and_look,
                          cancel_either_and_look, clear }),
                0);
}

/* Trees that come to hang together just while they are used and ended. */
static void merge_them(struct pair *pair) {
        struct curfew_ctx *merged = merge(pair->b, pair->a);

        pair->below = with_cancel(merged);
        curfew_ctx_unref(merged);
        assert_eq(curfew_ctx_wait(pair->below, FAR), 0);
}

static void prepare_two(struct pair *pair) {
        pair->a = with_timeout(NULL, FAR);
        pair->b = with_cancel(NULL);
}

static void derive_and_cancel(struct pair *pair) {
        struct curfew_ctx *ctx = with_cancel(pair->a);

        if (pair->round % 2)
                curfew_ctx_cancel(ctx);
        curfew_ctx_cancel(pair->a);
        assert_eq(curfew_ctx_err(ctx), -ECANCELED);
        curfew_ctx_unref(ctx);
}

static void test_merge_racing_with_cancel(void) {
        struct pair pair = { 0 };

        play(&(struct play){ &pair, prepare_two, derive_and_cancel, merge_them, clear });
}

/* go 45: "at once" holds where nobody has seen the deadline pass. */
static void count_call(void *arg) {
        ++*(int *)arg;
}

static void test_after_at_once(void) {
        struct curfew_ctx *ctx = with_timeout(NULL, 1), *child = with_cancel(ctx);
        int calls = 0;

        while (curfew_now() < curfew_ctx_deadline(ctx))
                ;
        assert_eq(curfew_ctx_after(child, count_call, &calls, NULL), 0);
        assert_eq(calls, 1);
        curfew_ctx_unref(child);
        curfew_ctx_unref(ctx);
}

/* Merges nested on the first side, and values above them, on a stack without room for one frame
 * each; then where each has the one before it twice. */
#define DEEP 100000

static void *find_in_deep_merges(void *arg) {
        static struct curfew_ctx *chain[DEEP];
        static const int key, other;

        assert_eq(curfew_ctx_with_value(NULL, &key, arg, NULL, &chain[0]), 0);
        for (unsigned i = 1; i < DEEP; ++i)
                chain[i] = merge(chain[i - 1], NULL);
        for (unsigned i = 0; i < DEEP; i += DEEP - 1) {
                assert_true(curfew_ctx_value(chain[i], &key) == arg);
                assert_null(curfew_ctx_value(chain[i], &other));
        }
        for (unsigned i = 0; i < DEEP; ++i)
                curfew_ctx_unref(chain[i]);
        for (unsigned i = 0; i < DEEP; ++i) {
                struct curfew_ctx *extra = with_cancel(NULL);

                chain[i] = i > 0 ? merge(chain[i - 1], extra) : curfew_ctx_ref(extra);
                curfew_ctx_unref(extra);
        }
        assert_null(curfew_ctx_value(chain[DEEP - 1], &other));
        curfew_ctx_cancel(chain[0]);
        assert_eq(curfew_ctx_err(chain[DEEP - 1]), -ECANCELED);
        for (unsigned i = 0; i < DEEP; ++i)
                curfew_ctx_unref(chain[DEEP - 1 - i]);
        return NULL;
}

static void test_deep_merges(void) {
        pthread_attr_t attr;
        pthread_t thread;
        int value;

        assert_eq(pthread_attr_init(&attr), 0);
        assert_eq(pthread_attr_setstacksize(&attr, 128 << 10), 0);
        assert_eq(pthread_create(&thread, &attr, find_in_deep_merges, &value), 0);
        assert_eq(pthread_join(thread, NULL), 0);
        pthread_attr_destroy(&attr);
}

static void test_merges_that_share(void) {
        enum { N = 200 };
        static const int first, last, none;
        struct curfew_ctx *layers[2 * N + 1];
        int one, two;

        assert_eq(curfew_ctx_with_value(NULL, &last, &two, NULL, &layers[0]), 0);
        for (unsigned i = 0; i < N; ++i) {
                struct curfew_ctx *left = with_cancel(layers[2 * i]);

                layers[2 * i + 1] = NULL;
                assert_eq(curfew_ctx_with_value(layers[2 * i], i == 5 ? &first : &one, &one, NULL,
                                  &layers[2 * i + 1]),
                        0);
                layers[2 * i + 2] = merge(left, layers[2 * i + 1]);
                if (i % 50 == 7) { /* values alone, in a tree of their own */
                        struct curfew_ctx *apart = NULL;

                        assert_eq(curfew_ctx_without_cancel(layers[2 * i + 2], &apart), 0);
                        curfew_ctx_unref(layers[2 * i + 2]);
                        layers[2 * i + 2] = apart;
                }
                curfew_ctx_unref(left);
        }
        assert_null(curfew_ctx_value(layers[2 * N], &none));
        assert_true(curfew_ctx_value(layers[2 * N], &first) == &one);
        assert_true(curfew_ctx_value(layers[2 * N], &last) == &two);
        for (unsigned i = 0; i <= 2 * N; ++i)
                curfew_ctx_unref(layers[i]);
}

/* A wait takes no descriptor, and so can't lack one. */
static void *cancel_it(void *ctx) {
        curfew_ctx_cancel(ctx);
        return NULL;
}

static void test_wait_takes_no_descriptor(void) {
        struct curfew_ctx *ctx = with_cancel(NULL), *late = with_timeout(NULL, CURFEW_SEC / 100);
        unsigned n = test_count_fds();
        struct rlimit old, none;
        pthread_t thread;

        assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
        none = (struct rlimit){ 0, old.rlim_max };
        assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        assert_eq(curfew_ctx_wait(ctx, CURFEW_SEC / 100), -ETIMEDOUT);
        assert_eq(curfew_ctx_wait(late, CURFEW_FOREVER), 0);
        assert_eq(pthread_create(&thread, NULL, cancel_it, ctx), 0);
        assert_eq(curfew_ctx_wait(ctx, FAR), 0);
        assert_eq(pthread_join(thread, NULL), 0);
        assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
        assert_eq(test_count_fds(), n);
        curfew_ctx_unref(ctx);
        curfew_ctx_unref(late);
}

/* A wait that is over has left nothing behind on the context. */
static void test_wait_leaves_nothing(void) {
        struct curfew_ctx *ctx = with_cancel(NULL);

        for (unsigned i = 0; i < 10; ++i)
                assert_eq(curfew_ctx_wait(ctx, CURFEW_USEC), -ETIMEDOUT);
        curfew_ctx_cancel(ctx);
        assert_eq(curfew_ctx_wait(ctx, 0), 0);
        curfew_ctx_unref(ctx);
}

/* pthread_cancel(3) doesn't leave a wait, on whose stack the context still has something. */
static void *wait_for(void *ctx) {
        assert_eq(curfew_ctx_wait(ctx, FAR), 0);
        return NULL;
}

static void test_cancelled_thread(void) {
        struct curfew_ctx *ctx = with_cancel(NULL);
        pthread_t thread;
        void *result;

        assert_eq(pthread_create(&thread, NULL, wait_for, ctx), 0);
        assert_eq(pthread_cancel(thread), 0);
        curfew_ctx_cancel(ctx);
        assert_eq(pthread_join(thread, &result), 0);
        curfew_ctx_unref(ctx);
}

int main(void) {
        test_bound(240);

        test_done_is_readable();
        test_cause_is_exact();
        test_readable_is_done();
        test_readable_is_for_good();
        test_cancel_ends_merges();
        test_merge_racing_with_cancel();
        test_after_at_once();
        test_deep_merges();
        test_merges_that_share();
        test_wait_takes_no_descriptor();
        test_wait_leaves_nothing();
        test_cancelled_thread();
        return 0;
}
