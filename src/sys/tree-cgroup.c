// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "sys/dir.h"
#include "sys/tree.h"

#include <sys/epoll.h>
#include <sys/random.h>

/*
 * The tree is what is in a control group of its own, made below the host's, so that what holds the
 * host holds the tree as well. The leader is cloned into it; it is our own child, and its orphans
 * fall to whoever takes the host's.
 *
 * The guard knows of the group by its ward: that is in use before there is a group, and until there
 * is none any more, and a name is never used twice. So there is no moment at which a host that is
 * killed leaves a group, or what is in it, behind.
 *
 * Empty it is when the kernel says so, not when it could be removed (cgroup.c).
 *
 * That the group has emptied the kernel tells at once, but not within 10 ms (with a slow clock, 20)
 * of what it told before, such as the freezing and the thaw of a step. What a signal ends mostly
 * ends sooner; so after a step the group is also looked at a few times, at growing distances.
 */

#define FIRST_LOOK (CLOCK_SEC / 10000)
#define MAX_LOOKS  8 /* in 25 ms */

static void on_events(struct loop_io *io, uint32_t events _unused_) {
        struct tree *tree = container_of(io, struct tree, events_io);

        tree->changed(tree);
}

static const char *name_of(const struct tree *tree) {
        return tree->forest->wards[tree->ward].cgroup;
}

/* Two supervisors of a process may be in the same place, and so may two processes of one number, in
 * namespaces of their own: so a number says nothing, and what makes a name ours alone is chance. */
static void choose_id(struct forest *forest) {
        if (forest->groups_id == 0 &&
                getrandom(&forest->groups_id, sizeof(forest->groups_id), GRND_NONBLOCK) < 0)
                forest->groups_id = (uint64_t)clock_now() ^ (uint64_t)getpid() << 32;
}

static void choose_name(struct forest *forest, char *name) {
        char *p = dir_append(name, CGROUP_PREFIX);

        p = dir_append_number(p, forest->groups_id);
        dir_append_number(dir_append(p, "-"), forest->n_groups++);
}

/* A descriptor of it, which nobody keeps: there may be many trees. The ward is in use before there
 * is a group, lest one be left behind. */
static int make_group(struct tree *tree, struct ward *ward) {
        int r;

        choose_id(tree->forest);
        choose_name(tree->forest, ward->cgroup);
        ward->used = 1;
        r = cgroup_make(tree->forest->kit.groups, ward->cgroup);
        if (r == -EEXIST) { /* it is not ours to remove */
                ward->used = 0;
                tree->removed = true;
        }
        if (r < 0)
                return r;

        r = raise_fd(r);
        return r < 0 ? -EMFILE : r;
}

static int spawn_into(struct tree *tree, int group, const struct spawn_plan *plan,
        enum curfew_stage *ret_stage, struct child *ret_leader) {
        struct spawn_plan into = *plan;
        int r;

        into.cgroup = group;
        r = spawn(&tree->forest->kit.stack, &into, ret_stage, ret_leader);
        if (r == 0 || *ret_stage != CURFEW_STAGE_CLONE || r == -EAGAIN || r == -ENOMEM ||
                patience_ask(plan->patience) < 0)
                return r;

        /* No clone3, or the process died at birth, as it does where the host's own group has been
         * killed once (Linux 6.18): then it moves there by itself. */
        into.cgroup = -1;
        into.cgroup_procs = openat(group, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (into.cgroup_procs < 0) {
                *ret_stage = CURFEW_STAGE_TREE;
                return -errno;
        }
        r = spawn(&tree->forest->kit.stack, &into, ret_stage, ret_leader);
        close_fd(into.cgroup_procs);
        if (r < 0 && *ret_stage == CURFEW_STAGE_CGROUP)
                *ret_stage = CURFEW_STAGE_TREE;
        return r;
}

static int open_group(const struct tree *tree) {
        int fd = cgroup_open(tree->forest->kit.groups, name_of(tree));

        return fd < 0 ? fd : clone_raise(fd);
}

static void deinit(struct tree *tree) {
        struct forest *forest = tree->forest;

        if (tree->events >= 0)
                loop_remove(tree->loop, &tree->events_io);
        tree->events = close_fd(tree->events);

        if (!tree->removed) {
                spares_make_room(&forest->spares);
                cgroup_end(forest->kit.groups, name_of(tree));
                spares_fill(&forest->spares);
        }
        if (tree->ward != TREE_NO_WARD)
                forest_release_ward(forest, tree->ward);
        tree->ward = TREE_NO_WARD;
}

static int start(struct tree *tree, const struct spawn_plan *plan, enum curfew_stage *ret_stage,
        struct child *ret_leader) {
        _cleanup_(close_fdp) int group = -1;
        struct forest *forest = tree->forest;
        size_t index = 0;
        int r = forest_prepare_groups(forest, plan->patience);

        if (r == 0)
                r = forest_take_ward(forest, plan->cmd, &index);
        if (r < 0)
                return r;

        tree->ward = index;
        tree->events_io.fn = on_events;
        r = group = make_group(tree, &forest->wards[index]);
        if (r >= 0)
                r = spawn_into(tree, group, plan, ret_stage, ret_leader);
        if (r < 0) {
                deinit(tree);
                return r;
        }

        forest->wards[index].leader = ret_leader->pid;
        forest->wards[index].leads_group = tree->own_group;
        return 0;
}

static int look(struct tree *tree, struct child_exit *ret) {
        return child_take(tree->leader, ret);
}

static int sweep(struct tree *tree, struct sweep *sweep) {
        _cleanup_(close_fdp) int group = -1;

        tree->n_looks = 0;
        group = open_group(tree);
        return group < 0 ? group : cgroup_sweep(group, sweep, !forest_has_proc(tree->forest));
}

static int end(struct tree *tree) {
        _cleanup_(close_fdp) int group = -1;

        group = open_group(tree);
        return group < 0 ? group : cgroup_kill(group);
}

static int list(struct tree *tree, struct proc_list *ret) {
        _cleanup_(close_fdp) int group = -1;

        group = open_group(tree);
        ret->blind = !forest_has_proc(tree->forest);
        return group < 0 ? group : cgroup_list(group, ret);
}

static int watch(struct tree *tree, int *events) {
        int r;

        *events = clone_raise(*events);
        r = loop_add(tree->loop, &tree->events_io, *events, EPOLLPRI);
        if (r == 0)
                tree->events = steal_fd(events);
        return r;
}

/* Most have ended by the first look, and then nothing has to be watched. */
static int look_first(struct tree *tree) {
        _cleanup_(close_fdp) int events = -1;
        int r;

        events = cgroup_open_events(tree->forest->kit.groups, name_of(tree));
        r = cgroup_is_populated(events);
        if (r <= 0)
                return r;
        r = watch(tree, &events);
        return r < 0 ? r : 1;
}

static int is_empty(struct tree *tree) {
        int r = 0;

        if (tree->removed)
                return 1;
        r = tree->events < 0 ? look_first(tree) : cgroup_is_populated(tree->events);
        if (r == 0 || r == -ENOENT || r == -ENODEV) { /* or somebody else has removed it */
                tree->removed = r < 0 ||
                                cgroup_remove(tree->forest->kit.groups, name_of(tree)) == 0;
                return 1;
        }
        if (r > 0 && tree->n_looks <= MAX_LOOKS)
                ++tree->n_looks;
        return r < 0 ? r : 0;
}

static int64_t pause_of(const struct tree *tree) {
        if (tree->n_looks == 0 || tree->n_looks > MAX_LOOKS)
                return CLOCK_NEVER;
        return FIRST_LOOK << (tree->n_looks - 1);
}

const struct tree_backend tree_cgroup = {
        .name = CURFEW_BACKEND_CGROUP,
        .guarantee = CURFEW_GUARANTEE_SEALED,
        .start = start,
        .look = look,
        .sweep = sweep,
        .kill = end,
        .list = list,
        .is_empty = is_empty,
        .pause = pause_of,
        .deinit = deinit,
};
