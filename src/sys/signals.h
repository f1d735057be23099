// SPDX-License-Identifier: MIT
#pragma once

/* The calling thread's signal mask and the process's dispositions, all of them: the C library's own
 * two signals as well, which its wrappers leave out. */

#include "base/base.h"
#include "sys/clone.h"

struct signals_mask {
        uint64_t bits[2];
};

void signals_block(struct signals_mask *ret_old);
void signals_restore(const struct signals_mask *mask);

/* For a child that borrows our memory, in this order. */
int signals_default(void);
void signals_unblock(void);
