// SPDX-License-Identifier: MIT
#include "supervisor.h"

/*
 * Everything happens on the thread that dispatches. The one thing that comes from elsewhere is
 * "this run's context is done", since contexts are cancelled from any thread. It arrives on a stack
 * that anybody may push to without a lock; who finds the stack empty rings the loop.
 *
 * That stack can be emptied, but nothing can be taken out of its middle, and a notice may have to
 * be taken back at any time because its run ends. So the stack is emptied into an ordinary list
 * first, and the list is worked off after the descriptors: what a callback asks for is done when no
 * callback is being executed any more.
 *
 * A deadline may be found to have passed here, and then it is this thread that calls the functions
 * of the host that follow. That comes last: until then whoever has to be asked to stop, by this
 * context or another, has been.
 */

void supervisor_queue(struct curfew *sup, struct notice *notice) {
        if (!list_is_linked(&notice->link))
                list_append(&sup->notices, &notice->link);
}

static void collect(struct curfew *sup) {
        struct notice *notice = atomic_exchange_explicit(&sup->posted, NULL, memory_order_acquire);

        for (; notice; notice = notice->next)
                supervisor_queue(sup, notice);
}

static void on_wake(struct loop_io *io, uint32_t events _unused_) {
        struct curfew *sup = container_of(io, struct curfew, wake.io);

        collect(sup);
}

int supervisor_listen(struct curfew *sup) {
        return wake_open(&sup->wake, &sup->loop, on_wake);
}

void supervisor_post(struct curfew *sup, struct notice *notice) {
        struct notice *top = atomic_load_explicit(&sup->posted, memory_order_relaxed);

        do {
                notice->next = top;
        } while (!atomic_compare_exchange_weak_explicit(
                &sup->posted, &top, notice, memory_order_release, memory_order_relaxed));

        if (!top)
                wake_ring(&sup->wake);
}

void supervisor_unqueue(struct curfew *sup, struct notice *notice) {
        collect(sup);
        list_unlink(&notice->link);
}

static void handle_notices(struct curfew *sup) {
        struct list *first;

        while ((first = list_first(&sup->notices))) {
                struct notice *notice = list_entry(first, struct notice, link);

                list_unlink(first);
                notice->fn(notice);
        }
}

void supervisor_call_last(struct curfew *sup, struct calls *calls) {
        if (calls->queue.in_use && !list_is_linked(&calls->link))
                list_append(&sup->calls, &calls->link);
}

static bool call_next(struct curfew *sup) {
        struct list *first = list_first(&sup->calls);

        if (!first)
                return false;
        list_unlink(first);
        after_queue_run(&list_entry(first, struct calls, link)->queue);
        return true;
}

/* Whoever is called may have asked for more. */
static void finish(struct curfew *sup) {
        do {
                collect(sup);
                handle_notices(sup);
        } while (call_next(sup));
}

int supervisor_dispatch(struct curfew *sup, int64_t deadline) {
        int r;

        if (sup->dispatching)
                return -EBUSY;

        sup->dispatching = true;
        r = loop_dispatch(&sup->loop, deadline);
        finish(sup);
        sup->dispatching = false;
        return r;
}

int supervisor_init(struct curfew *sup, void (*asked)(struct forest *forest)) {
        int r;

        *sup = (struct curfew){ .null = -1, .wake = WAKE_NULL };
        r = loop_init(&sup->loop);
        if (r < 0)
                return r;

        results_init(&sup->results);
        list_init(&sup->live);
        list_init(&sup->ended);
        list_init(&sup->lost);
        list_init(&sup->eventful);
        list_init(&sup->notices);
        list_init(&sup->calls);
        forest_init(&sup->forest, &sup->loop, asked);
        return 0;
}

void supervisor_deinit(struct curfew *sup) {
        wake_deinit(&sup->wake);
        results_deinit(&sup->results);
        forest_deinit(&sup->forest);
        loop_deinit(&sup->loop);
        sup->null = close_fd(sup->null);
}
