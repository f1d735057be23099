// SPDX-License-Identifier: MIT
#pragma once

/* A list without a head: a pointer to the first, or NULL, and the last is tied to the first. It
 * takes half the place of a head where most lists are empty. */

#include "base/list.h"

static inline void ring_append(struct list **ring, struct list *l) {
        if (*ring) {
                list_append(*ring, l);
        } else {
                list_init(l);
                *ring = l;
        }
}

static inline void ring_unlink(struct list **ring, struct list *l) {
        struct list *next = l->next;

        if (*ring == l)
                *ring = next == l ? NULL : next;
        list_unlink(l);
}
