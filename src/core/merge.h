// SPDX-License-Identifier: MIT
#pragma once

/* Contexts with several parents. */

#include "core/ctx.h"

/* `ctxs` may have NULLs, the background. */
int merge_new(struct curfew_ctx *const ctxs[], size_t n, struct curfew_ctx **ret);
