// SPDX-License-Identifier: MIT
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t bench_now(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void bench_fail(const char *what) {
        perror(what);
        exit(1);
}

unsigned bench_rounds(unsigned rounds) {
        const char *percent = getenv("BENCH_ROUNDS");
        unsigned long n = percent ? rounds * strtoul(percent, NULL, 10) / 100 : rounds;

        return n > 0 ? (unsigned)n : 1;
}

void bench_note(const char *format, ...) {
        va_list args;

        va_start(args, format);
        putchar('\n');
        vprintf(format, args); /* NOLINT(clang-analyzer-valist.Uninitialized): it is */
        putchar('\n');
        va_end(args);
        fflush(stdout);
}

static int compare_times(const void *a, const void *b) {
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static int compare_doubles(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

int64_t bench_percentile(int64_t *values, size_t n, double p) {
        size_t at = (size_t)(p * (double)n);

        qsort(values, n, sizeof(*values), compare_times);
        return values[at < n ? at : n - 1];
}

static size_t find_floor(const struct bench_way *ways, size_t n_ways, const struct bench_way *way) {
        for (size_t i = 0; way->floor && i < n_ways; ++i)
                if (strcmp(ways[i].name, way->floor) == 0)
                        return i;
        return 0;
}

static double median(double *values, unsigned n) {
        qsort(values, n, sizeof(*values), compare_doubles);
        return values[n / 2];
}

/* What the pairs of the rounds say; and without floors the times themselves. */
static double median_ratio(const int64_t *times, const int64_t *floors, unsigned rounds) {
        double *ratios = calloc(rounds, sizeof(*ratios)), ratio;

        if (!ratios)
                bench_fail("calloc");
        for (unsigned i = 0; i < rounds; ++i)
                ratios[i] = (double)times[i] / (floors ? (double)floors[i] : 1);
        ratio = median(ratios, rounds);
        free(ratios);
        return ratio;
}

static void print_time(double ns) {
        if (ns < 1e3)
                printf(" %.1f ns |", ns);
        else if (ns < 1e6)
                printf(" %.1f µs |", ns / 1e3);
        else
                printf(" %.1f ms |", ns / 1e6);
}

static void print_goal(double goal, double ratio) {
        if (goal > 0)
                printf(" ≤ %.2f | %s |\n", goal, ratio <= goal ? "met" : "missed");
        else if (goal < 0)
                printf(" ≥ %.2f | %s |\n", -goal, ratio >= -goal ? "met" : "missed");
        else
                printf(" | |\n");
}

void bench_row(const char *name, double ns, double ratio, double goal) {
        printf("| %s |", name);
        print_time(ns);
        printf(" %.2f |", ratio);
        print_goal(goal, ratio);
}

static void print_row(const struct bench_way *way, const int64_t *times, const int64_t *floors,
        unsigned rounds, unsigned n) {
        if (times[0] == BENCH_MISSING || floors[0] == BENCH_MISSING)
                printf("| %s | not here | | | |\n", way->name);
        else
                bench_row(way->name, median_ratio(times, NULL, rounds) / n,
                        median_ratio(times, floors, rounds), way->goal);
}

/* Once for the caches, which are full of what was taken before it; that doesn't count. */
static int64_t measure(const struct bench_way *way, unsigned n) {
        if (n > 1 && way->measure(way, 1) == BENCH_MISSING)
                return BENCH_MISSING;
        return way->measure(way, n);
}

static void measure_all(
        const struct bench_way *ways, size_t n_ways, int64_t **times, unsigned rounds, unsigned n) {
        for (unsigned round = 0; round < rounds; ++round)
                for (size_t i = 0; i < n_ways; ++i)
                        if (round == 0 || times[i][0] != BENCH_MISSING)
                                times[i][round] = measure(&ways[i], n);
}

void bench_table(const char *title, const struct bench_way *ways, size_t n_ways, unsigned rounds,
        unsigned n) {
        int64_t *times[64];

        if (n_ways > BENCH_COUNT(times))
                abort();
        for (size_t i = 0; i < n_ways; ++i)
                if (!(times[i] = calloc(rounds, sizeof(int64_t))))
                        bench_fail("calloc");
        measure_all(ways, n_ways, times, rounds, n);

        printf("\n### %s\n\n%u rounds of %u\n\n", title, rounds, n);
        printf("| | median | × floor | goal | |\n|---|---:|---:|---:|---|\n");
        for (size_t i = 0; i < n_ways; ++i)
                print_row(&ways[i], times[i], times[find_floor(ways, n_ways, &ways[i])], rounds, n);
        for (size_t i = 0; i < n_ways; ++i)
                free(times[i]);
        fflush(stdout);
}
