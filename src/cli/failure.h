// SPDX-License-Identifier: MIT
#pragma once

/* A command that could not be started. */

#include "opts.h"

/* Why, for people. */
const char *failure_explain(const struct opts *opts, enum curfew_stage stage, int error);

/* What the program exits with then. */
int failure_status(enum curfew_stage stage, int error);
