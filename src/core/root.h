// SPDX-License-Identifier: MIT
#pragma once

/* What the contexts of one tree share: their lock. It lives in the memory of the topmost of them.
 * Who is alone doesn't take it, and starts no thread until it would have been released. */

#include "base/base.h"
#include "base/refs.h"

#include <pthread.h>

struct root {
        pthread_mutex_t lock;
        pthread_cond_t called; /* an after-function has returned */
        atomic_uint refs; /* of the topmost context, and of all who may need the lock after it */
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

static inline void root_ref(struct root *root) {
        refs_take(&root->refs);
}

static inline void root_unref(struct root *root) {
        if (!refs_drop(&root->refs))
                return;
        pthread_cond_destroy(&root->called);
        pthread_mutex_destroy(&root->lock);
        free(root->memory);
}

static inline void root_lock(struct root *root) {
        if (threads_alone())
                return;
        pthread_mutex_lock(&root->lock);
        root->is_locked = true;
}

static inline void root_unlock(struct root *root) {
        if (!root->is_locked)
                return;
        root->is_locked = false;
        pthread_mutex_unlock(&root->lock);
}

/* Under the lock, for the call of another thread to return. */
static inline void root_wait(struct root *root) {
        pthread_cond_wait(&root->called, &root->lock);
        root->is_locked = true;
}
