// SPDX-License-Identifier: MIT
#include "sys/tree.h"

#include <sys/epoll.h>

/*
 * Two relations hold a command's processes together here. The process group is the strong one: the
 * kernel signals it atomically, so that no fork slips through, and through the leader's pidfd it
 * can't be confused with a later group of the same number (PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9).
 * Descent is the weak one: it finds children that left the group, but only by reading /proc, and
 * only as long as the chain of parents up to the leader is unbroken. A process that has left both
 * is not found.
 *
 * Each process gets a step's signal once: members of the group by the one group signal, the others
 * through a pidfd each. They are looked up before anything is sent, since a leader that dies of the
 * signal takes its children's descent with it. What they fork afterwards is not signalled in the
 * same step: it may be the clean-up that the signal asked for. Only SIGKILL sweeps until nothing
 * new is found.
 *
 * A group number is safe while any member lives, and as long as its leader is not reaped. Before
 * 6.9 the leader therefore stays a zombie until the run has ended, and the members are signalled
 * like the others, one by one. From 6.9 on the pidfd keeps the group's identity, the leader is
 * reaped at once, and "is the group empty?" is one system call.
 *
 * What is left after the leader's exit is watched through pidfds, a bounded number of them: when
 * all of these are gone it is time to look again. So nothing polls, and a large tree doesn't use up
 * the host's descriptors.
 */

#define MAX_WATCHED 64
#define MAX_WALKS   16

struct member {
        struct tree *tree;
        struct list link;
        struct loop_io io;
        struct proc_stat stat;
        int pidfd;
};

static struct member *member_free(struct member *member) {
        loop_remove(member->tree->loop, &member->io);
        close_fd(member->pidfd);
        list_unlink(&member->link);
        --member->tree->n_members;
        free(member);
        return NULL;
}

static void on_member_exit(struct loop_io *io, uint32_t events _unused_) {
        struct member *member = container_of(io, struct member, io);
        struct tree *tree = member->tree;

        member_free(member);
        if (list_is_empty(&tree->members))
                tree->changed(tree);
}

static int watch(struct tree *tree, const struct proc_stat *stat) {
        _cleanup_(close_fdp) int fd = -1;
        _cleanup_(freep) struct member *member = NULL;
        struct proc_stat now;
        int r;

        fd = proc_open(stat, &now);
        if (fd < 0)
                return fd;

        member = calloc(1, sizeof(*member));
        if (!member)
                return -ENOMEM;

        member->tree = tree;
        member->stat = now;
        member->io = (struct loop_io){ .fn = on_member_exit, .fd = -1 };
        r = loop_add(tree->loop, &member->io, fd, EPOLLIN);
        if (r < 0)
                return r;

        member->pidfd = steal_fd(&fd);
        list_append(&tree->members, &member->link);
        ++tree->n_members;
        steal_ptr(member);
        return 0;
}

/* Whether the leader's number still stands for its group. Before 6.9 only the leader itself, alive
 * or a zombie, vouches for that. */
static bool group_is_there(const struct tree *tree) {
        int r = tree->own_group ? child_signal_group(tree->leader, 0) : -ESRCH;

        return r == -EINVAL ? !tree->leader->reaped : r != -ESRCH;
}

/* Where the search starts: the leader, and what was found before and is still there. */
static int add_if_alive(struct proc_list *list, pid_t pid, uint64_t start) {
        struct proc_stat stat;
        int r = proc_stat(pid, &stat);

        if (r < 0)
                return r == -ESRCH ? 0 : r;
        if (proc_is_dead(&stat) || (start > 0 && stat.start != start))
                return 0;
        return proc_list_add(list, &stat);
}

static int add_known(struct tree *tree, struct proc_list *list) {
        int r = tree->leader->reaped ? 0 : add_if_alive(list, tree->leader->pid, 0);

        list_for_each (i, &tree->members) {
                const struct proc_stat *stat = &list_entry(i, struct member, link)->stat;

                if (r == 0)
                        r = add_if_alive(list, stat->pid, stat->start);
        }
        return r;
}

/* Look for everything. Reading all of /proc for the members of the group is needed only once their
 * parent is gone; a number that stood for our group before and after stood for it all the time. */
static int find(struct tree *tree, struct proc_list *ret) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        bool orphans;
        size_t known;
        int r;

        if (!forest_has_proc(tree->forest))
                return -ENOENT;
        r = add_known(tree, &list);
        if (r < 0)
                return r;

        known = list.n;
        orphans = (known == 0 || list.items[0].pid != tree->leader->pid) && group_is_there(tree);
        if (orphans) {
                r = proc_list_add_group(&list, tree->leader->pid);
                if (r < 0)
                        return r;
                if (!group_is_there(tree))
                        list.n = known;
        }

        r = proc_list_add_descendants(&list);
        if (r < 0)
                return r;

        *ret = list;
        list = (struct proc_list)PROC_LIST_NULL;
        return 0;
}

static bool is_in_group(const struct tree *tree, const struct proc_stat *stat) {
        return tree->own_group && stat->group == tree->leader->pid;
}

/* Who has the signal already. */
struct done {
        bool group;  /* its members have got it, all at once */
        bool leader; /* it has got it by itself */
};

static void count(struct sweep *sweep, int r) {
        if (r == 0)
                ++sweep->reached;
        else if (r != -ESRCH && sweep->error == 0)
                sweep->error = r;
}

static void signal_leader(struct sweep *sweep, struct done *done) {
        sweep_signal_leader(sweep);
        done->leader = sweep->reached_leader = true;
}

static int signal_group(struct tree *tree, struct sweep *sweep) {
        int r = child_signal_group(tree->leader, sweep->signal);

        if (r == 0 && sweep->cont)
                child_signal_group(tree->leader, SIGCONT);
        sweep->reached_leader = r != -EINVAL;
        return r;
}

/* One signal for the whole group, counted by the members that are known. */
static void signal_members(
        struct tree *tree, const struct proc_list *list, struct sweep *sweep, struct done *done) {
        int r = tree->own_group ? signal_group(tree, sweep) : -EINVAL;

        if (r == -EINVAL)
                return;

        done->group = true;
        if (r < 0)
                count(sweep, r);
        for (size_t i = 0; r == 0 && i < list->n; ++i)
                if (is_in_group(tree, &list->items[i]))
                        count(sweep, 0);
}

/* Before 6.9: all members must be known, to be signalled one by one. */
static int list_members(struct tree *tree, struct proc_list *list, const struct done *done) {
        if (done->group || !group_is_there(tree))
                return 0;
        return proc_list_add_group(list, tree->leader->pid);
}

static bool is_watched(const struct tree *tree, const struct proc_stat *stat) {
        list_for_each (i, &tree->members) {
                const struct member *member = list_entry(i, struct member, link);

                if (proc_is_same(&member->stat, stat))
                        return true;
        }
        return false;
}

/* Where that can't be done it still gets its signals. */
static void watch_other(struct tree *tree, const struct proc_stat *stat) {
        if (stat->pid != tree->leader->pid && tree->n_members < MAX_WATCHED &&
                !is_watched(tree, stat))
                watch(tree, stat);
}

/* One that is signalled by itself. */
static void signal_other(
        struct tree *tree, const struct proc_stat *stat, struct sweep *sweep, struct done *done) {
        if (stat->pid == tree->leader->pid) {
                signal_leader(sweep, done);
                return;
        }
        if (!is_in_group(tree, stat))
                watch_other(tree, stat);
        sweep_process(sweep, stat);
}

/* Whether a step means the process, and the group's signal has not reached it. */
static bool is_due(const struct tree *tree, const struct proc_stat *stat, const struct sweep *sweep,
        const struct done *done) {
        return is_in_group(tree, stat) ? !done->group : sweep->group == 0;
}

/* The others. What they fork from now on may be their way of cleaning up, and is spared, except by
 * SIGKILL, which leaves nobody to clean up. */
static int signal_others(
        struct tree *tree, struct proc_list *list, struct sweep *sweep, struct done *done) {
        size_t i = 0;
        int r = list_members(tree, list, done);

        for (unsigned walk = 0; walk < MAX_WALKS && r == 0 && i < list->n; ++walk) {
                for (; i < list->n; ++i)
                        if (is_due(tree, &list->items[i], sweep, done))
                                signal_other(tree, &list->items[i], sweep, done);
                if (sweep->signal == SIGKILL)
                        r = proc_list_add_descendants(list);
        }
        return r;
}

/* Whoever is outside the group is watched from the first step on, whomever that means: should its
 * parent die of it, nothing else would lead to it. */
static void watch_others(struct tree *tree, const struct proc_list *list) {
        for (size_t i = 0; i < list->n; ++i)
                if (!is_in_group(tree, &list->items[i]))
                        watch_other(tree, &list->items[i]);
}

/* Most commands are one process, and it takes less to see that they are than to list them. */
static bool is_alone(const struct tree *tree) {
        pid_t leader = tree->leader->pid;

        return tree->own_group && tree->forest->pins_groups && forest_has_proc(tree->forest) &&
               list_is_empty(&tree->members) && !child_has_exited(tree->leader) &&
               getpgid(leader) == leader && proc_is_childless(leader);
}

static int sweep(struct tree *tree, struct sweep *sweep) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        struct done done = { 0 };
        int r;

        if (sweep->signal != SIGKILL && is_alone(tree)) {
                count(sweep, signal_group(tree, sweep));
                return 0;
        }

        r = find(tree, &list);
        watch_others(tree, &list);
        signal_members(tree, &list, sweep, &done);
        if (r == 0)
                r = signal_others(tree, &list, sweep, &done);
        if (!done.group && !done.leader) /* it needs no looking for */
                signal_leader(sweep, &done);
        else if (done.group && list.n == 0 && sweep->error == 0 && !child_has_exited(tree->leader))
                count(sweep, 0); /* of those that the group's signal has reached, it is known */
        return r < 0 ? r : list.error;
}

static int end(struct tree *tree) {
        struct sweep kill = { .signal = SIGKILL, .leader = tree->leader };
        int r = sweep(tree, &kill);

        return r < 0 ? r : kill.error;
}

static int start(struct tree *tree, const struct spawn_plan *plan, enum curfew_stage *ret_stage,
        struct child *ret_leader) {
        int r = spawn_stack_init(&tree->forest->stack);

        if (r < 0)
                return r;
        return spawn(&tree->forest->stack, plan, ret_stage, ret_leader);
}

/* It is reaped where its process group can be held on to without the zombie. */
static int look(struct tree *tree, struct child_exit *ret) {
        if (tree->own_group && !tree->forest->pins_groups)
                return child_peek(tree->leader, ret);
        return child_take(tree->leader, ret);
}

/* Watch as many as is allowed; one is enough to be told when to look again. */
static int watch_some(struct tree *tree, const struct proc_list *list) {
        int r = 0;

        for (size_t i = 0; i < list->n && tree->n_members < MAX_WATCHED && r >= 0; ++i) {
                r = watch(tree, &list->items[i]);
                if (r == -ESRCH)
                        r = 0;
        }
        return tree->n_members > 0 ? 0 : r;
}

static int is_empty(struct tree *tree) {
        if (!list_is_empty(&tree->members))
                return 0;

        /* One that ends between being found and being watched leaves nothing to wait for: look
         * again. A bound, since a tree that forks for ever is as good as one that stays. */
        for (unsigned walk = 0; walk < MAX_WALKS; ++walk) {
                _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
                int r;

                if (!group_is_there(tree))
                        return 1;
                r = find(tree, &list);
                if (r < 0)
                        return r;
                if (list.n == 0)
                        return proc_list_shortage(&list) < 0 ? list.error : 1;
                r = watch_some(tree, &list);
                if (r < 0 || !list_is_empty(&tree->members))
                        return r;
        }
        return -EAGAIN;
}

static void deinit(struct tree *tree) {
        loop_remove(tree->loop, &tree->leader_io);
        list_for_each_safe (i, &tree->members)
                member_free(list_entry(i, struct member, link));
}

const struct tree_backend tree_group = {
        .name = CURFEW_BACKEND_GROUP,
        .guarantee = CURFEW_GUARANTEE_GROUP,
        .start = start,
        .look = look,
        .sweep = sweep,
        .kill = end,
        .list = find,
        .is_empty = is_empty,
        .deinit = deinit,
};
