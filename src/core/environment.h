// SPDX-License-Identifier: MIT
#pragma once

/* A child's environment, from a base and edits. */

#include "base/base.h"

/*
 * The entries of `base`, then `edits` ("NAME=value" sets, "NAME" removes), then the defaults:
 * PWD=`pwd` (if not NULL) unless an edit names PWD, and CURFEW_DEADLINE=`deadline` unless that is
 * CLOCK_NEVER or the environment carries one that is not later.
 *
 * The last of duplicates wins and stands where the first stood. Empty entries of `base` are left
 * out, those without a name are kept as they are. NULL is an empty list.
 *
 * One allocation, to be freed with free(), that points to the strings of `base` and `edits`.
 */
int environment_build(const char *const *base, const char *const *edits, const char *pwd,
        int64_t deadline, char ***ret);
