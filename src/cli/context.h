// SPDX-License-Identifier: MIT
#pragma once

/* What ends the command, besides itself, signals and silence. */

#include "curfew.h"
#include "opts.h"

/* A negative errno, after a line has been said about it. */
int context_make(const struct opts *opts, struct curfew_ctx **ret);
