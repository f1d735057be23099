// SPDX-License-Identifier: MIT

/* Which clock is asked whether a time has come. */

#include "base/clock.h"
#include "test.h"

/* In place of the C library's; see the link arguments. The tick lags by half a second. */

static const int64_t now = 1000 * CLOCK_SEC, tick = now - CLOCK_SEC / 2;
static unsigned n_exact;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        assert_true(clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE);
        n_exact += clock == CLOCK_MONOTONIC;
        *ret = clock_timespec(clock == CLOCK_MONOTONIC ? now : tick);
        return 0;
}

/* Far away, the tick is enough; near, and in the past, it isn't. */
static void test_towards(void) {
        static const int64_t far[] = { tick + CLOCK_SEC + 1, now + CLOCK_SEC, CLOCK_NEVER },
                             near[] = { tick + CLOCK_SEC, now + 1, now, tick, 0, -1, INT64_MIN };

        for (unsigned i = 0; i < ARRAY_SIZE(far); ++i)
                assert_eq(clock_towards(far[i]), tick);
        assert_eq(n_exact, 0);
        for (unsigned i = 0; i < ARRAY_SIZE(near); ++i)
                assert_eq(clock_towards(near[i]), now);
        assert_eq(n_exact, ARRAY_SIZE(near));
}

int main(void) {
        test_towards();
        return 0;
}
