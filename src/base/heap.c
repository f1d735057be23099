// SPDX-License-Identifier: MIT
#include "base/heap.h"

/*
 * Four children a node instead of two halve the depth. A place holds the key beside the pointer: so
 * the four keys compared on the way down lie side by side, and a node, which may be anywhere in
 * memory, is not read to be compared, only told where it has come to be.
 *
 * Nothing is ever swapped. A node that comes or changes its key leaves a hole where it was; the
 * hole rises while its parent is later and sinks while one of its children is earlier, at most one
 * of which happens, and the node is put where it comes to rest.
 */

#define ARITY 4

static void put(struct heap *heap, size_t at, struct heap_place place) {
        heap->places[at] = place;
        place.node->index = at;
}

static size_t raise_hole(struct heap *heap, size_t at, int64_t key) {
        while (at > 0) {
                size_t parent = (at - 1) / ARITY;

                if (heap->places[parent].key <= key)
                        break;
                put(heap, at, heap->places[parent]);
                at = parent;
        }
        return at;
}

/* The child with the least key; heap->n or more if there is no child. */
static size_t least_child(const struct heap *heap, size_t at) {
        size_t least = at * ARITY + 1;
        size_t end = least + ARITY < heap->n ? least + ARITY : heap->n;

        for (size_t i = least + 1; i < end; ++i)
                if (heap->places[i].key < heap->places[least].key)
                        least = i;
        return least;
}

static size_t sink_hole(struct heap *heap, size_t at, int64_t key) {
        size_t child;

        while ((child = least_child(heap, at)) < heap->n && heap->places[child].key < key) {
                put(heap, at, heap->places[child]);
                at = child;
        }
        return at;
}

static void fill_hole(struct heap *heap, size_t at, struct heap_place place) {
        at = raise_hole(heap, at, place.key);
        at = sink_hole(heap, at, place.key);
        put(heap, at, place);
}

void heap_set(struct heap *heap, struct heap_node *node, int64_t key) {
        if (node->index == HEAP_OUTSIDE) {
                assert(heap->n < heap->reserved);
                put(heap, raise_hole(heap, heap->n++, key), (struct heap_place){ key, node });
        } else {
                fill_hole(heap, node->index, (struct heap_place){ key, node });
        }
}

void heap_remove(struct heap *heap, struct heap_node *node) {
        struct heap_place last;

        if (node->index == HEAP_OUTSIDE)
                return;

        last = heap->places[--heap->n];
        if (last.node != node)
                fill_hole(heap, node->index, last);
        node->index = HEAP_OUTSIDE;
}

int heap_grow(struct heap *heap) {
        size_t capacity = heap->capacity > 0 ? 2 * heap->capacity : 16;
        struct heap_place *places = reallocarray(heap->places, capacity, sizeof(struct heap_place));

        if (!places)
                return -ENOMEM;
        heap->places = places;
        heap->capacity = capacity;
        return 0;
}

void heap_deinit(struct heap *heap) {
        free(heap->places);
        *heap = (struct heap)HEAP_NULL;
}
