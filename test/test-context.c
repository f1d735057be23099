// SPDX-License-Identifier: MIT

/* Contexts, by their public calls: what Go's context promises and its tests check. The numbers are
 * rows of go-behaviours.md. */

#include "curfew.h"
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define FAR (1000 * CURFEW_SEC)

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

static struct curfew_ctx *with_value(struct curfew_ctx *parent, const void *key, void *value) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(curfew_ctx_with_value(parent, key, value, NULL, &ctx), 0);
        return ctx;
}

static struct curfew_ctx *without_cancel(struct curfew_ctx *parent) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(curfew_ctx_without_cancel(parent, &ctx), 0);
        return ctx;
}

static struct curfew_ctx *merge(struct curfew_ctx *a, struct curfew_ctx *b) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(curfew_ctx_merge((struct curfew_ctx *[]){ a, b }, 2, &ctx), 0);
        return ctx;
}

static sigset_t set_of(int signal) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, signal);
        return set;
}

static bool is_blocked(int signal) {
        sigset_t mask;

        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        return sigismember(&mask, signal);
}

static void count_call(void *arg) {
        atomic_fetch_add((atomic_int *)arg, 1);
}

static bool fd_is_readable(struct curfew_ctx *ctx, int timeout_ms) {
        struct pollfd fd = { .fd = curfew_ctx_fd(ctx), .events = POLLIN };

        assert_ge(fd.fd, 0);
        return poll(&fd, 1, timeout_ms) == 1;
}

/* Err and cause, together; a plain cause repeats the err. */
static void assert_done(struct curfew_ctx *ctx, int err, int code, const char *text) {
        struct curfew_cause cause;

        assert_eq(curfew_ctx_err(ctx), err);
        assert_eq(curfew_ctx_cause(ctx, &cause), err);
        assert_eq(cause.code, code);
        if (text)
                assert_str(cause.text, text);
}

static void assert_live(struct curfew_ctx *ctx) {
        struct curfew_cause cause = { 1, "stale" };

        assert_eq(curfew_ctx_err(ctx), 0);
        assert_eq(curfew_ctx_cause(ctx, &cause), 0);
        assert_eq(cause.code, 0);
        assert_null(cause.text);
}

static void assert_cancelled(struct curfew_ctx *ctx) {
        assert_done(ctx, -ECANCELED, -ECANCELED, "cancelled");
}

static void assert_expired(struct curfew_ctx *ctx) {
        assert_done(ctx, -ETIMEDOUT, -ETIMEDOUT, "deadline exceeded");
}

/* go 1 */
static void test_background(void) {
        struct curfew_cause cause;

        assert_eq(curfew_ctx_err(NULL), 0);
        assert_eq(curfew_ctx_cause(NULL, &cause), 0);
        assert_eq(curfew_ctx_deadline(NULL), CURFEW_FOREVER);
        assert_null(curfew_ctx_value(NULL, &cause));
        assert_eq(curfew_ctx_fd(NULL), -EINVAL);
        assert_eq(curfew_ctx_wait(NULL, 0), -ETIMEDOUT);
        curfew_ctx_cancel(NULL);
        assert_eq(curfew_ctx_err(NULL), 0);
        assert_null(curfew_ctx_ref(NULL));
        assert_null(curfew_ctx_unref(NULL));
        assert_null(curfew_after_free(NULL));
}

/* go 2, 25 */
static void test_fresh(void) {
        struct curfew_ctx *ctx = with_cancel(NULL);

        assert_live(ctx);
        assert_false(fd_is_readable(ctx, 0));
        assert_eq(curfew_ctx_deadline(ctx), CURFEW_FOREVER);
        curfew_ctx_unref(ctx);
}

/* go 3, 13, 7: everything below is done when cancel returns, wrappers included. */
static void test_cancel_is_synchronous(void) {
        static const int key;
        struct curfew_ctx *layers[6];

        for (unsigned cut = 0; cut < 6; ++cut) {
                layers[0] = with_cancel(NULL);
                layers[1] = with_value(layers[0], &key, NULL);
                layers[2] = with_timeout(layers[1], FAR);
                layers[3] = with_cancel(layers[2]);
                layers[4] = merge(layers[3], NULL);
                layers[5] = with_cancel(layers[4]);
                curfew_ctx_cancel(layers[cut]);
                for (unsigned i = 0; i < 6; ++i) {
                        if (i < cut)
                                assert_live(layers[i]);
                        else
                                assert_cancelled(layers[i]);
                }
                for (unsigned i = 0; i < 6; ++i)
                        curfew_ctx_unref(layers[i]);
        }
}

/* go 8: born done, with the parent's cause; also below a value. */
static void test_born_done(void) {
        static const int key;
        struct curfew_ctx *parent = with_cancel(NULL), *child = NULL, *value;

        assert_eq(curfew_ctx_cancel_cause(parent, 3, "early"), 0);
        assert_eq(curfew_ctx_with_timeout_cause(parent, FAR, 4, "own", &child), 0);
        value = with_value(child, &key, NULL);
        assert_done(child, -ECANCELED, 3, "early");
        assert_done(value, -ECANCELED, 3, "early");
        assert_true(fd_is_readable(child, 0));
        curfew_ctx_unref(value);
        curfew_ctx_unref(child);
        curfew_ctx_unref(parent);
}

static void *cancel_with_cause(void *ctx) {
        curfew_ctx_cancel_cause(ctx, 9, "race");
        return NULL;
}

/* go 9 */
static void test_derive_racing_with_cancel(void) {
        for (unsigned i = 0; i < 200; ++i) {
                struct curfew_ctx *parent = with_cancel(NULL), *child;
                pthread_t thread;

                assert_eq(pthread_create(&thread, NULL, cancel_with_cause, parent), 0);
                child = with_cancel(parent);
                assert_eq(curfew_ctx_wait(child, FAR), 0);
                assert_done(child, -ECANCELED, 9, "race");
                assert_eq(pthread_join(thread, NULL), 0);
                curfew_ctx_unref(child);
                curfew_ctx_unref(parent);
        }
}

static void *cancel(void *ctx) {
        curfew_ctx_cancel(ctx);
        return NULL;
}

/* go 10 */
static void test_all_cancels_at_once(void) {
        struct curfew_ctx *nodes[100];
        pthread_t threads[100];

        nodes[0] = with_cancel(NULL);
        for (unsigned i = 1; i < 100; ++i)
                nodes[i] = with_cancel(nodes[(i - 1) / 3]);
        for (unsigned i = 0; i < 100; ++i)
                assert_eq(pthread_create(&threads[i], NULL, cancel, nodes[i]), 0);
        for (unsigned i = 0; i < 100; ++i)
                assert_eq(pthread_join(threads[i], NULL), 0);
        for (unsigned i = 0; i < 100; ++i) {
                assert_cancelled(nodes[i]);
                curfew_ctx_unref(nodes[i]);
        }
}

static void cancel_arg(void *ctx) {
        curfew_ctx_cancel(ctx);
}

/* go 11: a child cancelled from what the parent's end has called. */
static void test_cancel_child_from_parents_end(void) {
        struct curfew_ctx *parent = with_cancel(NULL), *child = with_cancel(parent);

        assert_eq(curfew_ctx_after(parent, cancel_arg, child, NULL), 0);
        curfew_ctx_cancel(parent);
        assert_cancelled(child);
        curfew_ctx_unref(child);
        curfew_ctx_unref(parent);
}

/* go 12 */
static void test_layers_keep_values(void) {
        static int keys[40];
        struct curfew_ctx *layers[40], *parent = NULL;
        unsigned state = 12345;

        for (unsigned i = 0; i < 40; ++i) {
                state = state * 1103515245 + 12345;
                switch (state >> 16 & 3) {
                case 0: layers[i] = with_cancel(parent); break;
                case 1: layers[i] = with_timeout(parent, FAR); break;
                case 2: layers[i] = without_cancel(parent); break;
                default: layers[i] = with_value(parent, &keys[i], &keys[i]); break;
                }
                parent = layers[i];
        }
        for (unsigned round = 0; round < 2; ++round) {
                for (unsigned i = 0; i < 40; ++i) {
                        void *value = curfew_ctx_value(layers[39], &keys[i]);
                        void *above = i > 0 ? curfew_ctx_value(layers[i - 1], &keys[i]) : NULL;

                        assert_true(value == curfew_ctx_value(layers[i], &keys[i]));
                        assert_null(above);
                }
                for (unsigned i = 0; i < 40; ++i)
                        curfew_ctx_cancel(layers[i]);
        }
        for (unsigned i = 0; i < 40; ++i)
                curfew_ctx_unref(layers[i]);
}

static unsigned released;

static void count_release(void *value) {
        released += *(unsigned *)value;
}

/* go 14, 15: keys are pointers; the nearest wins, NULL included; a value is released once. */
static void test_values(void) {
        static const int a, b;
        unsigned one = 1, two = 2;
        struct curfew_ctx *outer = NULL, *inner, *null, *both, *other;

        assert_eq(curfew_ctx_with_value(NULL, NULL, &one, NULL, &outer), -EINVAL);
        assert_null(outer);
        assert_eq(curfew_ctx_with_value(NULL, &a, &one, count_release, &outer), 0);
        inner = with_value(outer, &a, &two);
        null = with_value(inner, &a, NULL);
        assert_true(curfew_ctx_value(outer, &a) == &one);
        assert_true(curfew_ctx_value(inner, &a) == &two);
        assert_null(curfew_ctx_value(null, &a));
        assert_null(curfew_ctx_value(inner, &b));

        other = with_value(NULL, &b, &two);
        both = merge(outer, other);
        assert_true(curfew_ctx_value(both, &a) == &one);
        assert_true(curfew_ctx_value(both, &b) == &two);

        curfew_ctx_unref(outer);
        curfew_ctx_unref(inner);
        curfew_ctx_unref(null);
        curfew_ctx_unref(other);
        assert_eq(released, 0);
        curfew_ctx_unref(both);
        assert_eq(released, 1);
}

/* go 16, 17: whoever sees the err sees everything. */
static void *spin(void *arg) {
        struct curfew_ctx *ctx = arg;

        while (curfew_ctx_err(ctx) == 0)
                ;
        assert_done(ctx, -ECANCELED, 9, "race");
        assert_true(fd_is_readable(ctx, 0));
        return NULL;
}

static void test_err_and_cause_agree(void) {
        for (unsigned i = 0; i < 100; ++i) {
                struct curfew_ctx *parent = with_cancel(NULL), *child = with_cancel(parent);
                pthread_t thread;

                if (i % 2)
                        curfew_ctx_fd(child);
                assert_eq(pthread_create(&thread, NULL, spin, child), 0);
                cancel_with_cause(parent);
                assert_eq(pthread_join(thread, NULL), 0);
                curfew_ctx_unref(child);
                curfew_ctx_unref(parent);
        }
}

/* go 20, 44: by its deadline, with nobody looking, through wrappers. */
static void test_deadline_fires(void) {
        static const int key;
        struct curfew_ctx *ctx = with_timeout(NULL, CURFEW_SEC / 100);
        struct curfew_ctx *value = with_value(ctx, &key, NULL), *child = with_cancel(value);
        struct curfew_after *after;
        atomic_int calls = 0;

        assert_eq(curfew_ctx_after(ctx, count_call, &calls, &after), 0);
        assert_true(fd_is_readable(child, 20000));
        assert_expired(child);
        assert_expired(value);
        assert_expired(ctx);
        assert_eq(atomic_load(&calls), 1);
        curfew_after_free(after);
        curfew_ctx_unref(child);
        curfew_ctx_unref(value);
        curfew_ctx_unref(ctx);

        ctx = with_timeout(NULL, CURFEW_SEC / 100);
        assert_eq(curfew_ctx_wait(ctx, FAR), 0);
        assert_expired(ctx);
        curfew_ctx_unref(ctx);
}

/* go 21: the earlier of the two counts, and a tie is the parent's. */
static void test_earlier_deadline_wins(void) {
        int64_t soon = curfew_now() + CURFEW_SEC / 50;
        struct curfew_ctx *parent = NULL, *later = NULL, *equal = NULL;

        assert_eq(curfew_ctx_with_deadline_cause(NULL, soon, 1, "parent", &parent), 0);
        assert_eq(curfew_ctx_with_deadline_cause(parent, soon + FAR, 2, "later", &later), 0);
        assert_eq(curfew_ctx_with_deadline_cause(parent, soon, 3, "equal", &equal), 0);
        assert_eq(curfew_ctx_deadline(later), soon);
        assert_eq(curfew_ctx_wait(equal, FAR), 0);
        assert_done(later, -ETIMEDOUT, 1, "parent");
        assert_done(equal, -ETIMEDOUT, 1, "parent");
        assert_done(parent, -ETIMEDOUT, 1, "parent");
        curfew_ctx_unref(later);
        curfew_ctx_unref(equal);
        curfew_ctx_unref(parent);
}

/* go 22, 24, 35 */
static void test_past_deadlines(void) {
        static const int64_t timeouts[] = { 0, -1, -FAR, INT64_MIN };

        for (unsigned i = 0; i < 4; ++i) {
                struct curfew_ctx *ctx = with_timeout(NULL, timeouts[i]);
                atomic_int calls = 0;

                assert_eq(curfew_ctx_after(ctx, count_call, &calls, NULL), 0);
                assert_eq(atomic_load(&calls), 1); /* born done */
                assert_true(fd_is_readable(ctx, 0));
                curfew_ctx_cancel(ctx);
                assert_expired(ctx);
                curfew_ctx_unref(ctx);
        }
        struct curfew_ctx *never = with_timeout(NULL, CURFEW_FOREVER);
        assert_live(never);
        assert_eq(curfew_ctx_deadline(never), CURFEW_FOREVER);
        curfew_ctx_unref(never);
}

/* A cancel that comes after the deadline, though nobody had looked, is too late. */
static void test_cancel_after_unnoticed_deadline(void) {
        struct curfew_ctx *ctx = with_timeout(NULL, 1), *child = with_cancel(ctx);

        while (curfew_now() < curfew_ctx_deadline(ctx))
                ;
        curfew_ctx_cancel(child);
        assert_expired(child);
        assert_expired(ctx);
        curfew_ctx_unref(child);
        curfew_ctx_unref(ctx);
}

/* go 23 */
static void test_early_cancel_of_timeout(void) {
        struct curfew_ctx *ctx = with_timeout(NULL, FAR);

        curfew_ctx_cancel(ctx);
        assert_cancelled(ctx);
        curfew_ctx_unref(ctx);
}

/* go 26–34, 42: parent and child, each cancelled plainly or with a cause, in either order. The
 * first end counts; a child's never touches the parent. */
static void end_it(struct curfew_ctx *ctx, int code) {
        if (code == 0)
                curfew_ctx_cancel(ctx);
        else
                assert_eq(curfew_ctx_cancel_cause(ctx, code, "own"), 0);
}

static void assert_ended(struct curfew_ctx *ctx, int code) {
        if (code == 0)
                assert_cancelled(ctx);
        else
                assert_done(ctx, -ECANCELED, code, "own");
}

static void test_first_end_counts(bool merged) {
        static const int codes[] = { 0, 1, 2 };

        for (unsigned i = 0; i < 18; ++i) {
                int parents = codes[i % 3], childs = codes[i / 3 % 3];
                bool parent_first = i / 9;
                struct curfew_ctx *parent = with_cancel(NULL);
                struct curfew_ctx *child = merged ? merge(parent, NULL) : with_cancel(parent);

                if (parent_first) {
                        end_it(parent, parents);
                        end_it(child, childs);
                } else {
                        end_it(child, childs);
                        assert_live(parent);
                        end_it(parent, parents);
                }
                assert_ended(parent, parents);
                assert_ended(child, parent_first ? parents : childs);
                curfew_ctx_unref(child);
                curfew_ctx_unref(parent);
        }
}

/* A text alone is a cause, too; and so is a code. */
static void test_halves_of_a_cause(void) {
        struct curfew_ctx *ctx = with_cancel(NULL);
        struct curfew_cause cause;
        char text[] = "text";

        assert_eq(curfew_ctx_cancel_cause(ctx, 0, text), 0);
        text[0] = 'n'; /* it is copied */
        assert_done(ctx, -ECANCELED, 0, "text");
        curfew_ctx_unref(ctx);

        ctx = with_cancel(NULL);
        assert_eq(curfew_ctx_cancel_cause(ctx, 5, NULL), 0);
        assert_eq(curfew_ctx_cause(ctx, &cause), -ECANCELED);
        assert_eq(cause.code, 5);
        assert_null(cause.text);
        curfew_ctx_unref(ctx);
}

/* go 36–39 */
static void test_causes_of_deadlines(void) {
        struct curfew_ctx *parent = with_cancel(NULL), *ctx = NULL;

        assert_eq(curfew_ctx_with_timeout_cause(parent, 0, 5, "late", &ctx), 0);
        assert_done(ctx, -ETIMEDOUT, 5, "late");
        curfew_ctx_cancel_cause(parent, 6, "parent");
        assert_done(ctx, -ETIMEDOUT, 5, "late");
        curfew_ctx_unref(ctx);
        curfew_ctx_unref(parent);

        assert_eq(curfew_ctx_with_timeout_cause(NULL, FAR, 5, "late", &ctx), 0);
        curfew_ctx_cancel(ctx);
        assert_cancelled(ctx);
        curfew_ctx_unref(ctx);

        parent = with_cancel(NULL);
        assert_eq(curfew_ctx_with_timeout_cause(parent, FAR, 5, "late", &ctx), 0);
        curfew_ctx_cancel_cause(parent, 6, "parent");
        assert_done(ctx, -ECANCELED, 6, "parent");
        curfew_ctx_unref(ctx);
        curfew_ctx_unref(parent);
}

/* go 40, 41 */
static void test_without_cancel(void) {
        static const int key;
        int value;

        for (unsigned i = 0; i < 3; ++i) {
                struct curfew_ctx *parent = with_timeout(NULL, i == 2 ? 0 : FAR);
                struct curfew_ctx *valued = with_value(parent, &key, &value), *ctx, *child;

                if (i == 1)
                        curfew_ctx_cancel(parent);
                ctx = without_cancel(valued);
                child = with_cancel(ctx);
                curfew_ctx_cancel(parent);
                assert_live(ctx);
                assert_live(child);
                assert_eq(curfew_ctx_deadline(ctx), CURFEW_FOREVER);
                assert_true(curfew_ctx_value(child, &key) == &value);
                curfew_ctx_cancel(ctx);
                assert_cancelled(child);
                curfew_ctx_unref(parent);
                curfew_ctx_unref(valued);
                curfew_ctx_unref(ctx);
                curfew_ctx_unref(child);
        }
}

/* go 43, 45, 46, 47 */
static void test_after(void) {
        struct curfew_ctx *ctx = with_cancel(NULL);
        struct curfew_after *called, *stopped, *late;
        atomic_int calls = 0, never = 0;

        assert_eq(curfew_ctx_after(ctx, count_call, &calls, &called), 0);
        assert_eq(curfew_ctx_after(ctx, count_call, &calls, NULL), 0);
        assert_eq(curfew_ctx_after(ctx, count_call, &never, &stopped), 0);
        assert_eq(atomic_load(&calls), 0);
        assert_eq(curfew_after_stop(stopped), 1);
        assert_eq(curfew_after_stop(stopped), 0);
        curfew_ctx_cancel(ctx);
        assert_eq(atomic_load(&calls), 2);
        assert_eq(atomic_load(&never), 0);
        assert_eq(curfew_after_stop(called), 0);

        assert_eq(curfew_ctx_after(ctx, count_call, &calls, &late), 0);
        assert_eq(atomic_load(&calls), 3);
        assert_eq(curfew_after_stop(late), 0);
        assert_eq(curfew_ctx_after(NULL, count_call, &calls, &late), -EINVAL);

        curfew_after_free(called);
        curfew_after_free(stopped);
        curfew_after_free(late);
        curfew_ctx_unref(ctx);
}

/* A registration that nobody holds goes with its context, uncalled; one that is held outlives it.
 */
static void test_after_outlives_its_context(void) {
        struct curfew_ctx *ctx = with_cancel(NULL);
        struct curfew_after *after;
        atomic_int calls = 0;

        assert_eq(curfew_ctx_after(ctx, count_call, &calls, NULL), 0);
        curfew_ctx_unref(ctx);
        assert_eq(atomic_load(&calls), 0);

        ctx = with_cancel(NULL);
        assert_eq(curfew_ctx_after(ctx, count_call, &calls, &after), 0);
        curfew_ctx_unref(ctx);
        assert_eq(curfew_after_stop(after), 1);
        curfew_after_free(after);
        assert_eq(atomic_load(&calls), 0);
}

struct self {
        struct curfew_ctx *ctx;
        struct curfew_after *own, *next;
        int calls;
};

static void free_self_and_next(void *arg) {
        struct self *self = arg;

        self->own = curfew_after_free(self->own);
        self->next = curfew_after_free(self->next);
        self->ctx = curfew_ctx_unref(self->ctx);
        ++self->calls;
}

/* From within a call: free itself, the one that would be next, and the context. */
static void test_free_from_within(void) {
        struct self self = { .ctx = with_cancel(NULL) };
        atomic_int never = 0;

        assert_eq(curfew_ctx_after(self.ctx, free_self_and_next, &self, &self.own), 0);
        assert_eq(curfew_ctx_after(self.ctx, count_call, &never, &self.next), 0);
        curfew_ctx_cancel(self.ctx);
        assert_eq(self.calls, 1);
        assert_eq(atomic_load(&never), 0);
}

struct slow {
        int entered[2], leave[2];
        atomic_bool left;
};

static void be_slow(void *arg) {
        struct slow *slow = arg;
        char c;

        assert_eq(write(slow->entered[1], "x", 1), 1);
        assert_eq(read(slow->leave[0], &c, 1), 1);
        atomic_store(&slow->left, true);
}

static void *let_leave(void *arg) {
        struct slow *slow = arg;

        assert_eq(write(slow->leave[1], "x", 1), 1);
        return NULL;
}

/* Freeing waits for a call that another thread is in, stopping does not; the context is done while
 * the call lasts (what can be had here of go 48). */
static void test_free_waits_for_the_call(void) {
        struct curfew_ctx *ctx = with_cancel(NULL);
        struct slow slow = { .left = false };
        struct curfew_after *after;
        pthread_t canceller, helper;
        char c;

        assert_eq(pipe(slow.entered), 0);
        assert_eq(pipe(slow.leave), 0);
        assert_eq(curfew_ctx_after(ctx, be_slow, &slow, &after), 0);
        assert_eq(pthread_create(&canceller, NULL, cancel, ctx), 0);
        assert_eq(read(slow.entered[0], &c, 1), 1);
        assert_cancelled(ctx);
        assert_eq(curfew_after_stop(after), 0);
        assert_false(atomic_load(&slow.left));
        assert_eq(pthread_create(&helper, NULL, let_leave, &slow), 0);
        curfew_after_free(after);
        assert_true(atomic_load(&slow.left));
        assert_eq(pthread_join(helper, NULL), 0);
        assert_eq(pthread_join(canceller, NULL), 0);
        for (unsigned i = 0; i < 2; ++i) {
                close(slow.entered[i]);
                close(slow.leave[i]);
        }
        curfew_ctx_unref(ctx);
}

/* go 54: of many stops at once, one prevents the call. */
static void *stop(void *after) {
        return (void *)(uintptr_t)curfew_after_stop(after);
}

static void test_ten_stops_at_once(void) {
        struct curfew_ctx *ctx = with_cancel(NULL);
        struct curfew_after *after;
        pthread_t threads[10];
        atomic_int calls = 0;
        uintptr_t prevented = 0;

        assert_eq(curfew_ctx_after(ctx, count_call, &calls, &after), 0);
        for (unsigned i = 0; i < 10; ++i)
                assert_eq(pthread_create(&threads[i], NULL, stop, after), 0);
        for (unsigned i = 0; i < 10; ++i) {
                void *result;

                assert_eq(pthread_join(threads[i], &result), 0);
                prevented += (uintptr_t)result;
        }
        assert_eq(prevented, 1);
        curfew_ctx_cancel(ctx);
        assert_eq(atomic_load(&calls), 0);
        curfew_after_free(after);
        curfew_ctx_unref(ctx);
}

static void let_go(void *arg) {
        struct curfew_ctx **ctx = arg;

        *ctx = curfew_ctx_unref(*ctx);
}

/* What is called lets go of the context that is just being looked at or cancelled. */
static void test_let_go_from_within(void) {
        struct curfew_ctx *ctx, *last;

        for (unsigned how = 0; how < 3; ++how) {
                ctx = last = with_timeout(NULL, CURFEW_MSEC);
                assert_eq(curfew_ctx_after(ctx, let_go, &last, NULL), 0);
                while (curfew_now() < curfew_ctx_deadline(ctx))
                        ;
                switch (how) {
                case 0: assert_eq(curfew_ctx_err(ctx), -ETIMEDOUT); break;
                case 1: curfew_ctx_cancel(ctx); break;
                default: assert_eq(curfew_ctx_wait(ctx, FAR), 0); break;
                }
                assert_null(last);
        }

        struct curfew_ctx *parent = with_cancel(NULL);
        last = merge(parent, NULL);
        assert_eq(curfew_ctx_after(last, let_go, &last, NULL), 0);
        curfew_ctx_cancel(parent);
        assert_null(last);
        curfew_ctx_unref(parent);
}

/* Whoever is called finds everything done, in the trees of merges, too. */
struct family {
        struct curfew_ctx *members[4];
        int calls;
};

static void assert_all_done(void *arg) {
        struct family *family = arg;

        for (unsigned i = 0; i < 4; ++i)
                assert_cancelled(family->members[i]);
        ++family->calls;
}

static void test_all_are_done_before_a_call(void) {
        struct family family = { .calls = 0 };
        struct curfew_ctx **members = family.members;

        members[0] = with_cancel(NULL);
        assert_eq(curfew_ctx_after(members[0], assert_all_done, &family, NULL), 0);
        members[1] = merge(members[0], NULL);
        members[2] = with_cancel(members[1]);
        assert_eq(curfew_ctx_after(members[2], assert_all_done, &family, NULL), 0);
        members[3] = merge(NULL, members[2]);
        assert_eq(curfew_ctx_after(members[3], assert_all_done, &family, NULL), 0);
        curfew_ctx_cancel(members[0]);
        assert_eq(family.calls, 3);
        for (unsigned i = 0; i < 4; ++i)
                curfew_ctx_unref(members[i]);
}

/* Letting go of a merge waits for no function of the caller's, as no unref does. */
static void test_merge_goes_while_a_call_lasts(void) {
        struct curfew_ctx *ctx = with_cancel(NULL), *merged = merge(ctx, NULL);
        struct slow slow = { .left = false };
        pthread_t canceller;
        char c;

        assert_eq(pipe(slow.entered), 0);
        assert_eq(pipe(slow.leave), 0);
        assert_eq(curfew_ctx_after(ctx, be_slow, &slow, NULL), 0);
        assert_eq(pthread_create(&canceller, NULL, cancel, ctx), 0);
        assert_eq(read(slow.entered[0], &c, 1), 1);
        assert_cancelled(merged);
        curfew_ctx_unref(merged);
        assert_false(atomic_load(&slow.left));
        let_leave(&slow);
        assert_eq(pthread_join(canceller, NULL), 0);
        for (unsigned i = 0; i < 2; ++i) {
                close(slow.entered[i]);
                close(slow.leave[i]);
        }
        curfew_ctx_unref(ctx);
}

/* The first of several, with its reason and cause; the others and their parents are left alone. */
static void test_merge(void) {
        struct curfew_ctx *a = with_cancel(NULL), *b = NULL, *ctx, *nested, *none = NULL;

        assert_eq(curfew_ctx_merge(NULL, 0, &none), -EINVAL);
        assert_eq(curfew_ctx_with_timeout_cause(NULL, CURFEW_SEC / 100, 8, "b", &b), 0);
        ctx = merge(a, b);
        nested = merge(ctx, NULL);
        assert_eq(curfew_ctx_deadline(nested), curfew_ctx_deadline(b));
        assert_live(a);
        assert_true(fd_is_readable(nested, 20000));
        assert_done(nested, -ETIMEDOUT, 8, "b");
        assert_done(ctx, -ETIMEDOUT, 8, "b");
        assert_live(a);
        curfew_ctx_unref(ctx);

        ctx = merge(a, b); /* one is done already */
        assert_done(ctx, -ETIMEDOUT, 8, "b");
        curfew_ctx_unref(ctx);

        ctx = merge(a, a);
        curfew_ctx_unref(a);
        curfew_ctx_cancel(a); /* a is still referenced by its merge */
        assert_cancelled(ctx);
        curfew_ctx_unref(ctx);
        curfew_ctx_unref(b);
        curfew_ctx_unref(nested);
}

/* go 50: a context that is waited for costs a descriptor once, and gives it back. */
static void test_fd_is_one(void) {
        struct curfew_ctx *ctx = with_cancel(NULL);
        int fd = curfew_ctx_fd(ctx);

        assert_ge(fd, 3);
        assert_eq(curfew_ctx_fd(ctx), fd);
        curfew_ctx_unref(ctx);
        assert_eq(close(fd), -1);
}

struct rush {
        pthread_barrier_t barrier;
        struct curfew_ctx *ctx;
};

static void *get_fd(void *arg) {
        struct rush *rush = arg;

        pthread_barrier_wait(&rush->barrier);
        return (void *)(intptr_t)curfew_ctx_fd(rush->ctx);
}

/* Whoever asks at the same time gets the same one, and nothing is left over. */
static void test_fd_asked_for_at_once(void) {
        unsigned n = test_count_fds();

        for (unsigned i = 0; i < 500; ++i) {
                struct rush rush = { .ctx = with_timeout(NULL, FAR) };
                pthread_t thread;
                void *other;
                int fd;

                assert_eq(pthread_barrier_init(&rush.barrier, NULL, 2), 0);
                assert_eq(pthread_create(&thread, NULL, get_fd, &rush), 0);
                fd = (int)(intptr_t)get_fd(&rush);
                assert_eq(pthread_join(thread, &other), 0);
                assert_ge(fd, 3);
                assert_eq((intptr_t)other, fd);
                pthread_barrier_destroy(&rush.barrier);
                curfew_ctx_unref(rush.ctx);
        }
        assert_eq(test_count_fds(), n);
}

/* It is readable as soon as cancel has returned, and stays so, deadline or not. */
static void test_fd_at_once(void) {
        for (unsigned i = 0; i < 2000; ++i) {
                struct curfew_ctx *ctx = i % 2 ? with_cancel(NULL) : with_timeout(NULL, FAR);
                struct curfew_ctx *child = with_cancel(ctx);
                struct pollfd fd = { .fd = curfew_ctx_fd(child), .events = POLLIN };

                assert_eq(poll(&fd, 1, 0), 0);
                curfew_ctx_cancel(ctx);
                assert_eq(poll(&fd, 1, 0), 1);
                curfew_ctx_cancel(child);
                assert_eq(poll(&fd, 1, 0), 1);
                curfew_ctx_unref(child);
                curfew_ctx_unref(ctx);
        }
}

/* Deadlines at the edges of what a timer takes. */
static void test_fd_of_odd_deadlines(void) {
        static const int64_t past[] = { INT64_MIN, -1, 0, 1 };
        struct curfew_ctx *ctx = NULL;

        for (unsigned i = 0; i < 4; ++i) {
                assert_eq(curfew_ctx_with_deadline(NULL, past[i], &ctx), 0);
                assert_true(fd_is_readable(ctx, 0));
                assert_expired(ctx);
                curfew_ctx_unref(ctx);
        }
        assert_eq(curfew_ctx_with_deadline(NULL, CURFEW_FOREVER - 1, &ctx), 0);
        assert_false(fd_is_readable(ctx, 0));
        assert_live(ctx);
        curfew_ctx_unref(ctx);
}

/* Valgrind doesn't know the call. */
static bool is_refused(int r) {
        return r == -EMFILE || r == -ENOSYS;
}

/* Without a descriptor to be had: an error, and nothing is kept. */
static void test_no_descriptors(void) {
        struct curfew_ctx *ctx = with_timeout(NULL, FAR), *none = NULL;
        struct curfew_signals *signals = NULL, *no_signals = NULL;
        struct rlimit old, few;
        sigset_t set = set_of(SIGUSR1);
        unsigned n = test_count_fds();
        int lowest = dup(0);

        assert_ge(lowest, 0);
        close(lowest);
        assert_eq(curfew_signals_open(NULL, &set, &signals), 0); /* takes the lowest */
        assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
        few = (struct rlimit){ (rlim_t)lowest + 1, old.rlim_max };
        assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        assert_eq(curfew_ctx_fd(ctx), -EMFILE);
        assert_eq(curfew_signals_open(NULL, &set, &no_signals), -EMFILE);
        assert_null(no_signals);
        assert_eq(curfew_ctx_with_fd(NULL, 0, POLLIN, &none), -EMFILE);
        assert_true(is_refused(curfew_ctx_with_pid(NULL, getpid(), &none)));
        assert_true(is_refused(curfew_ctx_with_ppid(NULL, getppid(), &none)));
        assert_null(none);
        few.rlim_cur = (rlim_t)lowest + 2;
        assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        assert_eq(curfew_ctx_fd(curfew_signals_ctx(signals)), -EMFILE); /* no epoll */
        assert_eq(curfew_ctx_wait(curfew_signals_ctx(signals), FAR), -EMFILE);
        assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
        assert_eq(test_count_fds(), n + 1);
        assert_ge(curfew_ctx_fd(ctx), 0);
        assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        assert_ge(curfew_ctx_fd(ctx), 0); /* it has one */
        assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
        curfew_signals_close(signals);
        curfew_ctx_unref(ctx);
        assert_eq(test_count_fds(), n);
        assert_false(is_blocked(SIGUSR1));
}

static atomic_int handled;

static void handle(int signal) {
        (void)signal;
        atomic_fetch_add(&handled, 1);
}

struct interrupted {
        pthread_t thread;
        struct curfew_ctx *ctx;
};

static void *interrupt(void *arg) {
        struct interrupted *interrupted = arg;

        while (atomic_load(&handled) < 200)
                assert_eq(pthread_kill(interrupted->thread, SIGUSR2), 0);
        curfew_ctx_cancel(interrupted->ctx);
        return NULL;
}

/* Signals that the caller handles don't cut a wait short. */
static void test_wait_is_not_interrupted(void) {
        struct interrupted interrupted = { pthread_self(), with_cancel(NULL) };
        struct sigaction action = { .sa_handler = handle }, old;
        pthread_t thread;

        assert_eq(sigaction(SIGUSR2, &action, &old), 0);
        assert_eq(pthread_create(&thread, NULL, interrupt, &interrupted), 0);
        assert_eq(curfew_ctx_wait(interrupted.ctx, FAR), 0);
        assert_cancelled(interrupted.ctx);
        assert_eq(pthread_join(thread, NULL), 0);
        assert_eq(sigaction(SIGUSR2, &old, NULL), 0);
        curfew_ctx_unref(interrupted.ctx);
}

/* Threads that do everything at once with one context and what they derive from it. */
static void *use(void *arg) {
        struct curfew_ctx *shared = arg;
        static const int key;
        atomic_int calls = 0;

        for (unsigned i = 0; i < 300; ++i) {
                struct curfew_ctx *child = i % 2 ? with_timeout(shared, CURFEW_USEC * i)
                                                 : with_value(shared, &key, arg);
                struct curfew_ctx *merged = merge(child, shared);
                struct curfew_cause cause;
                struct curfew_after *after;

                assert_eq(curfew_ctx_after(child, count_call, &calls, &after), 0);
                curfew_ctx_fd(merged);
                if (i % 3 == 0)
                        curfew_ctx_cancel_cause(child, 3, "three");
                if (i == 200)
                        curfew_ctx_cancel_cause(shared, 4, "four");
                if (curfew_ctx_cause(merged, &cause) != 0)
                        assert_true(cause.text);
                if (i % 2)
                        assert_eq(curfew_ctx_wait(merged, FAR), 0);
                curfew_ctx_unref(child);
                curfew_after_free(after);
                curfew_ctx_unref(merged);
        }
        return NULL;
}

static void test_threads(void) {
        struct curfew_ctx *shared = with_cancel(NULL);
        unsigned n = test_count_fds();
        pthread_t threads[4];

        for (unsigned i = 0; i < 4; ++i)
                assert_eq(pthread_create(&threads[i], NULL, use, shared), 0);
        for (unsigned i = 0; i < 4; ++i)
                assert_eq(pthread_join(threads[i], NULL), 0);
        assert_done(shared, -ECANCELED, 4, "four");
        assert_eq(test_count_fds(), n);
        curfew_ctx_unref(shared);
}

static void test_wait_with_limit(void) {
        struct curfew_ctx *ctx = with_cancel(NULL);
        int64_t before = curfew_now();

        assert_eq(curfew_ctx_wait(ctx, 0), -ETIMEDOUT);
        assert_eq(curfew_ctx_wait(ctx, CURFEW_SEC / 100), -ETIMEDOUT);
        assert_ge(curfew_now() - before, CURFEW_SEC / 100);
        curfew_ctx_cancel(ctx);
        assert_eq(curfew_ctx_wait(ctx, 0), 0);
        assert_eq(curfew_ctx_wait(ctx, CURFEW_FOREVER), 0);
        curfew_ctx_unref(ctx);
}

static void test_from_environment(void) {
        static const char *const broken[] = { "soon", "12x", " 1", "-1", "+1", "1.5",
                "9223372036854775808", "99999999999999999999" };
        struct curfew_ctx *ctx = NULL, *parent;

        unsetenv("CURFEW_DEADLINE");
        assert_eq(curfew_ctx_from_environment(NULL, &ctx), 0);
        assert_eq(curfew_ctx_deadline(ctx), CURFEW_FOREVER);
        curfew_ctx_unref(ctx);
        setenv("CURFEW_DEADLINE", "", 1);
        assert_eq(curfew_ctx_from_environment(NULL, &ctx), 0);
        assert_eq(curfew_ctx_deadline(ctx), CURFEW_FOREVER);
        curfew_ctx_unref(ctx);

        for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); ++i) {
                setenv("CURFEW_DEADLINE", broken[i], 1);
                assert_eq(curfew_ctx_from_environment(NULL, &ctx), 1);
                assert_eq(curfew_ctx_deadline(ctx), CURFEW_FOREVER);
                assert_live(ctx);
                curfew_ctx_unref(ctx);
        }

        setenv("CURFEW_DEADLINE", "1000", 1);
        assert_eq(curfew_ctx_from_environment(NULL, &ctx), 0);
        assert_eq(curfew_ctx_deadline(ctx), 1000);
        assert_expired(ctx);
        curfew_ctx_unref(ctx);

        setenv("CURFEW_DEADLINE", "9000000000000000000", 1);
        parent = with_timeout(NULL, FAR);
        assert_eq(curfew_ctx_from_environment(parent, &ctx), 0);
        assert_eq(curfew_ctx_deadline(ctx), curfew_ctx_deadline(parent));
        curfew_ctx_unref(ctx);
        curfew_ctx_unref(parent);
        unsetenv("CURFEW_DEADLINE");
}

int main(void) {
        test_bound(120);

        test_background();
        test_fresh();
        test_cancel_is_synchronous();
        test_born_done();
        test_derive_racing_with_cancel();
        test_all_cancels_at_once();
        test_cancel_child_from_parents_end();
        test_layers_keep_values();
        test_values();
        test_err_and_cause_agree();
        test_deadline_fires();
        test_earlier_deadline_wins();
        test_past_deadlines();
        test_cancel_after_unnoticed_deadline();
        test_early_cancel_of_timeout();
        test_first_end_counts(false);
        test_first_end_counts(true);
        test_halves_of_a_cause();
        test_causes_of_deadlines();
        test_without_cancel();
        test_after();
        test_after_outlives_its_context();
        test_free_from_within();
        test_free_waits_for_the_call();
        test_ten_stops_at_once();
        test_let_go_from_within();
        test_all_are_done_before_a_call();
        test_merge_goes_while_a_call_lasts();
        test_merge();
        test_fd_is_one();
        test_fd_asked_for_at_once();
        test_fd_at_once();
        test_fd_of_odd_deadlines();
        test_no_descriptors();
        test_wait_with_limit();
        test_wait_is_not_interrupted();
        test_threads();
        test_from_environment();
        return 0;
}
