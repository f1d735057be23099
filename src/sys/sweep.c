// SPDX-License-Identifier: MIT
#include "sys/sweep.h"
#include "base/clock.h"
#include "sys/call.h"

#include <signal.h>

/*
 * A step is to reach each process once, those that are being forked included, and to spare what a
 * process forks because of it: that is its clean-up. Without stopping the world, which the tree
 * would notice, the two are told apart by the order of things. The children of a process are
 * listed, since it may be dead a moment later; it is signalled; and they are listed again, right
 * after: what is on that list was forked before the signal was taken, since a handler would have to
 * be scheduled, run and fork in the time between two system calls.
 *
 * A fork that was under way when the signal came is finished first, unless it is deadly, and its
 * child appears a little later. So of a process that has a handler the children are listed until it
 * has taken the signal, and once more.
 *
 * This is top-down, and one walk would be enough if no process ended. When one does, its children
 * get another parent: the root, or another process of the tree that adopts orphans. So the walk is
 * repeated until it finds nothing new that may have missed its turn: what is older than the step,
 * and any orphan of the root. One that is younger can be a clean-up only if who answered has left
 * it alone at once; and should that go on, walk after walk, it is one, and is spared.
 *
 * A keeper in the tree belongs to another curfew. It is signalled, and takes that as the request to
 * stop its own tree by its own plan: so nothing in there gets the signals of two plans at once.
 * What it keeps is below it, or, where it guards a control group, in that, beside it. SIGKILL is
 * for all. What it has reached forks no more, so a walk finds everything below.
 */

#define WALK_TIME  (CLOCK_SEC / 2)  /* a tree can fork faster than it is walked */
#define PATIENCE   (2 * CLOCK_SEC)  /* … with all of them, on top of that */
#define RUN_TIME   (CLOCK_SEC / 2)  /* one has to be scheduled, on a machine that is busy */
#define BLOCK_TIME (CLOCK_SEC / 50) /* one is kept from it */
#define MAX_WALKS  16               /* for what is younger than the step */
#define LOOK_AGAIN (CLOCK_SEC / 10000)

static void count(struct sweep *sweep, int r) {
        if (r == 0)
                ++sweep->reached;
        else if (r != -ESRCH && sweep->error == 0)
                sweep->error = r;
}

void sweep_signal_leader(struct sweep *sweep) {
        int r = sweep->cont ? child_signal_and_continue(sweep->leader, sweep->signal)
                            : child_signal(sweep->leader, sweep->signal);

        sweep->reached_leader = r != -ESRCH;
        count(sweep, r);
}

/* Once the leader is gone somebody else may have its number. */
void sweep_process(struct sweep *sweep, const struct proc_stat *stat) {
        if (sweep->group > 0 && stat->group != sweep->group)
                return;

        if (sweep->leader && stat->pid == sweep->leader->pid && !sweep->reached_leader) {
                sweep_signal_leader(sweep);
                if (sweep->reached_leader)
                        return;
        }
        count(sweep, proc_signal(stat, sweep->signal, sweep->cont));
}

static void sleep_for(int64_t duration) {
        const struct timespec time = clock_timespec(duration);

        sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, NULL);
}

/* Whether it is worth waiting for a process that was signalled so long ago. */
static bool is_awaited(const struct sweep *sweep, pid_t pid, int64_t waited) {
        switch (waited < sweep->patience ? proc_answer(pid, sweep->signal) : PROC_HAS_ANSWERED) {
        case PROC_WILL_ANSWER: return waited < RUN_TIME;
        case PROC_MAY_ANSWER: return waited < BLOCK_TIME;
        case PROC_HAS_ANSWERED: break;
        }
        return false;
}

/* The children of a process that has just been signalled, but not those of its handler. The time
 * that is waited is not the walk's. */
static int add_children(struct sweep *sweep, struct proc_list *list, const struct proc_stat *stat) {
        int64_t began = clock_now(), waited = 0;
        bool wait = sweep->signal != SIGKILL;
        int r = proc_list_add_children(list, stat);

        while (r >= 0 && wait) {
                wait = is_awaited(sweep, stat->pid, waited);
                if (wait && waited == 0)
                        sys_call(SYS_sched_yield); /* it may have this CPU to share */
                else if (wait)
                        sleep_for(LOOK_AGAIN);
                r = proc_list_add_children(list, stat);
                waited = clock_now() - began;
        }
        sweep->patience -= waited;
        sweep->until = clock_after(sweep->until, waited);
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
        unsigned depth;

        for (size_t i = 0; i < list->n && !guarded; ++i)
                guarded = is_anothers(sweep, &list->items[i]);
        if (!guarded)
                return;

        depth = proc_cgroup_depth(sweep->root, PROC_CGROUP);
        for (size_t i = first; i < list->n; ++i)
                if (is_anothers(sweep, &list->items[i]) ||
                        proc_cgroup_depth(list->items[i].pid, PROC_CGROUP) <= depth)
                        list->items[n++] = list->items[i];
        list->n = n;
}

/* Of what was there when the step began there is an end; of what is forked since, maybe not. */
static bool is_too_late(const struct sweep *sweep, const struct proc_stat *stat) {
        return proc_is_younger(stat, &sweep->began) && clock_now() >= sweep->until;
}

static void begin(struct sweep *sweep) {
        sweep->began = proc_now();
        sweep->until = clock_after(clock_now(), WALK_TIME);
        sweep->patience = PATIENCE;
}

/* What has been found is signalled, then looked below, and what is there is found. */
static int walk(struct sweep *sweep, struct proc_list *list, size_t i) {
        int r = 0;

        for (; i < list->n && r >= 0; ++i) {
                const struct proc_stat stat = list->items[i];
                size_t n = list->n;

                if (is_too_late(sweep, &stat))
                        continue;
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

/* Of the root's new children, which stand from `first` on, and of others' those that may have
 * missed their turn. */
static int find_missed(
        const struct sweep *sweep, struct proc_list *list, size_t first, unsigned n_walks) {
        size_t n;
        int r = 0;

        if (n_walks >= MAX_WALKS)
                proc_list_keep_older(list, first, &sweep->began);
        n = list->n;
        for (size_t i = 0; i < n && r >= 0; ++i) {
                const struct proc_stat stat = list->items[i];

                if (!is_anothers(sweep, &stat))
                        r = proc_list_add_children(list, &stat);
        }
        proc_list_keep_older(list, n, &sweep->began);
        return r;
}

/* The root is a keeper, which has one thread. */
static int add_roots_children(struct proc_list *list, pid_t root) {
        const struct proc_stat stat = { .pid = root, .n_threads = 1 };

        return proc_list_add_children(list, &stat);
}

int sweep_descendants(struct sweep *sweep, pid_t root) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        unsigned n_walks = 0;
        size_t done;
        int r = 0;

        begin(sweep);
        sweep->root = root;
        do {
                done = list.n;
                r = add_roots_children(&list, root);
                if (r >= 0 && n_walks > 0)
                        r = find_missed(sweep, &list, done, n_walks);
                if (r >= 0)
                        r = walk(sweep, &list, done);
                ++n_walks;
        } while (r >= 0 && list.n > done && clock_now() < sweep->until);
        return r < 0 ? r : list.error;
}

int sweep_kill(pid_t root, size_t *ret_alive, size_t *ret_dead) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        struct sweep kill = { .signal = SIGKILL };
        int r;

        begin(&kill);
        r = add_roots_children(&list, root);
        if (r >= 0)
                r = walk(&kill, &list, 0);
        *ret_alive = list.n;
        *ret_dead = list.n_dead;
        return r;
}

int sweep_list(pid_t root, struct proc_list *ret) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        struct sweep look = { 0 };
        int r;

        begin(&look);
        r = add_roots_children(&list, root);
        for (size_t i = 0; i < list.n && r >= 0; ++i) {
                const struct proc_stat stat = list.items[i];

                if (!is_too_late(&look, &stat))
                        r = proc_list_add_children(&list, &stat);
        }
        if (r < 0)
                return r;

        *ret = list;
        list = (struct proc_list)PROC_LIST_NULL;
        return 0;
}
