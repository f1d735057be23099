// SPDX-License-Identifier: MIT
#pragma once

/* What follows the end of a context: functions of the caller's. */

#include "base/base.h"
#include "base/list.h"
#include "core/root.h"
#include "curfew.h"

enum after_state { AFTER_ARMED, AFTER_CALLING, AFTER_OVER };

struct curfew_after {
        struct root *root;      /* referenced */
        struct curfew_ctx *ctx; /* referenced, except where the context owns the after */
        struct list link;       /* in the context, then in a queue */
        void (*fn)(void *arg);
        void *arg;
        enum after_state state;
        bool owned; /* by nobody else: freed once it is over, or with the context */
        pthread_t caller;
};

/* What follows from one end. Nothing is to be done for one that is not in use. */
struct after_queue {
        struct root *root; /* referenced while in use */
        struct list calls;
        bool in_use;
};

static inline void after_queue_init(struct after_queue *queue, struct root *root) {
        queue->root = root;
        queue->in_use = false;
}

/* Under the root's lock: one, or all on a list. */
void after_queue_add(struct after_queue *queue, struct curfew_after *after);
void after_queue_take(struct after_queue *queue, struct list *afters);

/* Call all of them, with no lock held. */
void after_queue_work(struct after_queue *queue);

static inline void after_queue_run(struct after_queue *queue) {
        if (queue->in_use)
                after_queue_work(queue);
}

/* Free one that nothing refers to. */
void after_delete(struct curfew_after *after);
