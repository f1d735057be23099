// SPDX-License-Identifier: MIT
#pragma once

/*
 * The lock of the contexts that hang together. It lives in the memory of the topmost of them. Who
 * is alone doesn't take it, and starts no thread until it would have been released.
 *
 * Where a context has several parents, their trees come to hang together: one root joins another
 * then, for ever, and whoever is after its lock takes the other's. So an end is one critical
 * section, however far it reaches.
 */

#include "base/base.h"
#include "base/refs.h"

#include <pthread.h>

struct root {
        pthread_mutex_t lock;
        pthread_cond_t called;         /* an after-function has returned */
        _Atomic(struct root *) joined; /* a reference to the one whose lock it is; or NULL */
        uint64_t searches;             /* see value.c */
        atomic_uint refs; /* of the topmost context, and of all who may need the lock after it */
        uint8_t rank;     /* no way to the one whose lock it is has more steps */
        bool is_locked;   /* to be unlocked by who is in it */
        void *memory;     /* of the topmost context, and this */
};

static inline void root_init(struct root *root, void *memory) {
        *root = (struct root){
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .called = PTHREAD_COND_INITIALIZER,
                .refs = 1,
                .memory = memory,
        };
}

static inline struct root *root_ref(struct root *root) {
        refs_take(&root->refs);
        return root;
}

void root_free(struct root *root);

static inline void root_unref(struct root *root) {
        if (refs_drop(&root->refs))
                root_free(root);
}

/* The one whose lock it is. */
static inline struct root *root_top(struct root *root) {
        struct root *next;

        while ((next = atomic_load_explicit(&root->joined, memory_order_acquire)))
                root = next;
        return root;
}

static inline void root_lock(struct root *root) {
        if (threads_alone())
                return;
        for (;;) {
                struct root *top = root_top(root);

                pthread_mutex_lock(&top->lock);
                if (!atomic_load_explicit(&top->joined, memory_order_relaxed)) {
                        top->is_locked = true;
                        return;
                }
                pthread_mutex_unlock(&top->lock); /* it has joined another meanwhile */
        }
}

static inline void root_unlock(struct root *root) {
        struct root *top = root_top(root);

        if (!top->is_locked)
                return;
        top->is_locked = false;
        pthread_mutex_unlock(&top->lock);
}

/* Under the lock, for the call of another thread to return; or for nothing. */
void root_wait(struct root *root);

/* Under the lock: tell who waits. */
static inline void root_wake(struct root *root) {
        pthread_cond_broadcast(&root_top(root)->called);
}

/* From now on the two have one lock. */
void root_join(struct root *a, struct root *b);
