// SPDX-License-Identifier: MIT
#pragma once

/* What the peers written in C share: reading the lines of ../peer.h, and answering them. Memory is
 * grown and measured here, the rest is up to the peer. */

#include <stddef.h>
#include <stdint.h>

struct verb {
        const char *name;

        /* How long it takes, in ns. */
        int64_t (*measure)(size_t n, const char *program);
};

/* Until stdin ends. The table ends with a verb that has no name. */
void serve(const struct verb *verbs);
