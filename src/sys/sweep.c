// SPDX-License-Identifier: MIT
#include "sys/sweep.h"

#include <signal.h>

/*
 * A step is to reach each process once, those that are being forked included, and to spare what a
 * process forks because of it: that is its clean-up. Without stopping the world, which the tree
 * would notice, the two are told apart by the order of things. A process is signalled first and
 * its children are listed right after. What is on that list was forked before the signal was there,
 * since a fork with a signal pending doesn't happen (copy_process() in the kernel); a handler would
 * have to be scheduled, run and fork in the time between two system calls.
 *
 * That is top-down, and one walk would be enough if no process ended. When one does, its children
 * get another parent: the root, or another process of the tree that adopts orphans. So the walk is
 * repeated until it finds nothing new. Any new child of the root is an orphan that may have missed
 * its turn, and is signalled. A new child of somebody else is an orphan only if it is older than
 * the step; else it is a clean-up.
 *
 * A keeper in the tree belongs to another curfew. It is signalled, and takes that as the request to
 * stop its own tree by its own plan: so nothing in there gets the signals of two plans at once.
 */

#define MAX_WALKS 64 /* a chain of forks can go on for longer than a step should take */

void sweep_process(struct sweep *sweep, const struct proc_stat *stat) {
        int r;

        if (sweep->group > 0 && stat->group != sweep->group)
                return;

        r = proc_signal(stat, sweep->signal, sweep->cont);
        if (r == 0)
                ++sweep->reached;
        else if (r != -ESRCH && sweep->error == 0)
                sweep->error = r;
}

/* What has been found is signalled, then looked below, and what is there is found. */
static int walk(struct sweep *sweep, struct proc_list *list, size_t i) {
        int r = 0;

        for (; i < list->n && r >= 0; ++i) {
                const struct proc_stat stat = list->items[i];

                sweep_process(sweep, &stat);
                if (!proc_is_keeper(&stat))
                        r = proc_list_add_children(list, stat.pid);
        }
        return r;
}

/* Keep of what was found below `first` only what is older than the step. */
static void forget_younger(struct proc_list *list, size_t first, uint64_t began) {
        size_t n = first;

        for (size_t i = first; i < list->n; ++i)
                if (list->items[i].start < began)
                        list->items[n++] = list->items[i];
        list->n = n;
}

static int find_adopted(struct proc_list *list, uint64_t began) {
        size_t n = list->n;
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; ++i)
                if (!proc_is_keeper(&list->items[i]))
                        r = proc_list_add_children(list, list->items[i].pid);
        forget_younger(list, n, began);
        return r;
}

int sweep_descendants(struct sweep *sweep, pid_t root) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        uint64_t began = proc_now();
        size_t done;
        int r = 0;

        for (unsigned i = 0; i < MAX_WALKS && r >= 0; ++i) {
                done = list.n;
                r = proc_list_add_children(&list, root);
                if (r >= 0 && i > 0)
                        r = find_adopted(&list, began);
                if (list.n == done)
                        break;
                if (r >= 0)
                        r = walk(sweep, &list, done);
        }
        return r;
}

int sweep_list(pid_t root, struct proc_list *ret) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        int r = proc_list_add_children(&list, root);

        if (r >= 0)
                r = proc_list_add_descendants(&list);
        if (r < 0)
                return r;

        *ret = list;
        list = (struct proc_list)PROC_LIST_NULL;
        return 0;
}
