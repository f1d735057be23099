// SPDX-License-Identifier: MIT
#pragma once

/* What happened to a command, in lines for people. */

#include "curfew.h"

/* A step was taken, for the sake of `why`. */
void account_step(const char *name, const struct curfew_step_taken *step, const char *why);

/* The leader exited, so long after the start. */
void account_exit(const char *name, int64_t after);

void account_end(const char *name, const struct curfew_result *result);
