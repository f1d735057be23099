// SPDX-License-Identifier: MIT
#pragma once

/* What can be polled for the end of a context. */

#include "core/ctx.h"

struct bell {
        struct ctx_bell bell;
        int event;
        int timer; /* -1: no deadline */
        int epoll; /* -1: the event is all there is */
};

/* For the context as it is; it rings once its hook is called. */
int bell_new(const struct curfew_ctx *ctx, struct bell **ret);
struct bell *bell_free(struct bell *bell);

static inline int bell_fd(const struct bell *bell) {
        return bell->epoll >= 0 ? bell->epoll : bell->event;
}
