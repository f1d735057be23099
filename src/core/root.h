// SPDX-License-Identifier: MIT
#pragma once

/* What the contexts of one tree share: their lock. It lives in the memory of the topmost of them.
 */

#include "base/base.h"

#include <pthread.h>
#include <stdatomic.h>

struct root {
        pthread_mutex_t lock;
        pthread_cond_t called; /* an after-function has returned */
        atomic_uint refs; /* of the topmost context, and of all who may need the lock after it */
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
        atomic_fetch_add_explicit(&root->refs, 1, memory_order_relaxed);
}

static inline void root_unref(struct root *root) {
        if (atomic_fetch_sub_explicit(&root->refs, 1, memory_order_acq_rel) != 1)
                return;
        pthread_cond_destroy(&root->called);
        pthread_mutex_destroy(&root->lock);
        free(root->memory);
}

static inline void root_lock(struct root *root) {
        pthread_mutex_lock(&root->lock);
}

static inline void root_unlock(struct root *root) {
        pthread_mutex_unlock(&root->lock);
}
