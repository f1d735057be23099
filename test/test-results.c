// SPDX-License-Identifier: MIT
#include "results.h"
#include "test.h"

#include <string.h>
#include <sys/resource.h>

/* Every result is all zero when it is had, and nobody else's. */

#define MANY 10000

static struct curfew_result *taken[MANY];

static void take(struct results *results, size_t i) {
        static const struct curfew_result zero;

        taken[i] = results_take(results);
        assert_true(taken[i]);
        assert_eq(memcmp(taken[i], &zero, sizeof(zero)), 0);
        taken[i]->code = (int)i;
}

static void give(struct results *results, size_t i) {
        assert_eq(taken[i]->code, (int)i);
        curfew_result_deinit(taken[i]);
        results_give(results, taken[i]);
}

static void test_many(void) {
        struct results results;

        results_init(&results);
        for (size_t i = 0; i < MANY; ++i)
                take(&results, i);
        for (size_t i = 0; i < MANY; i += 2)
                give(&results, i);
        for (size_t i = 0; i < MANY; i += 2)
                take(&results, i);
        for (size_t i = 0; i < MANY; ++i)
                give(&results, i);
        results_deinit(&results);
}

/* Without memory for more there is the first, and then none; and one again that was given back. */
static void test_no_memory(void) {
        const struct rlimit none = { 0, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
        struct results results;

        results_init(&results);
        assert_eq(setrlimit(RLIMIT_AS, &none), 0);
        take(&results, 0);
        assert_null(results_take(&results));
        give(&results, 0);
        take(&results, 0);
        assert_eq(setrlimit(RLIMIT_AS, &all), 0);
        give(&results, 0);
        results_deinit(&results);
}

int main(void) {
        test_bound(20);
        test_many();
        test_no_memory();
        return 0;
}
