// SPDX-License-Identifier: MIT

/*
 * What a start and a wait cost when several threads do it at the same time, each on a supervisor of
 * its own: time for one, on all CPUs. A lock of ours that is held across a start would show.
 *
 *     threads PROGRAM
 */

#include "bench.h"
#include "raw.h"

#include <curfew.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_THREADS 8

static const char *program;
static int null_fd = -1;
static struct raw_stack stacks[MAX_THREADS];

struct share {
        unsigned n;
        struct raw_stack *stack;
        pthread_t thread;
};

static void *start_raw(void *arg) {
        struct share *share = arg;
        struct raw_plan plan = RAW_PLAN(program, null_fd);

        plan.in_child = raw_courtesy;
        for (unsigned i = 0; i < share->n; ++i) {
                struct raw_child child = raw_start(&plan, share->stack);

                raw_wait(&child);
        }
        return NULL;
}

static void *start_curfew(void *arg) {
        const char *const argv[] = { program, NULL };
        const struct curfew_cmd cmd = { .argv = argv, .backend = CURFEW_BACKEND_GROUP };
        struct share *share = arg;
        struct curfew_run *run;
        struct curfew *sup;

        if (curfew_new(&sup) < 0)
                bench_fail("curfew_new");
        for (unsigned i = 0; i < share->n; ++i) {
                if (curfew_start(sup, NULL, &cmd, NULL, &run) < 0)
                        bench_fail("curfew_start");
                curfew_run_wait(run, CURFEW_FOREVER);
                curfew_run_free(run);
        }
        curfew_free(sup);
        return NULL;
}

static int64_t together(void *(*fn)(void *arg), unsigned n_threads, unsigned n) {
        struct share shares[MAX_THREADS];
        int64_t before = bench_now();

        for (unsigned i = 0; i < n_threads; ++i) {
                shares[i] = (struct share){ .n = n / n_threads, .stack = &stacks[i] };
                if (pthread_create(&shares[i].thread, NULL, fn, &shares[i]) != 0)
                        bench_fail("pthread_create");
        }
        for (unsigned i = 0; i < n_threads; ++i)
                pthread_join(shares[i].thread, NULL);
        return bench_now() - before;
}

static int64_t by_raw(const struct bench_way *way, unsigned n) {
        return together(start_raw, *(const unsigned *)way->arg, n);
}

static int64_t by_curfew(const struct bench_way *way, unsigned n) {
        return together(start_curfew, *(const unsigned *)way->arg, n);
}

int main(int argc, char **argv) {
        static const unsigned one = 1, two = 2, four = 4, eight = 8;
        static const struct bench_way ways[] = {
                { "floor, 1 thread", by_raw, &one },
                { "curfew, 1 thread", by_curfew, &one, "floor, 1 thread", 1.1 },
                { "floor, 2 threads", by_raw, &two },
                { "curfew, 2 threads", by_curfew, &two, "floor, 2 threads", 1.1 },
                { "floor, 4 threads", by_raw, &four },
                { "curfew, 4 threads", by_curfew, &four, "floor, 4 threads", 1.1 },
                { "floor, 8 threads", by_raw, &eight },
                { "curfew, 8 threads", by_curfew, &eight, "floor, 8 threads", 1.1 },
        };

        if (argc < 2) {
                fprintf(stderr, "usage: %s PROGRAM\n", argv[0]);
                return 2;
        }
        program = argv[1];
        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        bench_table("Threads starting at once; the floor is clone3, all that a start does for its "
                    "caller, execve, waitid",
                ways, BENCH_COUNT(ways), bench_rounds(60), 160);
        return 0;
}
