// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "sys/tree.h"

#include <sched.h>
#include <sys/epoll.h>

/*
 * The tree is what descends from a keeper that is its subreaper: who loses its parent becomes the
 * keeper's child, wherever it has gone. So the tree is found by descent, and it is empty when the
 * keeper has no child left; then the keeper ends, and that is how the host hears of it.
 *
 * Steps are taken by the host, which finds the tree below the keeper as well as that does itself.
 * The end is left to the keeper: only the parent of the zombies can leave them unreaped until
 * nothing is left to fork, and knows from its wait that nothing is.
 *
 * Should the keeper be killed, its children fall to whoever takes the host's orphans, and what is
 * left to do is done as in a tree that never had one.
 */

#define SETTLE_TIME (CLOCK_SEC / 10) /* in which a keeper that isn't stopped notices an exit */

struct kept {
        struct tree *tree;
        struct keeper keeper;
};

static void on_keeper(struct keeper *keeper) {
        struct tree *tree = container_of(keeper, struct kept, keeper)->tree;

        tree->asked = tree->asked || keeper->asked;
        keeper->asked = false;
        tree->changed(tree);
}

static bool is_kept(const struct tree *tree) {
        return tree->kept && !tree->kept->keeper.gone;
}

/* The keeper tells of the leader's end, unless somebody has stopped it. */
static void on_leader(struct loop_io *io, uint32_t events _unused_) {
        struct tree *tree = container_of(io, struct tree, leader_io);

        loop_remove(tree->loop, io);
        if (is_kept(tree))
                keeper_look(&tree->kept->keeper);
        if (is_kept(tree) && !tree->kept->keeper.leader_known)
                keeper_wake(&tree->kept->keeper);
        else
                tree->changed(tree);
}

static int watch_leader(struct tree *tree, int pidfd) {
        if (tree->leader_io.fd >= 0)
                return 0;
        tree->leader_io.fn = on_leader;
        return loop_add(tree->loop, &tree->leader_io, pidfd, EPOLLIN);
}

static int start_in(struct tree *tree, const struct spawn_plan *plan, int namespaces,
        enum curfew_stage *ret_stage, struct child *ret_leader) {
        _cleanup_(freep) struct kept *kept = NULL;
        struct forest *forest = tree->forest;
        struct keeper_charge charge;
        struct ward *ward;
        size_t index = 0;
        int r;

        kept = malloc(sizeof(*kept));
        if (!kept)
                return -ENOMEM;
        r = forest_prepare_keeper(forest);

        if (r == 0)
                r = forest_take_ward(forest, plan->cmd, &index);
        if (r < 0)
                return r;

        ward = &forest->wards[index];
        ward->leads_group = tree->own_group;
        ward->used = 1;
        charge = (struct keeper_charge){
                .index = index,
                .namespaces = namespaces,
                .stack = &forest->stack,
                .plan = plan,
        };
        kept->tree = tree;
        keeper_init(&kept->keeper, tree->loop, on_keeper);
        r = keeper_start_tree(&kept->keeper, &forest->kit, &charge, ret_stage, ret_leader);
        if (r < 0) {
                forest_release_ward(forest, index);
                return r;
        }

        tree->kept = steal_ptr(kept);
        tree->ward = index;
        tree->leader_is_ours = false;
        watch_leader(tree, ret_leader->pidfd); /* it does without */
        return 0;
}

static int start(struct tree *tree, const struct spawn_plan *plan, enum curfew_stage *ret_stage,
        struct child *ret_leader) {
        return start_in(tree, plan, 0, ret_stage, ret_leader);
}

/* Without privilege it takes a user namespace to make another. */
static int start_namespace(struct tree *tree, const struct spawn_plan *plan,
        enum curfew_stage *ret_stage, struct child *ret_leader) {
        int r = start_in(tree, plan, CLONE_NEWPID, ret_stage, ret_leader);

        if (r == -EPERM && *ret_stage == CURFEW_STAGE_TREE)
                r = start_in(tree, plan, CLONE_NEWPID | CLONE_NEWUSER, ret_stage, ret_leader);
        return r;
}

static void release(struct tree *tree) {
        loop_remove(tree->loop, &tree->leader_io);
        tree->forest->wards[tree->ward].detach = true; /* nothing is to be stopped any more */
        keeper_deinit(&tree->kept->keeper);
        forest_release_ward(tree->forest, tree->ward);
        tree->ward = TREE_NO_WARD;
}

/* The keeper was killed. Nobody's wait will tell of the leader; its pidfd does. */
static int fall_back(struct tree *tree) {
        release(tree);
        tree->backend = &tree_group;
        return tree->leader->reaped ? 0 : watch_leader(tree, tree->leader->pidfd);
}

/* The keeper reaps it. */
static int look(struct tree *tree, struct child_exit *ret) {
        struct keeper *keeper = &tree->kept->keeper;

        if (is_kept(tree))
                keeper_look(keeper);
        if (keeper->leader_known) {
                tree->leader->reaped = true;
                *ret = keeper->leader;
                return 1;
        }
        if (is_kept(tree))
                return 0;
        fall_back(tree); /* without a watch on it, a timer is the last resort: see is_empty() */
        return tree->backend->look(tree, ret);
}

/* The leader's pidfd tells of its end before the keeper can, and an empty tree is empty before the
 * keeper has ended. It is about to say so. */
static void settle(struct tree *tree) {
        _cleanup_(proc_list_deinit) struct proc_list alive = PROC_LIST_NULL;

        if (is_kept(tree) && child_signal(tree->leader, 0) == -ESRCH &&
                sweep_list(tree->kept->keeper.process.pid, &alive) == 0 && alive.n == 0)
                keeper_await(&tree->kept->keeper, clock_after(clock_now(), SETTLE_TIME));
}

/* It has been killed, and we are to be told only now. */
static bool is_lost(struct tree *tree) {
        struct keeper *keeper = &tree->kept->keeper;

        if (tree->backend == &tree_namespace || child_signal(&keeper->process, 0) != -ESRCH)
                return false;
        keeper_look(keeper);
        return !keeper->clean;
}

static int sweep(struct tree *tree, struct sweep *sweep) {
        if (is_lost(tree)) {
                fall_back(tree);
                return tree->backend->sweep(tree, sweep);
        }
        return is_kept(tree) ? sweep_descendants(sweep, tree->kept->keeper.process.pid) : 0;
}

static int end(struct tree *tree) {
        if (is_lost(tree)) {
                fall_back(tree);
                return tree->backend->kill(tree);
        }
        return keeper_kill(&tree->kept->keeper);
}

static int list(struct tree *tree, struct proc_list *ret) {
        if (!is_kept(tree))
                return 0;
        return sweep_list(tree->kept->keeper.process.pid, ret);
}

static int is_empty(struct tree *tree) {
        if (is_kept(tree))
                return 0;
        if (tree->kept->keeper.clean || tree->backend == &tree_namespace)
                return 1; /* a namespace ends with its init, whatever ends that */
        fall_back(tree);
        return tree_is_empty(tree);
}

/* Both have the same calls once they have started. */
#define KEPT                                                                                       \
        .look = look, .settle = settle, .sweep = sweep, .kill = end, .list = list,                 \
        .is_empty = is_empty, .deinit = release

const struct tree_backend tree_keeper = {
        .name = CURFEW_BACKEND_KEEPER,
        .guarantee = CURFEW_GUARANTEE_TRACKED,
        .start = start,
        KEPT,
};

/* Here the keeper is the init of a PID namespace: so the kernel ends all of it when that ends. */
const struct tree_backend tree_namespace = {
        .name = CURFEW_BACKEND_PID_NAMESPACE,
        .guarantee = CURFEW_GUARANTEE_SEALED,
        .start = start_namespace,
        KEPT,
};
