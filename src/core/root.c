// SPDX-License-Identifier: MIT
#include "core/root.h"

/*
 * Roots that have joined are a forest: each holds a reference to the one it has joined, so the way
 * to the one whose lock counts is there as long as anybody could go it. Of two of these, the one
 * that fewer have joined joins the other, so no way is longer than the logarithm of their number.
 *
 * Both locks are held while one joins, the one at the lower address taken first: who is in either
 * comes to its end before, and who waits for one that has joined sees that when it has it.
 */

void root_free(struct root *root) {
        struct root *next;

        do {
                next = atomic_load_explicit(&root->joined, memory_order_relaxed);
                pthread_cond_destroy(&root->called);
                pthread_mutex_destroy(&root->lock);
                free(root->memory);
                root = next;
        } while (root && refs_drop(&root->refs));
}

void root_wait(struct root *root) {
        struct root *top = root_top(root);
        int state;

        /* Who waits here has something to give back afterwards. */
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
        pthread_cond_wait(&top->called, &top->lock);
        pthread_setcancelstate(state, NULL);

        /* It may have joined another, and have woken us for that. */
        top->is_locked = false;
        pthread_mutex_unlock(&top->lock);
        root_lock(root);
}

/* Both have no other above them, and their locks are held. */
static void join(struct root *low, struct root *high) {
        if (low->rank == high->rank)
                ++high->rank;
        if (high->searches < low->searches)
                high->searches = low->searches;
        root_ref(high);
        atomic_store_explicit(&low->joined, high, memory_order_release);
        pthread_cond_broadcast(&low->called);
}

static bool join_tops(struct root *a, struct root *b) {
        bool are_tops = root_top(a) == a && root_top(b) == b;

        if (are_tops)
                join(a->rank < b->rank ? a : b, a->rank < b->rank ? b : a);
        return are_tops;
}

/* Whether both were still the ones whose locks they are. */
static bool try_to_join(struct root *a, struct root *b) {
        bool are_tops;

        if (threads_alone())
                return join_tops(a, b);
        pthread_mutex_lock(a < b ? &a->lock : &b->lock);
        pthread_mutex_lock(a < b ? &b->lock : &a->lock);
        are_tops = join_tops(a, b);
        pthread_mutex_unlock(&a->lock);
        pthread_mutex_unlock(&b->lock);
        return are_tops;
}

void root_join(struct root *a, struct root *b) {
        struct root *top_a, *top_b;

        do {
                top_a = root_top(a);
                top_b = root_top(b);
        } while (top_a != top_b && !try_to_join(top_a, top_b));
}
