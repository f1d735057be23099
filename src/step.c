// SPDX-License-Identifier: MIT
#include "step.h"
#include "base/clock.h"

#include <string.h>

static unsigned name_processes(
        const struct proc_list *list, struct curfew_process ret[], size_t n) {
        int64_t boot = clock_boot();

        for (size_t i = 0; i < list->n && i < n; ++i) {
                const struct proc *proc = &list->items[i].proc;

                ret[i] = (struct curfew_process){
                        .pid = proc->pid,
                        .parent = proc->parent,
                        .started = boot + proc_started(proc),
                        .state = proc->state,
                };
                memcpy(ret[i].name, proc->name, sizeof(ret[i].name));
        }
        return (unsigned)list->n;
}

/* The end of every plan, which names those that made it necessary. */
static int kill_tree(struct tree *tree, struct curfew_result *result) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        int r = tree_kill(tree, &list);

        result->killed = name_processes(&list, result->killed_by_name, CURFEW_MAX_NAMED);
        return r;
}

/* The tree is told last: should we die before, whoever takes over repeats the step, and nobody goes
 * without it. */
void step_take(struct tree *tree, struct stop *stop, const struct curfew_step *step,
        struct curfew_result *result) {
        struct curfew_step_taken *taken = &result->steps[result->n_steps++];
        bool cont = step->signal != SIGKILL && stop_signal_terminates(step->signal);
        struct tree_count count;

        *taken = (struct curfew_step_taken){
                .signal = step->signal,
                .whom = step->whom,
                .at = clock_now() - result->started,
        };
        if (step->signal == SIGKILL && step->whom == CURFEW_TREE) {
                taken->error = kill_tree(tree, result);
                taken->reached = result->killed;
        } else {
                taken->error = tree_signal(tree, step, cont, stop->is_heard, &count);
                taken->reached = count.reached;
                taken->left_out = count.left_out;
                if (count.reached == 0 && count.left_out == 0 && taken->error == 0)
                        stop_find_nobody(stop, clock_now());
        }
        tree_note(tree, stop->taken, stop->due, stop->is_heard);
}

void step_kill_again(struct tree *tree, const struct stop *stop) {
        const struct curfew_step step = { .signal = SIGKILL, .whom = stop_reach(stop) };
        struct tree_count unused;

        if (step.whom == CURFEW_TREE)
                tree_kill_again(tree);
        else
                tree_signal(tree, &step, false, false, &unused);
}

int step_send(struct tree *tree, enum curfew_whom whom, int signal) {
        const struct curfew_step step = { .signal = signal, .whom = whom };
        struct tree_count count = { 0 };
        int r;

        if (whom == CURFEW_GROUP && !tree->own_group)
                return -EINVAL;
        r = tree_signal(tree, &step, false, false, &count);
        if (count.reached > 0)
                return (int)count.reached;
        return r < 0 ? r : -ESRCH;
}

int step_list(struct tree *tree, struct curfew_process ret[], size_t n) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        int r = tree_list(tree, &list);

        if (r >= 0)
                r = proc_list_shortage(&list);
        return r < 0 ? r : (int)name_processes(&list, ret, n);
}

void step_note_end(struct tree *tree, struct curfew_result *result) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;

        result->backend = tree->backend->name;
        result->guarantee = tree->backend->guarantee;
        if (result->end != CURFEW_END_GIVEN_UP && result->end != CURFEW_END_LINGER)
                result->ended_by = result->n_steps;
        if (result->end != CURFEW_END_EMPTY) {
                tree_list(tree, &list);
                result->left = name_processes(&list, result->left_by_name, CURFEW_MAX_NAMED);
        }
}
