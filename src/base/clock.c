// SPDX-License-Identifier: MIT
#include "base/clock.h"

static int64_t read_clock(clockid_t clock) {
        struct timespec ts = { 0 };

        clock_gettime(clock, &ts);
        return (int64_t)ts.tv_sec * CLOCK_SEC + ts.tv_nsec;
}

int64_t clock_now(void) {
        return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_towards(int64_t at) {
        int64_t tick = read_clock(CLOCK_MONOTONIC_COARSE);

        return clock_after(tick, CLOCK_SEC) < at ? tick : clock_now();
}

int64_t clock_boot(void) {
        return read_clock(CLOCK_MONOTONIC) - read_clock(CLOCK_BOOTTIME);
}
