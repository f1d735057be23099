// SPDX-License-Identifier: MIT
#pragma once

/* Contexts that carry a value. */

#include "core/ctx.h"

int value_new(struct curfew_ctx *parent, const void *key, void *value, void (*release)(void *value),
        struct curfew_ctx **ret);

/* The nearest value under the key, on the way up; `ctx` may be NULL. */
bool value_find(const struct curfew_ctx *ctx, const void *key, void **ret);
