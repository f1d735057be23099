// SPDX-License-Identifier: MIT
#pragma once

/* The calling thread's signal mask and the process's dispositions, all of them: the C library's own
 * two signals as well, which its wrappers leave out. */

#include "base/base.h"
#include "sys/clone.h"

#include <signal.h>

struct signals_mask {
        uint64_t bits[2];
};

void signals_block(struct signals_mask *ret_old);
void signals_restore(const struct signals_mask *mask);

/* For a child that borrows our memory, in this order: every disposition is the default, or to
 * ignore; and what is blocked. NULL is none. */
int signals_reset(const sigset_t *ignored);
void signals_block_only(const sigset_t *blocked);
