// SPDX-License-Identifier: MIT
#include "sys/call.h"
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
 * How a step finds and asks them is told in sweep.c. Whoever is outside of the group is watched
 * from the first step on, whomever that means: should its parent die of it, nothing else would lead
 * to it.
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
        struct proc proc; /* not held: */
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

/* The number may have been another's as that was opened; not if it is still there by now. */
static int watch(struct tree *tree, const struct proc *proc) {
        _cleanup_(close_fdp) int fd = -1;
        _cleanup_(freep) struct member *member = NULL;
        int r;

        fd = clone_raise((int)sys_call(SYS_pidfd_open, proc->pid, 0));
        if (fd < 0)
                return fd;
        if (!proc_is_there(proc))
                return -ESRCH;

        member = calloc(1, sizeof(*member));
        if (!member)
                return -ENOMEM;

        member->tree = tree;
        member->proc = *proc;
        member->proc.fd = -1;
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

/* Where the search starts: the leader, and what was found before and is still there. Their pidfds
 * tell whether they have their numbers to the end of the look. */
static int add_if_alive(struct proc_list *list, pid_t pid, int pidfd) {
        const struct child child = { .pid = pid, .pidfd = pidfd };
        struct proc proc = PROC_NULL;
        int r;

        if (proc_list_has(list, pid))
                return 0;
        r = proc_hold(pid, &proc);
        if (r == 0 && child_signal(&child, 0) == -ESRCH)
                r = -ESRCH;
        if (r == 0)
                return proc_list_add(list, &proc);
        proc_release(&proc);
        return r == -ESRCH || r > 0 ? 0 : r;
}

static int add_known(struct tree *tree, struct proc_list *list) {
        int r = 0;

        if (!tree->leader->reaped)
                r = add_if_alive(list, tree->leader->pid, tree->leader->pidfd);
        list_for_each (i, &tree->members) {
                const struct member *member = list_entry(i, struct member, link);

                if (r == 0)
                        r = add_if_alive(list, member->proc.pid, member->pidfd);
        }
        return r;
}

/* Reading all of /proc for the members of the group is needed only once their parent is gone; a
 * number that stood for our group before and after stood for it all the time. */
static int add_orphans(const struct tree *tree, struct proc_list *list) {
        size_t known = list->n;
        int r;

        if (!child_has_exited(tree->leader) || !group_is_there(tree))
                return 0;
        r = proc_list_add_group(list, tree->leader->pid);
        if (!group_is_there(tree))
                proc_list_truncate(list, known);
        return r;
}

/* Add everybody who is there and not in the list. */
static int find(struct tree *tree, struct proc_list *list) {
        int r = forest_has_proc(tree->forest) ? add_known(tree, list) : -ENOENT;

        if (r == 0)
                r = add_orphans(tree, list);
        return r < 0 ? r : proc_list_add_descendants(list);
}

static bool is_in_group(const struct tree *tree, const struct proc *proc) {
        return tree->own_group && proc->group == tree->leader->pid;
}

static bool is_watched(const struct tree *tree, const struct proc *proc) {
        list_for_each (i, &tree->members) {
                const struct member *member = list_entry(i, struct member, link);

                if (member->proc.pid == proc->pid && member->proc.start == proc->start)
                        return true;
        }
        return false;
}

/* Where that can't be done they still get their signals. */
static void watch_others(struct tree *tree, const struct proc_list *list) {
        for (size_t i = 0; i < list->n && tree->n_members < MAX_WATCHED; ++i) {
                const struct proc *proc = &list->items[i].proc;

                if (proc->pid != tree->leader->pid && !is_in_group(tree, proc) &&
                        !is_watched(tree, proc))
                        watch(tree, proc);
        }
}

struct place {
        struct sweep_place place;
        struct tree *tree;
};

static int find_in_place(const struct sweep_place *place, struct proc_list *list) {
        struct tree *tree = container_of(place, struct place, place)->tree;
        int r = find(tree, list);

        watch_others(tree, list);
        return r;
}

static int sweep(struct tree *tree, struct sweep *sweep) {
        const struct place place = { .place = { .find = find_in_place }, .tree = tree };

        return sweep_take(sweep, &place.place);
}

/* The group at once, which may take more than can be found. */
static int end(struct tree *tree) {
        const struct place place = { .place = { .find = find_in_place }, .tree = tree };
        int r;

        if (tree->own_group)
                child_signal_group(tree->leader, SIGKILL);
        r = sweep_kill(&place.place);
        child_signal(tree->leader, SIGKILL);
        return r;
}

static int start(struct tree *tree, const struct spawn_plan *plan, enum curfew_stage *ret_stage,
        struct child *ret_leader) {
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
                r = watch(tree, &list->items[i].proc);
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
