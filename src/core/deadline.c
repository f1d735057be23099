// SPDX-License-Identifier: MIT
#include "core/deadline.h"
#include "base/clock.h"
#include "core/stop.h"

int deadline_parse(const char *text, int64_t *ret) {
        int64_t value = 0;

        if (!*text)
                return -EINVAL;

        for (; *text; ++text) {
                if (*text < '0' || *text > '9')
                        return -EINVAL;
                if (__builtin_mul_overflow(value, 10, &value) ||
                        __builtin_add_overflow(value, *text - '0', &value))
                        return -EINVAL;
        }

        *ret = value;
        return 0;
}

int64_t deadline_for_child(
        int64_t deadline, int64_t now, const struct curfew_step *plan, enum curfew_until until) {
        int64_t half = deadline > now ? (deadline - now) / 2 : 0;
        struct stop stop;

        if (deadline == CLOCK_NEVER)
                return deadline;

        stop_init(&stop, plan, until, 0);
        return deadline - clock_min(stop_graces(&stop), half);
}
