// SPDX-License-Identifier: MIT
#include "core/after.h"

/*
 * An end happens under the lock of its tree; what follows from it is queued meanwhile and done when
 * the lock is released. First the trees that hang on this one are told, and those that hang on
 * them: this runs no code but ours, and each ends under its own lock, so that no two locks are ever
 * held at the same time. A list of queues that grows while it is walked takes the place of a
 * recursion. Only then are the functions called, in all of these trees: so whoever is called finds
 * everything done, and whoever waits for a tree to have been told never waits for a caller's
 * function.
 *
 * Each entry is taken off its queue, under the lock, just before its turn; until then it can still
 * be prevented, by the one before it, too. Whoever frees one that another thread is calling just
 * now waits for it; freed from within its own call, it is left to the caller to free.
 *
 * A call may let go of anything, the context that has ended included. So a queue that is in use
 * holds on to the lock, and with it to the memory that a queue may itself lie in.
 */

/* Only now, since most ends have nothing that follows. */
static void start_use(struct after_queue *queue) {
        root_ref(queue->root);
        queue->in_use = true;
        list_init(&queue->link);
        list_init(&queue->tells);
        list_init(&queue->calls);
}

void after_queue_add(struct after_queue *queue, struct curfew_after *after) {
        if (!queue->in_use)
                start_use(queue);
        list_append(after->tell ? &queue->tells : &queue->calls, &after->link);
}

void after_queue_take(struct after_queue *queue, struct list *afters) {
        struct list *first;

        while ((first = list_first(afters))) {
                list_unlink(first);
                after_queue_add(queue, list_entry(first, struct curfew_after, link));
        }
}

/* The next one whose turn it is, or NULL. */
static struct curfew_after *take(struct root *root, struct list *list) {
        struct curfew_after *after = NULL;
        struct list *first;

        root_lock(root);
        first = list_first(list);
        if (first) {
                after = list_entry(first, struct curfew_after, link);
                list_unlink(first);
                after->state = AFTER_CALLING;
                after->caller = pthread_self();
        }
        root_unlock(root);
        return after;
}

static void set_over(struct curfew_after *after) {
        struct root *root = after->root;
        bool owned;

        root_lock(root);
        after->state = AFTER_OVER;
        owned = after->owned;
        if (!owned)
                pthread_cond_broadcast(&root->called);
        root_unlock(root);

        if (owned)
                after_delete(after);
}

static void tell_all(struct after_queue *queue, struct list *queues) {
        struct curfew_after *after;

        while ((after = take(queue->root, &queue->tells))) {
                after->tell(after, queues);
                set_over(after);
        }
}

static void call_all(struct after_queue *queue) {
        struct root *root = queue->root;
        struct curfew_after *after;

        while ((after = take(root, &queue->calls))) {
                after->fn(after->arg);
                set_over(after);
        }
        root_unref(root);
}

void after_queue_work(struct after_queue *queue) {
        struct list *others = &queue->link, *first;

        tell_all(queue, others);
        list_for_each (i, others)
                tell_all(list_entry(i, struct after_queue, link), others);

        call_all(queue);
        while ((first = list_first(others))) {
                list_unlink(first);
                call_all(list_entry(first, struct after_queue, link));
        }
}

/* Under the lock. */
static bool prevent(struct curfew_after *after) {
        if (after->state != AFTER_ARMED)
                return false;
        list_unlink(&after->link);
        after->state = AFTER_OVER;
        return true;
}

/* Under the lock. */
static void wait_until_over(struct curfew_after *after) {
        while (after->state == AFTER_CALLING)
                root_wait(after->root);
}

void after_withdraw(struct curfew_after *after) {
        root_lock(after->root);
        prevent(after);
        wait_until_over(after);
        root_unlock(after->root);
        root_unref(after->root);
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
        else
                wait_until_over(after);
        root_unlock(after->root);

        if (!within)
                after_delete(after);
        return NULL;
}
