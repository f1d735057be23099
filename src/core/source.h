// SPDX-License-Identifier: MIT
#pragma once

/* Contexts that have to be looked at. */

#include "core/ctx.h"

/* Takes over the source; on failure it is still the caller's. */
int source_new(struct curfew_ctx *parent, struct source *source, struct curfew_ctx **ret);

/* One list of all that several contexts have, with room for some more behind; NULL if that is none
 * at all. */
int sources_join(struct curfew_ctx *const ctxs[], size_t n, size_t room, struct sources **ret);
