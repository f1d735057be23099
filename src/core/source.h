// SPDX-License-Identifier: MIT
#pragma once

/* Contexts that have to be looked at. */

#include "core/ctx.h"

/* Takes over the source; on failure it is still the caller's. */
int source_new(struct curfew_ctx *parent, struct source *source, struct curfew_ctx **ret);

/* Have a new context depend on all that several others depend on, which it is to hold. */
int sources_join(struct curfew_ctx *ctx, struct curfew_ctx *const others[], size_t n);

/* With the context. */
void sources_free(struct curfew_ctx *ctx);
