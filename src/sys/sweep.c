// SPDX-License-Identifier: MIT
#include "sys/sweep.h"
#include "base/clock.h"
#include "sys/call.h"

#include <signal.h>

/*
 * A step is to reach each process once, those that are being forked included, and to spare what a
 * process forks because of it: that is its clean-up. Without stopping the world, which the tree
 * would notice, the two are told apart by the order of things. The children of a
 * process are listed, since it may be dead a moment later; it is signalled; and they are listed
 * again, right after: what is on that list was forked before the signal was taken, since a handler
 * would have to be scheduled, run and fork in the time between two system calls.
 *
 * A fork that was under way when the signal came is finished first, unless it is deadly, and its
 * child appears a little later. So of a process that has a handler the children are listed until it
 * has taken the signal, and once more.
 *
 * This is top-down, and one walk would be enough if no process ended. When one does, its children
 * get another parent: the root, or another process of the tree that adopts orphans. So the walk is
 * repeated until it finds nothing new. Any new child of the root is an orphan that may have missed
 * its turn, and is signalled: it can be a clean-up only if who answered has left it alone at once.
 * A new child of somebody else is an orphan only if it is older than the step; else it is a
 * clean-up.
 *
 * A keeper in the tree belongs to another curfew. It is signalled, and takes that as the request to
 * stop its own tree by its own plan: so nothing in there gets the signals of two plans at once.
 * What it keeps is below it, or, where it guards a control group, in that, beside it. SIGKILL is
 * for all. What it has reached forks no more, so a walk finds everything below.
 */

#define MAX_TIME (CLOCK_SEC / 2) /* a tree can fork faster than it is walked */
#define TAKE_TIME                                                                                  \
        (CLOCK_SEC / 10) /* a process can be kept from taking a signal: by a vfork, say            \
                          */
#define LOOK_AGAIN (CLOCK_SEC / 10000)

static void pause_a_little(void) {
        const struct timespec time = { .tv_nsec = LOOK_AGAIN };

        sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, NULL);
}

void sweep_process(struct sweep *sweep, const struct proc_stat *stat) {
        int r;

        if (sweep->group > 0 && stat->group != sweep->group)
                return;

        r = proc_signal(stat, sweep->signal, sweep->cont);
        if (stat->pid == sweep->leader && r == 0)
                sweep->reached_leader = true;
        if (r == 0)
                ++sweep->reached;
        else if (r != -ESRCH && sweep->error == 0)
                sweep->error = r;
}

/* The children of a process that has just been signalled, but not those of its handler. */
static int add_children(
        const struct sweep *sweep, struct proc_list *list, const struct proc_stat *stat) {
        int64_t now = clock_now(), until = clock_after(now, TAKE_TIME);
        bool wait = sweep->signal != SIGKILL && now < sweep->until;
        int r = proc_list_add_children(list, stat);

        while (r >= 0 && wait) {
                wait = proc_is_about_to_handle(stat->pid, sweep->signal) && clock_now() < until;
                if (wait)
                        pause_a_little();
                r = proc_list_add_children(list, stat);
        }
        return r;
}

static bool is_anothers(const struct sweep *sweep, const struct proc_stat *stat) {
        return proc_is_keeper(stat) && sweep->signal != SIGKILL;
}

/* Of what was found from `first` on, forget who is in a control group of another curfew's. Only
 * where there is a keeper can there be one. */
static void forget_guarded(const struct sweep *sweep, struct proc_list *list, size_t first) {
        bool guarded = false;
        size_t n = first;

        for (size_t i = 0; i < list->n && !guarded; ++i)
                guarded = is_anothers(sweep, &list->items[i]);
        for (size_t i = first; guarded && i < list->n; ++i)
                if (is_anothers(sweep, &list->items[i]) ||
                        proc_cgroup_depth(list->items[i].pid, PROC_CGROUP) <= sweep->depth)
                        list->items[n++] = list->items[i];
        if (guarded)
                list->n = n;
}

/* What has been found is signalled, then looked below, and what is there is found. */
static int walk(struct sweep *sweep, struct proc_list *list, size_t i) {
        int64_t end = clock_after(sweep->until, MAX_TIME);
        int r = 0;

        for (; i < list->n && r >= 0 && clock_now() < end; ++i) {
                const struct proc_stat stat = list->items[i];
                size_t n = list->n;

                if (is_anothers(sweep, &stat)) {
                        sweep_process(sweep, &stat);
                        continue;
                }
                r = proc_list_add_children(list, &stat);
                sweep_process(sweep, &stat);
                if (r >= 0)
                        r = add_children(sweep, list, &stat);
                if (list->n > n)
                        forget_guarded(sweep, list, n);
        }
        return r;
}

static int find_adopted(const struct sweep *sweep, struct proc_list *list, uint64_t began) {
        size_t n = list->n;
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; ++i) {
                const struct proc_stat stat = list->items[i];

                if (!is_anothers(sweep, &stat))
                        r = proc_list_add_children(list, &stat);
        }
        proc_list_keep_older(list, n, began);
        return r;
}

/* The root's own children, whichever thread of it they are of. */
static int add_roots_children(struct proc_list *list, pid_t root) {
        struct proc_stat stat = { .pid = root };

        return proc_list_add_children(list, &stat);
}

int sweep_descendants(struct sweep *sweep, pid_t root) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        uint64_t began = proc_now();
        bool again = false;
        size_t done;
        int r = 0;

        sweep->until = clock_after(clock_now(), MAX_TIME);
        sweep->depth = proc_cgroup_depth(root, PROC_CGROUP);
        do {
                done = list.n;
                r = add_roots_children(&list, root);
                if (r >= 0 && again)
                        r = find_adopted(sweep, &list, began);
                if (r >= 0)
                        r = walk(sweep, &list, done);
                again = true;
        } while (r >= 0 && list.n > done && clock_now() < sweep->until);
        return r < 0 ? r : list.error;
}

int sweep_kill(pid_t root, size_t *ret_alive, size_t *ret_dead) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        struct sweep kill = {
                .signal = SIGKILL,
                .until = clock_after(clock_now(), MAX_TIME),
        };
        int r = add_roots_children(&list, root);

        if (r >= 0)
                r = walk(&kill, &list, 0);
        *ret_alive = list.n;
        *ret_dead = list.n_dead;
        return r;
}

int sweep_list(pid_t root, struct proc_list *ret) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        int64_t until = clock_after(clock_now(), MAX_TIME);
        int r = add_roots_children(&list, root);

        for (size_t i = 0; i < list.n && r >= 0 && clock_now() < until; ++i) {
                const struct proc_stat stat = list.items[i];

                r = proc_list_add_children(&list, &stat);
        }
        if (r < 0)
                return r;

        *ret = list;
        list = (struct proc_list)PROC_LIST_NULL;
        return 0;
}
