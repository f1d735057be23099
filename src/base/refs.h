// SPDX-License-Identifier: MIT
#pragma once

/* Counts of references. Who has the only one needs no locked instruction to drop it, as nobody
 * could take another; nor does who is alone. */

#include "base/threads.h"

#include <stdatomic.h>

static inline void refs_take(atomic_uint *refs) {
        if (threads_alone())
                atomic_store_explicit(refs, atomic_load_explicit(refs, memory_order_relaxed) + 1,
                        memory_order_relaxed);
        else
                atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* Whether that was the last. */
static inline bool refs_drop(atomic_uint *refs) {
        unsigned n = atomic_load_explicit(refs, memory_order_acquire);

        /* cppcheck-suppress knownConditionTrueFalse ; it depends on the C library */
        if (n > 1 && !threads_alone())
                return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
        atomic_store_explicit(refs, n - 1, memory_order_relaxed);
        return n == 1;
}

/* Whether the last has been dropped already. */
static inline bool refs_gone(const atomic_uint *refs) {
        return atomic_load_explicit(refs, memory_order_relaxed) == 0;
}
