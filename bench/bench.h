// SPDX-License-Identifier: MIT
#pragma once

/* What all benchmarks share: ways of doing the same work are taken in turn, round by round, so that
 * a change of the machine's speed meets them alike, and what is printed is the median of a round's
 * ratio to the way that is the floor. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_COUNT(ways) (sizeof(ways) / sizeof((ways)[0]))

/* A way that doesn't work here. */
#define BENCH_MISSING INT64_MIN

struct bench_way {
        const char *name;

        /* How long it takes to do it `n` times, in ns. */
        int64_t (*measure)(const struct bench_way *way, unsigned n);
        const void *arg;

        const char *floor; /* the name of the way that it is compared with; NULL: the first one */
        double goal;       /* at most so many times as long as the floor; negative: the floor is to
                              take at least so many times as long; 0: none */
};

/* Take all ways in turn and print the table, in Markdown. Each is taken
 * once unmeasured before it is measured. */
void bench_table(const char *title, const struct bench_way *ways, size_t n_ways, unsigned rounds,
        unsigned n);

/* One more row of the table that was just printed. The goal is as in bench_way. */
void bench_row(const char *name, double ns, double ratio, double goal);

/* One line below a table: printf's arguments. */
__attribute__((format(printf, 1, 2))) void bench_note(const char *format, ...);

/* The p-th part of sorted values is below it; sorts them. */
int64_t bench_percentile(int64_t *values, size_t n, double p);

int64_t bench_now(void);

/* Print what has failed, with errno, and end. */
_Noreturn void bench_fail(const char *what);

/* So many rounds, unless BENCH_ROUNDS says a percentage of that. */
unsigned bench_rounds(unsigned rounds);
