// SPDX-License-Identifier: MIT
#include "sys/tree.h"
#include "base/clock.h"

/*
 * A tree is held by the best backend that works here and now; which one that is decides the first
 * start, by trying. What doesn't work fails before anything is executed, and the next one is tried.
 *
 * The three differ in what they know (docs/guarantees.md), not in what is asked of them, so the
 * rest is a table.
 */

static const struct tree_backend *const backends[] = {
        &tree_cgroup,
        &tree_keeper,
        &tree_group,
        &tree_namespace,
};

void tree_init(struct tree *tree, struct forest *forest, struct child *leader, bool own_group,
        void (*changed)(struct tree *tree)) {
        *tree = (struct tree){
                .forest = forest,
                .loop = forest->loop,
                .leader = leader,
                .own_group = own_group,
                .leader_is_ours = true,
                .ward = TREE_NO_WARD,
                .changed = changed,
                .leader_io = LOOP_IO_NULL,
                .events = -1,
                .events_io = LOOP_IO_NULL,
        };
        list_init(&tree->members);
}

void tree_deinit(struct tree *tree) {
        if (tree->backend)
                tree->backend->deinit(tree);
        tree->backend = NULL;
        free(tree->kept);
        tree->kept = NULL;
}

static bool is_wanted(const struct tree_backend *backend, const struct curfew_cmd *cmd) {
        bool is_named = cmd->backend == CURFEW_BACKEND_ANY ? backend != &tree_namespace
                                                           : cmd->backend == backend->name;

        return is_named && backend->guarantee >= cmd->guarantee;
}

/* If none does, it is the best one's reason that is told. Who has had no patience with one has none
 * with the next. */
static int start_in_best(struct tree *tree, const struct spawn_plan *plan,
        enum curfew_stage *ret_stage, struct child *ret_leader) {
        int error = -EOPNOTSUPP, given_up = 0;

        for (size_t i = 0; i < ARRAY_SIZE(backends) && given_up == 0; ++i) {
                enum curfew_stage stage = CURFEW_STAGE_TREE;
                int r;

                if (!is_wanted(backends[i], plan->cmd))
                        continue;
                r = backends[i]->start(tree, plan, &stage, ret_leader);
                if (r >= 0)
                        tree->backend = backends[i];
                if (r >= 0 || stage != CURFEW_STAGE_TREE) {
                        *ret_stage = stage;
                        return r;
                }
                if (error == -EOPNOTSUPP)
                        error = r;
                given_up = patience_ask(plan->patience);
        }
        return given_up ?: error;
}

int tree_start(struct tree *tree, const struct spawn_plan *plan, enum curfew_stage *ret_stage,
        struct child *ret_leader) {
        struct spares *spares = &tree->forest->spares;
        int r = forest_check(tree->forest);

        *ret_stage = CURFEW_STAGE_TREE;
        if (r < 0)
                return r;

        spares_fill(spares);
        for (size_t i = 0; i < plan->n_fds; ++i)
                plan->fds[i].source = spares_lend(spares, plan->fds[i].source);
        r = start_in_best(tree, plan, ret_stage, ret_leader);
        spares_take_back(spares);
        return r;
}

/* Wherever the leader has gone, there is a pidfd of it. Whom it has started has to be found before
 * it ends, where nothing but descent leads there. */
int tree_signal(struct tree *tree, const struct curfew_step *step, bool cont, bool heard,
        struct tree_count *ret) {
        struct sweep sweep = {
                .signal = step->signal,
                .cont = cont,
                .group = step->whom == CURFEW_GROUP ? tree->leader->pid : 0,
                .leader = tree->leader,
                .leads_group = tree->own_group && !tree->group_is_shared &&
                               tree->forest->pins_groups,
                .session = getsid(0),
                .heard = heard ? &tree->heard : NULL,
        };
        int r = 0;

        if (step->whom == CURFEW_LEADER)
                sweep.only = tree->leader->pid;
        if (step->whom != CURFEW_LEADER || tree->backend == &tree_group) {
                spares_make_room(&tree->forest->spares);
                r = tree->backend->sweep(tree, &sweep);
                spares_fill(&tree->forest->spares);
        }
        if (step->whom != CURFEW_GROUP && !sweep.reached_leader)
                sweep_leader(&sweep);

        *ret = (struct tree_count){ sweep.reached, sweep.left_out };
        return r < 0 ? r : sweep.error;
}

static bool list_whole(struct tree *tree, struct proc_list *ret) {
        return tree_list(tree, ret) >= 0 && proc_list_shortage(ret) == 0;
}

bool tree_group_is_gone(struct tree *tree) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;

        if (child_signal_group(tree->leader, 0) == -ESRCH)
                return true;
        return list_whole(tree, &list) && proc_list_count(&list, tree->leader->pid, true) == 0;
}

bool tree_has_only(struct tree *tree, enum curfew_whom whom) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;

        return list_whole(tree, &list) && list.n > 0 &&
               proc_list_count(&list, tree->leader->pid, whom == CURFEW_GROUP) == list.n;
}

int tree_kill(struct tree *tree, struct proc_list *ret) {
        int r;

        spares_make_room(&tree->forest->spares);
        tree->backend->list(tree, ret);
        r = tree->backend->kill(tree);
        spares_fill(&tree->forest->spares);
        child_signal(tree->leader, SIGKILL);
        return r;
}

void tree_kill_again(struct tree *tree) {
        spares_make_room(&tree->forest->spares);
        tree->backend->kill(tree);
        spares_fill(&tree->forest->spares);
}

int tree_list(struct tree *tree, struct proc_list *ret) {
        int r;

        spares_make_room(&tree->forest->spares);
        r = tree->backend->list(tree, ret);
        spares_fill(&tree->forest->spares);
        return r;
}

/* Every run ends with this question, so that it is asked in passing at first. */
int tree_is_empty(struct tree *tree) {
        int r = tree->backend->is_empty(tree);

        if (r == -EMFILE || r == -ENFILE) {
                spares_make_room(&tree->forest->spares);
                r = tree->backend->is_empty(tree);
                spares_fill(&tree->forest->spares);
        }
        return r;
}

int64_t tree_pause(const struct tree *tree) {
        return tree->backend->pause ? tree->backend->pause(tree) : CLOCK_NEVER;
}

void tree_note(struct tree *tree, unsigned taken, int64_t due, bool heard) {
        struct ward *ward;

        if (tree->ward == TREE_NO_WARD)
                return;
        ward = &tree->forest->wards[tree->ward];
        ward->due = due;
        ward->taken = taken;
        if (heard)
                ward->heard = 0;
}

void tree_share_group(struct tree *tree) {
        tree->group_is_shared = true;
        if (tree->ward != TREE_NO_WARD)
                tree->forest->wards[tree->ward].group_is_shared = true;
}

static bool is_in_our_group(const struct tree *tree) {
        return !tree->own_group &&
               (tree->leader->reaped || getpgid(tree->leader->pid) == getpgrp());
}

/* A leader that has left the group has not got it, nor has what it forks. */
bool tree_hear(struct tree *tree, int signal, int64_t now) {
        if (!is_in_our_group(tree))
                return false;
        tree->heard.group = getpgrp();
        tree->heard.tick = (uint64_t)((now - clock_boot()) / (CLOCK_SEC / PROC_TICKS));
        if (tree->ward != TREE_NO_WARD)
                ward_hear(&tree->forest->wards[tree->ward], signal, now, &tree->heard);
        return true;
}

void tree_listen(struct tree *tree, pid_t listener) {
        if (tree->ward != TREE_NO_WARD)
                tree->forest->wards[tree->ward].listener = listener;
}

void tree_settle(struct tree *tree) {
        if (tree->backend->settle)
                tree->backend->settle(tree);
}

int tree_look_at_leader(struct tree *tree, struct child_exit *ret) {
        return tree->backend->look(tree, ret);
}
