// SPDX-License-Identifier: MIT
#pragma once

/* What was handed over to this process, as the kernel tells it. */

#include <stdbool.h>
#include <stdint.h>

struct self {
        uint64_t ignored; /* signals, the lowest bit is number 1 */
        unsigned n_fds;   /* all open descriptors have lower numbers */
        bool has_proc;    /* that of its own PID namespace */
};

void self_read(struct self *ret);
