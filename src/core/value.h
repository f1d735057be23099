// SPDX-License-Identifier: MIT
#pragma once

/* Contexts that carry a value. */

#include "core/ctx.h"

int value_new(struct curfew_ctx *parent, const void *key, void *value, void (*release)(void *value),
        struct curfew_ctx **ret);
