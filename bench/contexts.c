// SPDX-License-Identifier: MIT

/*
 * What contexts cost, beside the least that a tree of them could be: a node from malloc, tied into
 * its parent's list under the tree's mutex, with one atomic flag, and the clock where there is a
 * deadline. The least has no references, no cause, no values and no after-functions, and it trusts
 * its caller: it is a floor, not a rival. The rival is Go, which is compared with curfew.
 *
 * A context holds its parent, since its values and its cause may be there. What that costs at least
 * is shown beside the floor: two locked instructions, where there are threads. In a process with
 * one thread there are none: the C library's mutex does without, and curfew without the mutex.
 *
 *     contexts [Go=PROGRAM]
 */

#include "bench.h"
#include "peer.h"

#include <curfew.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define FEW         1000U
#define MANY        1000000U
#define MAX_THREADS 8U

static struct peer go;

/* The floor */

struct least {
        struct least *prev, *next;
        int64_t deadline;
        atomic_int done;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void least_init(struct least *node, struct least *parent, int64_t deadline) {
        node->deadline = deadline;
        atomic_init(&node->done, 0);
        pthread_mutex_lock(&lock);
        node->prev = parent->prev;
        node->next = parent;
        parent->prev->next = node;
        parent->prev = node;
        pthread_mutex_unlock(&lock);
}

static struct least *least_new(struct least *parent, int64_t deadline) {
        struct least *node = malloc(sizeof(*node));

        if (!node)
                bench_fail("malloc");
        least_init(node, parent, deadline);
        return node;
}

static void least_cancel(struct least *node) {
        pthread_mutex_lock(&lock);
        node->prev->next = node->next;
        node->next->prev = node->prev;
        atomic_store_explicit(&node->done, 1, memory_order_release);
        pthread_mutex_unlock(&lock);
}

/* Not inline, as a library's isn't. */
__attribute__((noinline)) static int least_err(const struct least *node) {
        int done = atomic_load_explicit(&node->done, memory_order_acquire);

        if (done || node->deadline == INT64_MAX)
                return done;
        return bench_now() >= node->deadline;
}

static void least_free_all(struct least *parent) {
        while (parent->next != parent) {
                struct least *node = parent->next;

                parent->next = node->next;
                free(node);
        }
        parent->prev = parent;
}

/* The same, holding its parent. */

struct holder {
        struct least node;
        struct holder *parent;
        atomic_uint refs;
};

static struct holder *holder_new(struct holder *parent) {
        struct holder *holder = malloc(sizeof(*holder));

        if (!holder)
                bench_fail("malloc");
        holder->parent = parent;
        atomic_init(&holder->refs, 1);
        atomic_fetch_add_explicit(&parent->refs, 1, memory_order_relaxed);
        least_init(&holder->node, &parent->node, INT64_MAX);
        return holder;
}

static void holder_free(struct holder *holder) {
        if (atomic_fetch_sub_explicit(&holder->parent->refs, 1, memory_order_acq_rel) == 1)
                abort();
        free(holder);
}

static struct holder holder_top(struct holder *top) {
        return (struct holder){ .node = { &top->node, &top->node }, .refs = 1 };
}

/* curfew's */

static struct curfew_ctx *derive(struct curfew_ctx *parent) {
        struct curfew_ctx *ctx;

        if (curfew_ctx_with_cancel(parent, &ctx) < 0)
                bench_fail("curfew_ctx_with_cancel");
        return ctx;
}

static struct curfew_ctx *derive_timeout(struct curfew_ctx *parent) {
        struct curfew_ctx *ctx;

        if (curfew_ctx_with_timeout(parent, CURFEW_HOUR, &ctx) < 0)
                bench_fail("curfew_ctx_with_timeout");
        return ctx;
}

/* One after the other */

static int64_t derive_least(const struct bench_way *way, unsigned n) {
        struct least parent = { .prev = &parent, .next = &parent };
        int64_t before = bench_now();

        for (unsigned i = 0; i < n; ++i) {
                struct least *node = least_new(
                        &parent, way->arg ? bench_now() + CURFEW_HOUR : INT64_MAX);

                least_cancel(node);
                free(node);
        }
        return bench_now() - before;
}

static int64_t derive_curfew(const struct bench_way *way, unsigned n) {
        struct curfew_ctx *parent = derive(NULL);
        int64_t took, before = bench_now();

        for (unsigned i = 0; i < n; ++i) {
                struct curfew_ctx *ctx = way->arg ? derive_timeout(parent) : derive(parent);

                curfew_ctx_cancel(ctx);
                curfew_ctx_unref(ctx);
        }
        took = bench_now() - before;
        curfew_ctx_unref(parent);
        return took;
}

static int64_t ask_go(const struct bench_way *way, unsigned n) {
        return peer_ask(&go, "%s %u", (const char *)way->arg, n);
}

static void bench_derive(void) {
        static const struct bench_way plain[] = {
                { "list under a mutex", derive_least },
                { "curfew", derive_curfew, .goal = 1.5 },
                { "Go", ask_go, "derive", .floor = "curfew", .goal = -1 },
        };
        static const struct bench_way timeout[] = {
                { "list under a mutex, clock", derive_least, "" },
                { "curfew", derive_curfew, "", .goal = 1.5 },
                { "Go", ask_go, "timeout", .floor = "curfew", .goal = -1 },
        };

        bench_table("Derive, cancel and let go", plain, BENCH_COUNT(plain), bench_rounds(21),
                100 * FEW);
        bench_table("The same with a deadline", timeout, BENCH_COUNT(timeout), bench_rounds(21),
                100 * FEW);
}

/* All at once */

static int64_t broadcast_least(const struct bench_way *way, unsigned n) {
        struct least parent = { .prev = &parent, .next = &parent };
        int64_t before, took;

        (void)way;
        for (unsigned i = 0; i < n; ++i)
                least_new(&parent, INT64_MAX);
        before = bench_now();
        pthread_mutex_lock(&lock);
        for (struct least *i = parent.next; i != &parent; i = i->next)
                atomic_store_explicit(&i->done, 1, memory_order_release);
        pthread_mutex_unlock(&lock);
        took = bench_now() - before;
        least_free_all(&parent);
        return took;
}

/* N below one parent, or each below the one before it; the first of all is cancelled. */
static int64_t broadcast_curfew(const struct bench_way *way, unsigned n) {
        struct curfew_ctx **ctxs = calloc(n, sizeof(struct curfew_ctx *)), *top = derive(NULL);
        int64_t before, took;

        if (!ctxs)
                bench_fail("calloc");
        for (unsigned i = 0; i < n; ++i)
                ctxs[i] = derive(way->arg && i > 0 ? ctxs[i - 1] : top);
        before = bench_now();
        curfew_ctx_cancel(top);
        took = bench_now() - before;
        for (unsigned i = 0; i < n; ++i)
                curfew_ctx_unref(ctxs[i]);
        curfew_ctx_unref(top);
        free(ctxs);
        return took;
}

static void bench_broadcast(void) {
        static const struct bench_way few[] = {
                { "loop over the list", broadcast_least },
                { "curfew", broadcast_curfew, .goal = 1.5 },
                { "Go", ask_go, "broadcast", .floor = "curfew", .goal = -1 },
        };
        static const struct bench_way many[] = {
                { "loop over the list", broadcast_least },
                { "curfew", broadcast_curfew, .goal = 1.5 },
                { "Go", ask_go, "broadcast", .floor = "curfew", .goal = -5 },
        };
        static const struct bench_way chain[] = {
                { "loop over the list", broadcast_least },
                { "curfew", broadcast_curfew, "", .goal = 1.5 },
                { "Go", ask_go, "chain", .floor = "curfew", .goal = -1 },
        };

        bench_table(
                "Cancel a parent of 1,000, a child", few, BENCH_COUNT(few), bench_rounds(101), FEW);
        bench_table("Cancel a parent of 1,000,000, a child", many, BENCH_COUNT(many),
                bench_rounds(15), MANY);
        bench_table("Cancel the first of a chain of 1,000,000, a link", chain, BENCH_COUNT(chain),
                bench_rounds(15), MANY);
}

/* Asking */

static int64_t ask_least(const struct bench_way *way, unsigned n) {
        const struct least node = { .deadline = way->arg ? bench_now() + CURFEW_HOUR : INT64_MAX };
        int64_t before = bench_now();
        int err = 0;

        for (unsigned i = 0; i < n; ++i)
                err |= least_err(&node);
        if (err != 0)
                abort();
        return bench_now() - before;
}

static int64_t ask_curfew(const struct bench_way *way, unsigned n) {
        struct curfew_ctx *ctx = way->arg ? derive_timeout(NULL) : derive(NULL);
        int64_t took, before = bench_now();
        int err = 0;

        for (unsigned i = 0; i < n; ++i)
                err |= curfew_ctx_err(ctx);
        if (err != 0)
                abort();
        took = bench_now() - before;
        curfew_ctx_unref(ctx);
        return took;
}

static void bench_err(void) {
        static const struct bench_way plain[] = {
                { "atomic load", ask_least },
                { "curfew", ask_curfew, .goal = 1.5 },
                { "Go", ask_go, "err", .floor = "curfew", .goal = -1 },
        };
        static const struct bench_way timeout[] = {
                { "atomic load, clock", ask_least, "" },
                { "curfew", ask_curfew, "", .goal = 1.5 },
        };

        bench_table("Ask a live context", plain, BENCH_COUNT(plain), bench_rounds(21), MANY);
        bench_table("Ask a live context with a deadline", timeout, BENCH_COUNT(timeout),
                bench_rounds(21), MANY);
}

/* Threads under one parent */

struct share {
        pthread_t thread;
        struct curfew_ctx *ctx; /* this, */
        struct holder *holder;  /* or else this, */
        struct least *least;    /* or else this */
        unsigned n;
};

static void *take_share(void *arg) {
        const struct share *share = arg;

        for (unsigned i = 0; i < share->n; ++i) {
                if (share->ctx) {
                        struct curfew_ctx *ctx = derive(share->ctx);

                        curfew_ctx_cancel(ctx);
                        curfew_ctx_unref(ctx);
                } else if (share->holder) {
                        struct holder *holder = holder_new(share->holder);

                        least_cancel(&holder->node);
                        holder_free(holder);
                } else {
                        struct least *node = least_new(share->least, INT64_MAX);

                        least_cancel(node);
                        free(node);
                }
        }
        return NULL;
}

static int64_t together(const struct share *all, unsigned n_threads) {
        struct share shares[MAX_THREADS];
        int64_t before = bench_now();

        for (unsigned i = 0; i < n_threads; ++i) {
                shares[i] = *all;
                shares[i].n = (all->n + i) / n_threads; /* they add up */
                if (pthread_create(&shares[i].thread, NULL, take_share, &shares[i]) != 0)
                        bench_fail("pthread_create");
        }
        for (unsigned i = 0; i < n_threads; ++i)
                pthread_join(shares[i].thread, NULL);
        return bench_now() - before;
}

static int64_t together_least(const struct bench_way *way, unsigned n) {
        struct least parent = { .prev = &parent, .next = &parent };

        return together(&(struct share){ .least = &parent, .n = n }, *(const unsigned *)way->arg);
}

static int64_t together_holders(const struct bench_way *way, unsigned n) {
        struct holder parent = holder_top(&parent);

        return together(&(struct share){ .holder = &parent, .n = n }, *(const unsigned *)way->arg);
}

static int64_t together_curfew(const struct bench_way *way, unsigned n) {
        struct curfew_ctx *parent = derive(NULL);
        int64_t took = together(
                &(struct share){ .ctx = parent, .n = n }, *(const unsigned *)way->arg);

        curfew_ctx_unref(parent);
        return took;
}

static int64_t together_go(const struct bench_way *way, unsigned n) {
        return peer_ask(&go, "threads %u %u", n, *(const unsigned *)way->arg);
}

static void bench_threads(void) {
        static const unsigned two = 2, eight = 8;
        static const struct bench_way ways[] = {
                { "list under a mutex, 2 threads", together_least, &two },
                { "the same, holding its parent", together_holders, &two },
                { "curfew, 2 threads", together_curfew, &two, .goal = 1.5 },
                { "Go, 2 threads", together_go, &two, .floor = "curfew, 2 threads", .goal = -1 },
                { "list under a mutex, 8 threads", together_least, &eight,
                        .floor = "list under a mutex, 8 threads" },
                { "the same, holding its parent", together_holders, &eight,
                        .floor = "list under a mutex, 8 threads" },
                { "curfew, 8 threads", together_curfew, &eight,
                        .floor = "list under a mutex, 8 threads", .goal = 1.5 },
                { "Go, 8 threads", together_go, &eight, .floor = "curfew, 8 threads", .goal = -1 },
        };

        bench_table("Derive, cancel and let go, threads under one parent", ways, BENCH_COUNT(ways),
                bench_rounds(21), 100 * FEW);
}

/* Memory */

static size_t in_use(void) {
        struct mallinfo2 info = mallinfo2();

        return info.uordblks + info.hblkhd;
}

static size_t size_of_curfews(bool below_parent) {
        static struct curfew_ctx *ctxs[100 * FEW];
        struct curfew_ctx *parent = below_parent ? derive(NULL) : NULL;
        size_t before = in_use(), size;

        for (size_t i = 0; i < BENCH_COUNT(ctxs); ++i)
                ctxs[i] = derive(parent);
        size = (in_use() - before) / BENCH_COUNT(ctxs);
        for (size_t i = 0; i < BENCH_COUNT(ctxs); ++i)
                curfew_ctx_unref(ctxs[i]);
        curfew_ctx_unref(parent);
        return size;
}

static size_t size_of_leasts(void) {
        struct least parent = { .prev = &parent, .next = &parent };
        size_t before = in_use(), size;

        for (unsigned i = 0; i < 100 * FEW; ++i)
                least_new(&parent, INT64_MAX);
        size = (in_use() - before) / 100 / FEW;
        least_free_all(&parent);
        return size;
}

/* What is cached for a thread counts as in use: measured before anything is freed. */
static void note_memory(void) {
        size_t child = size_of_curfews(true), top = size_of_curfews(false);

        bench_note("Memory: %zu bytes a context, %zu with a tree of its own; the floor %zu.", child,
                top, size_of_leasts());
}

int main(int argc, char **argv) {
        (void)argc;
        peers_open(&go, 1, argv + 1);
        note_memory();
        bench_derive();
        bench_broadcast();
        bench_err();
        bench_threads();
        peer_close(&go);
        return 0;
}
