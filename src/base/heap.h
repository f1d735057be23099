// SPDX-License-Identifier: MIT
#pragma once

/* A 4-ary min-heap of embedded nodes by a 64-bit key; nodes know their place, so any of them can be
 * moved or removed in logarithmic time. */

#include "base/base.h"

struct heap_node {
        int64_t key;
        size_t index; /* HEAP_OUTSIDE while not in a heap */
};

#define HEAP_OUTSIDE SIZE_MAX
#define HEAP_NODE_NULL                                                                             \
        { .key = 0, .index = HEAP_OUTSIDE }

struct heap_place {
        int64_t key;
        struct heap_node *node;
};

struct heap {
        struct heap_place *places;
        size_t n;
        size_t reserved; /* places promised by heap_reserve() */
        size_t capacity;
};

#define HEAP_NULL                                                                                  \
        { .places = NULL }

void heap_deinit(struct heap *heap);

/* Promise a place for one more node: a heap never holds more nodes than it has promised, and
 * heap_set() can't fail. Shrinking the promise frees nothing. */
int heap_reserve(struct heap *heap);
void heap_release(struct heap *heap);

void heap_set(struct heap *heap, struct heap_node *node, int64_t key); /* insert or move */
void heap_remove(struct heap *heap, struct heap_node *node);           /* if it is in there */

static inline struct heap_node *heap_min(const struct heap *heap) {
        return heap->n > 0 ? heap->places[0].node : NULL;
}
