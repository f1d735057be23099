// SPDX-License-Identifier: MIT
#pragma once

/* A 4-ary min-heap of embedded nodes by a 64-bit key; nodes know their place, so any of them can be
 * moved or removed in logarithmic time. */

#include "base/base.h"

#include <assert.h>

struct heap_node {
        size_t index; /* HEAP_OUTSIDE while not in a heap */
};

#define HEAP_OUTSIDE SIZE_MAX
#define HEAP_NODE_NULL                                                                             \
        { .index = HEAP_OUTSIDE }

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

int heap_grow(struct heap *heap); /* for heap_reserve() */

/* Promise a place for one more node: a heap never holds more nodes than it has promised, and
 * heap_set() can't fail. Shrinking the promise frees nothing. */
static inline int heap_reserve(struct heap *heap) {
        int r = heap->reserved < heap->capacity ? 0 : heap_grow(heap);

        if (r == 0)
                heap->reserved++;
        return r;
}

static inline void heap_release(struct heap *heap) {
        assert(heap->reserved > heap->n);
        heap->reserved--;
}

void heap_set(struct heap *heap, struct heap_node *node, int64_t key); /* insert or move */
void heap_remove(struct heap *heap, struct heap_node *node);           /* if it is in there */

/* The one with the least key, or NULL; and that key, or INT64_MAX. */
static inline struct heap_node *heap_min(const struct heap *heap) {
        return heap->n > 0 ? heap->places[0].node : NULL;
}

static inline int64_t heap_min_key(const struct heap *heap) {
        return heap->n > 0 ? heap->places[0].key : INT64_MAX;
}
