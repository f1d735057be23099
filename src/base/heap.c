// SPDX-License-Identifier: MIT
#include "base/heap.h"

#include <assert.h>

/*
 * Four children a node instead of two halve the depth, and the four keys compared on the way down
 * belong to nodes whose pointers lie side by side.
 *
 * Nothing is ever swapped. A node that comes or changes its key leaves a hole where it was; the
 * hole rises while its parent is later and sinks while one of its children is earlier, at most one
 * of which happens, and the node is put where it comes to rest.
 */

#define ARITY 4

static void put(struct heap *heap, size_t at, struct heap_node *node) {
        heap->nodes[at] = node;
        node->index = at;
}

static size_t raise_hole(struct heap *heap, size_t at, int64_t key) {
        while (at > 0) {
                size_t parent = (at - 1) / ARITY;

                if (heap->nodes[parent]->key <= key)
                        break;
                put(heap, at, heap->nodes[parent]);
                at = parent;
        }
        return at;
}

/* The child with the least key; heap->n if there is no child. */
static size_t least_child(const struct heap *heap, size_t at) {
        size_t first = at * ARITY + 1;
        size_t least = heap->n;

        for (size_t i = first; i < first + ARITY && i < heap->n; ++i)
                if (least == heap->n || heap->nodes[i]->key < heap->nodes[least]->key)
                        least = i;
        return least;
}

static size_t sink_hole(struct heap *heap, size_t at, int64_t key) {
        size_t child;

        while ((child = least_child(heap, at)) < heap->n && heap->nodes[child]->key < key) {
                put(heap, at, heap->nodes[child]);
                at = child;
        }
        return at;
}

static void fill_hole(struct heap *heap, size_t at, struct heap_node *node) {
        at = raise_hole(heap, at, node->key);
        at = sink_hole(heap, at, node->key);
        put(heap, at, node);
}

void heap_set(struct heap *heap, struct heap_node *node, int64_t key) {
        node->key = key;
        if (node->index == HEAP_OUTSIDE) {
                assert(heap->n < heap->reserved);
                node->index = heap->n++;
                heap->nodes[node->index] = node;
        }
        fill_hole(heap, node->index, node);
}

void heap_remove(struct heap *heap, struct heap_node *node) {
        struct heap_node *last;

        if (node->index == HEAP_OUTSIDE)
                return;

        last = heap->nodes[--heap->n];
        if (last != node)
                fill_hole(heap, node->index, last);
        node->index = HEAP_OUTSIDE;
}

int heap_reserve(struct heap *heap) {
        if (heap->reserved == heap->capacity) {
                size_t capacity = heap->capacity > 0 ? 2 * heap->capacity : 16;
                struct heap_node **nodes = reallocarray(
                        heap->nodes, capacity, sizeof(struct heap_node *));

                if (!nodes)
                        return -ENOMEM;
                heap->nodes = nodes;
                heap->capacity = capacity;
        }

        heap->reserved++;
        return 0;
}

void heap_release(struct heap *heap) {
        assert(heap->reserved > heap->n);
        heap->reserved--;
}

void heap_deinit(struct heap *heap) {
        free(heap->nodes);
        *heap = (struct heap)HEAP_NULL;
}
