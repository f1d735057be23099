// SPDX-License-Identifier: MIT
#pragma once

/* CURFEW_DEADLINE: a time on CLOCK_MONOTONIC, in nanoseconds, handed from process to process. */

#include "base/base.h"
#include "curfew.h"

/* -EINVAL unless it is a decimal number, all of it, that fits. */
int deadline_parse(const char *text, int64_t *ret);

/* By when a child should have finished by itself, so that the plan need not begin: the deadline
 * less the graces of its steps, but never more than half of what is left. CLOCK_NEVER stays. */
int64_t deadline_for_child(
        int64_t deadline, int64_t now, const struct curfew_step *plan, enum curfew_until until);
