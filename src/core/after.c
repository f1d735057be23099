// SPDX-License-Identifier: MIT
#include "core/after.h"

/*
 * An end happens under the lock; the functions that follow from it are queued meanwhile and called
 * when the lock is released: so whoever is called finds everything done.
 *
 * Each entry is taken off its queue, under the lock, just before its turn; until then it can still
 * be prevented, by the one before it, too. Whoever frees one that another thread is calling just
 * now waits for it; freed from within its own call, it is left to the caller to free.
 *
 * A call may let go of anything, the context that has ended included. So a queue that is in use
 * holds on to the lock.
 */

/* Only now, since most ends have nothing that follows. */
static void start_use(struct after_queue *queue) {
        root_ref(queue->root);
        queue->in_use = true;
        list_init(&queue->calls);
}

void after_queue_add(struct after_queue *queue, struct curfew_after *after) {
        if (!queue->in_use)
                start_use(queue);
        list_append(&queue->calls, &after->link);
}

void after_queue_take(struct after_queue *queue, struct list *afters) {
        struct list *first;

        while ((first = list_first(afters))) {
                list_unlink(first);
                after_queue_add(queue, list_entry(first, struct curfew_after, link));
        }
}

/* The next one whose turn it is, or NULL. */
static struct curfew_after *take(struct after_queue *queue) {
        struct curfew_after *after = NULL;
        struct list *first;

        root_lock(queue->root);
        first = list_first(&queue->calls);
        if (first) {
                after = list_entry(first, struct curfew_after, link);
                list_unlink(first);
                after->state = AFTER_CALLING;
                after->caller = pthread_self();
        }
        root_unlock(queue->root);
        return after;
}

static void set_over(struct curfew_after *after) {
        struct root *root = after->root;
        bool owned;

        root_lock(root);
        after->state = AFTER_OVER;
        owned = after->owned;
        if (!owned)
                root_wake(root);
        root_unlock(root);

        if (owned)
                after_delete(after);
}

void after_queue_work(struct after_queue *queue) {
        struct curfew_after *after;

        while ((after = take(queue))) {
                after->fn(after->arg);
                set_over(after);
        }
        queue->in_use = false;
        root_unref(queue->root);
}

/* Under the lock. */
static bool prevent(struct curfew_after *after) {
        if (after->state != AFTER_ARMED)
                return false;
        list_unlink(&after->link);
        after->state = AFTER_OVER;
        return true;
}

void after_delete(struct curfew_after *after) {
        root_unref(after->root);
        curfew_ctx_unref(after->ctx);
        free(after);
}

_public_ int curfew_after_stop(struct curfew_after *after) {
        bool prevented;

        root_lock(after->root);
        prevented = prevent(after);
        root_unlock(after->root);
        return prevented;
}

_public_ struct curfew_after *curfew_after_free(struct curfew_after *after) {
        bool within;

        if (!after)
                return NULL;

        root_lock(after->root);
        prevent(after);
        within = after->state == AFTER_CALLING && pthread_equal(after->caller, pthread_self());
        if (within)
                after->owned = true;
        while (!within && after->state == AFTER_CALLING)
                root_wait(after->root);
        root_unlock(after->root);

        if (!within)
                after_delete(after);
        return NULL;
}
