// SPDX-License-Identifier: MIT
#include "core/deadline.h"
#include "base/clock.h"

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

/* What a step takes at most, as far as that is finite. */
static int64_t grace_of(const struct curfew_step *step) {
        if (step->grace == 0)
                return CURFEW_GRACE;
        return step->grace < 0 || step->grace == CURFEW_FOREVER ? 0 : step->grace;
}

int64_t deadline_for_child(
        int64_t deadline, int64_t now, const struct curfew_step plan[CURFEW_MAX_STEPS]) {
        int64_t half = deadline > now ? (deadline - now) / 2 : 0;
        int64_t graces = 0;

        if (deadline == CLOCK_NEVER)
                return deadline;

        for (size_t i = 0; i < CURFEW_MAX_STEPS && plan[i].signal != 0; ++i)
                graces = clock_after(graces, grace_of(&plan[i]));
        if (plan[0].signal == 0)
                graces = CURFEW_GRACE;

        return deadline - clock_min(graces, half);
}
