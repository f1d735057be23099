// SPDX-License-Identifier: MIT
#pragma once

/*
 * Time inside curfew is one type: signed 64-bit nanoseconds of CLOCK_MONOTONIC, absolute. Durations
 * become absolute at the edge and no arithmetic overflows: it saturates, and what lies beyond the
 * end of time is CLOCK_NEVER.
 */

#include "base/base.h"
#include <time.h>

#define CLOCK_NEVER INT64_MAX
#define CLOCK_SEC   INT64_C(1000000000)

int64_t clock_now(void);

/* The time now as far as it matters for whether `at` has come: where that is further off than a
 * second, the time of the last tick will do, which is had for a fifth of the price. */
int64_t clock_towards(int64_t at);

/* The time of the boot, which is before 0 where the machine has been suspended since. */
int64_t clock_boot(void);

/* now + duration. A negative duration is a time already past; the sum never wraps. */
static inline int64_t clock_after(int64_t now, int64_t duration) {
        int64_t sum;

        if (__builtin_add_overflow(now, duration, &sum))
                return duration > 0 ? CLOCK_NEVER : INT64_MIN;
        return sum;
}

static inline int64_t clock_min(int64_t a, int64_t b) {
        return a < b ? a : b;
}

static inline struct timespec clock_timespec(int64_t ns) {
        if (ns < 0)
                ns = 0;
        return (struct timespec){ .tv_sec = ns / CLOCK_SEC, .tv_nsec = ns % CLOCK_SEC };
}
