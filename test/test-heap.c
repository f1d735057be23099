// SPDX-License-Identifier: MIT
#include "base/heap.h"
#include "test.h"

static uint32_t next_random(void) {
        static uint32_t state = 1;

        return state = state * 1664525 + 1013904223;
}

static int64_t random_key(void) {
        return (int64_t)(next_random() >> 8) % 1000 - 500;
}

/* Every node knows its place, and none is earlier than its parent. */
static void assert_sound(const struct heap *heap) {
        for (size_t i = 0; i < heap->n; ++i) {
                assert_eq(heap->places[i].node->index, i);
                assert_le(heap->places[i == 0 ? 0 : (i - 1) / 4].key, heap->places[i].key);
        }
}

static void reserve(struct heap *heap, size_t n) {
        for (size_t i = 0; i < n; ++i)
                assert_eq(heap_reserve(heap), 0);
}

static void test_empty(void) {
        struct heap_node node = HEAP_NODE_NULL;
        struct heap heap = HEAP_NULL;

        assert_null(heap_min(&heap));
        assert_eq(heap_min_key(&heap), INT64_MAX);
        heap_remove(&heap, &node);
        assert_eq(heap_reserve(&heap), 0);
        assert_null(heap_min(&heap));
        heap_release(&heap);
        heap_deinit(&heap);
        heap_deinit(&heap);
}

static void test_extreme_keys(void) {
        static const int64_t keys[] = { INT64_MAX, 0, INT64_MIN, -1, 1, INT64_MIN, INT64_MAX };
        struct heap_node nodes[ARRAY_SIZE(keys)];
        struct heap heap = HEAP_NULL;
        int64_t last = INT64_MIN;

        reserve(&heap, ARRAY_SIZE(keys));
        for (size_t i = 0; i < ARRAY_SIZE(keys); ++i) {
                nodes[i] = (struct heap_node)HEAP_NODE_NULL;
                heap_set(&heap, &nodes[i], keys[i]);
        }
        for (size_t i = 0; i < ARRAY_SIZE(keys); ++i) {
                struct heap_node *min = heap_min(&heap);

                assert_ge(heap_min_key(&heap), last);
                last = heap_min_key(&heap);
                heap_remove(&heap, min);
                assert_true(min->index == HEAP_OUTSIDE);
        }
        assert_null(heap_min(&heap));
        heap_deinit(&heap);
}

/* One random operation, and what the heap then has to say, found by looking at every node. */
static void step(struct heap *heap, struct heap_node *nodes, size_t n) {
        struct heap_node *node = &nodes[next_random() % n];
        int64_t min = INT64_MAX;
        size_t inside = 0;

        if (next_random() % 3 == 0) {
                heap_remove(heap, node);
        } else {
                int64_t key = random_key();

                heap_set(heap, node, key);
                assert_eq(heap->places[node->index].key, key);
        }

        for (size_t i = 0; i < n; ++i) {
                if (nodes[i].index == HEAP_OUTSIDE)
                        continue;
                inside++;
                if (heap->places[nodes[i].index].key < min)
                        min = heap->places[nodes[i].index].key;
        }
        assert_eq(heap->n, inside);
        assert_eq(heap_min_key(heap), min);
}

static void test_model(void) {
        struct heap_node nodes[64];
        struct heap heap = HEAP_NULL;

        reserve(&heap, ARRAY_SIZE(nodes));
        for (size_t i = 0; i < ARRAY_SIZE(nodes); ++i)
                nodes[i] = (struct heap_node)HEAP_NODE_NULL;

        for (int i = 0; i < 100000; ++i) {
                step(&heap, nodes, ARRAY_SIZE(nodes));
                assert_sound(&heap);
        }
        heap_deinit(&heap);
}

static void test_million(void) {
        size_t n = 1000000;
        struct heap_node *nodes = malloc(n * sizeof(*nodes));
        struct heap heap = HEAP_NULL;
        int64_t last = INT64_MIN;

        assert_true(nodes);
        reserve(&heap, n);
        for (size_t i = 0; i < n; ++i) {
                nodes[i] = (struct heap_node)HEAP_NODE_NULL;
                heap_set(&heap, &nodes[i], next_random());
        }
        assert_sound(&heap);

        for (size_t i = 0; i < n; i += 2)
                heap_remove(&heap, &nodes[i]);
        assert_sound(&heap);
        assert_eq(heap.n, n / 2);

        while (heap.n > 0) {
                assert_ge(heap_min_key(&heap), last);
                last = heap_min_key(&heap);
                heap_remove(&heap, heap_min(&heap));
        }
        heap_deinit(&heap);
        free(nodes);
}

int main(void) {
        test_bound(60);
        test_empty();
        test_extreme_keys();
        test_model();
        test_million();
        return 0;
}
