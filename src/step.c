// SPDX-License-Identifier: MIT
#include "step.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static bool is_meant(const struct tree *tree, enum curfew_whom whom, const struct proc *proc) {
        if (whom == CURFEW_TREE || proc->pid == tree->leader->pid)
                return true;
        return whom == CURFEW_GROUP && getpgid(proc->pid) == tree->leader->pid;
}

/* What holds all of it kills all of it, whoever they have become; else who may not be signalled
 * says so. */
static bool is_refused(const struct tree *tree, int r, const struct proc *proc) {
        return (r < 0 || tree->backend->guarantee < CURFEW_GUARANTEE_SEALED) &&
               proc_signal(proc, 0, false) == -EPERM;
}

/* SIGKILL, and whom it has reached: they are noted by name until the end, which some may live to
 * see. */
static void take_kill(struct tree *tree, const struct curfew_step *step, struct proc_list *killed,
        struct curfew_step_taken *taken) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        struct tree_count count = { 0 };

        if (step->whom == CURFEW_TREE) {
                taken->error = tree_kill(tree, &list);
        } else {
                tree_list(tree, &list);
                taken->error = tree_signal(tree, step, false, false, &count);
        }
        for (size_t i = 0; i < list.n; ++i) {
                struct proc proc = list.items[i].proc;

                if (!is_meant(tree, step->whom, &proc))
                        continue;
                if (is_refused(tree, taken->error, &proc)) {
                        taken->error = taken->error ?: -EPERM;
                        continue;
                }
                ++taken->reached;
                proc.fd = -1;
                if (killed)
                        proc_list_add(killed, &proc);
        }
        if (step->whom != CURFEW_TREE)
                taken->reached = count.reached;
}

static void name_killed(const struct proc_list *killed, struct curfew_result *result) {
        if (killed)
                result->killed = name_processes(killed, result->killed_by_name, CURFEW_MAX_NAMED);
}

/* Those that are left were not killed. */
static void forget_survivors(struct proc_list *killed, const struct proc_list *left) {
        size_t n = 0;

        for (size_t i = 0; i < killed->n; ++i) {
                const struct proc *proc = &killed->items[i].proc;
                bool survives = false;

                for (size_t j = 0; j < left->n && !survives; ++j)
                        survives = left->items[j].proc.pid == proc->pid &&
                                   left->items[j].proc.start == proc->start;
                if (!survives)
                        killed->items[n++] = killed->items[i];
        }
        proc_list_truncate(killed, n);
}

/* The tree is told last: should we die before, whoever takes over repeats the step, and nobody goes
 * without it. */
void step_take(struct tree *tree, struct stop *stop, const struct curfew_step *step,
        struct proc_list **killed, struct curfew_result *result) {
        struct curfew_step_taken *taken = &result->steps[result->n_steps++];
        bool cont = step->signal != SIGKILL && stop_signal_terminates(step->signal);
        struct tree_count count;

        *taken = (struct curfew_step_taken){
                .signal = step->signal,
                .whom = step->whom,
                .at = clock_now() - result->started,
        };
        if (step->signal == SIGKILL) {
                *killed = *killed ?: calloc(1, sizeof(**killed));
                take_kill(tree, step, *killed, taken);
                name_killed(*killed, result);
        } else {
                taken->error = tree_signal(tree, step, cont, stop->is_heard, &count);
                taken->reached = count.reached;
                taken->left_out = count.left_out;
        }
        if (taken->reached == 0 && taken->left_out == 0 && taken->error == 0)
                stop_find_nobody(stop, clock_now());
        tree_note(tree, stop->taken, stop->due, stop->is_heard);
}

void step_forget_killed(struct proc_list **killed) {
        if (*killed)
                proc_list_deinit(*killed);
        free(*killed);
        *killed = NULL;
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

void step_note_end(struct tree *tree, struct proc_list *killed, struct curfew_result *result) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;

        result->backend = tree->backend->name;
        result->guarantee = tree->backend->guarantee;
        if (result->end != CURFEW_END_GIVEN_UP && result->end != CURFEW_END_LINGER)
                result->ended_by = result->n_steps;
        if (result->end != CURFEW_END_EMPTY) {
                tree_list(tree, &list);
                result->left = name_processes(&list, result->left_by_name, CURFEW_MAX_NAMED);
                if (killed)
                        forget_survivors(killed, &list);
                name_killed(killed, result);
        }
}
