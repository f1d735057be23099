// SPDX-License-Identifier: MIT
#include "sys/sweep.h"
#include "base/clock.h"
#include "sys/call.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

/*
 * A step is to reach each process once, and to spare what a process forks because of it: that is
 * its clean-up. A handler's fork looks like any other, so the two are told apart by time alone:
 * what was there before the first signal was sent is meant, and nothing else ever is.
 *
 * So first everybody is found, again and again until nobody is new and no number has been given out
 * meanwhile; then the signals are sent. What was being forked at that moment comes to light
 * afterwards, and is known by its number to be older than the first signal. It is asked as well.
 * What is younger is spared, whatever it is: it has the next step.
 *
 * A fork that begins between the look and the signal would be younger. To a process group the
 * kernel sends a signal at one moment, and it reaches a child that is being forked as well
 * (Linux 4.19). So a group in which nobody can be but the tree's is signalled as one, the leader's
 * first: nothing in it is missed, and nothing in it can have been forked in answer. Nobody else is
 * in the leader's unless he has been put there on purpose; or in one of a session that is not the
 * one the host is in, which only a process of the tree can have made. Who comes to light later and
 * has left such a group meanwhile may have been in it at that moment, or not. If the signal would
 * have ended him he was not; else he is spared, too.
 *
 * A keeper in the tree belongs to another curfew. It is signalled, and takes that as the request to
 * stop its own tree by its own plan: so nothing in there gets the signals of two plans at once.
 * What it keeps is below it, or, where it guards control groups, in one of these. A signal that
 * asks for no end is for the processes and not for the keepers; nor for the program of that name,
 * which would pass it on to its command. SIGKILL is for all.
 *
 * What a group has heard from elsewhere, it isn't told again. Its clean-up may be under way, so
 * what has been forked since is left out, too, wherever it is: from the tick of the clock on in
 * which the signal came, since a start isn't told more closely.
 *
 * Nothing here waits.
 */

#define FIND_TIME (CLOCK_SEC / 20) /* a tree can fork faster than it is looked through */
#define MAX_VAIN  4                /* looks at who is known */
#define MAX_WALKS 16

static void count(struct sweep *sweep, int r) {
        if (r == 0)
                ++sweep->reached;
        else if (r != -ESRCH && sweep->error == 0)
                sweep->error = r;
}

static bool has_heard(const struct sweep *sweep, const struct proc *proc) {
        return sweep->heard &&
               (proc->group == sweep->heard->group || proc->start >= sweep->heard->tick);
}

/* What is sent to who has heard the signal: only a stopped one has not taken it yet. */
static int nudge(const struct sweep *sweep) {
        return sweep->cont ? SIGCONT : 0;
}

static void leave_out(struct sweep *sweep, int r) {
        sweep->left_out += r != -ESRCH;
}

void sweep_leader(struct sweep *sweep) {
        const struct child *leader = sweep->leader;

        sweep->reached_leader = true;
        if (sweep->heard && sys_call(SYS_getpgid, leader->pid) == sweep->heard->group)
                leave_out(sweep, child_signal(leader, nudge(sweep)));
        else if (sweep->cont)
                count(sweep, child_signal_and_continue(leader, sweep->signal));
        else
                count(sweep, child_signal(leader, sweep->signal));
}

static bool is_leader(const struct sweep *sweep, const struct proc *proc) {
        return sweep->leader && proc->pid == sweep->leader->pid;
}

/* Once the leader is gone somebody else may have its number. */
void sweep_process(struct sweep *sweep, const struct proc *proc) {
        if (is_leader(sweep, proc) && !child_has_exited(sweep->leader)) {
                if (!sweep->reached_leader)
                        sweep_leader(sweep);
                return;
        }
        if (has_heard(sweep, proc))
                leave_out(sweep, proc_signal(proc, nudge(sweep), false));
        else
                count(sweep, proc_signal(proc, sweep->signal, sweep->cont));
}

/* Who is another's */

static const struct proc_item *find_parent(const struct proc_list *list, const struct proc *proc) {
        for (size_t i = 0; i < list->n; ++i)
                if (list->items[i].proc.pid == proc->parent)
                        return &list->items[i];
        return NULL;
}

/* As a keeper adopts its orphans, what it keeps is below it always. */
static bool is_below_keeper(const struct proc_list *list, const struct proc *proc) {
        const struct proc_item *parent = find_parent(list, proc);

        for (size_t i = 0; parent && i < list->n; ++i) {
                if (proc_is_keeper(&parent->proc))
                        return true;
                parent = find_parent(list, &parent->proc);
        }
        return false;
}

/* How deep in groups of ours the outermost keeper is; or UINT_MAX: there is none. What is deeper it
 * guards. */
static unsigned find_guard(const struct proc_list *list) {
        unsigned depth = UINT_MAX, d;

        for (size_t i = 0; i < list->n; ++i) {
                if (!proc_is_keeper(&list->items[i].proc))
                        continue;
                d = proc_cgroup_depth(&list->items[i].proc, PROC_CGROUP);
                depth = d < depth ? d : depth;
        }
        return depth;
}

/* … which passes on what would have ended it. */
static bool is_program(const struct proc *proc) {
        return strcmp(proc->name, "curfew") == 0 || strcmp(proc->name, "curfew-full") == 0;
}

static bool is_passed_on(int signal) {
        switch (signal) {
        case SIGCHLD:
        case SIGCONT:
        case SIGSTOP:
        case SIGTSTP:
        case SIGTTIN:
        case SIGTTOU:
        case SIGURG:
        case SIGWINCH: return false;
        default: return true;
        }
}

static bool has_keeper(const struct proc_list *list, pid_t parent) {
        for (size_t i = 0; i < list->n; ++i)
                if (list->items[i].proc.parent == parent && proc_is_keeper(&list->items[i].proc))
                        return true;
        return false;
}

/* Whether the signal is for another than this process. */
static bool is_for_another(
        const struct sweep *sweep, const struct proc_list *list, unsigned guard, size_t i) {
        const struct proc *proc = &list->items[i].proc;

        if (!sweep->cont)
                return proc_is_keeper(proc) || (is_passed_on(sweep->signal) && is_program(proc) &&
                                                       has_keeper(list, proc->pid));
        return is_below_keeper(list, proc) || proc_cgroup_depth(proc, PROC_CGROUP) > guard;
}

/* Of who is hidden there is only what the name of its control group says. */
static void tell_apart(const struct sweep *sweep, struct proc_list *list, size_t first) {
        unsigned guard = sweep->signal == SIGKILL ? UINT_MAX : find_guard(list);

        for (size_t i = first; i < list->n; ++i) {
                struct proc_item *item = &list->items[i];

                if (!item->proc.hidden || !sweep->cont)
                        item->anothers = guard != UINT_MAX && is_for_another(sweep, list, guard, i);
        }
}

/* By groups */

/* Whether all who are known to be in the group are meant, and nobody else can be in it. */
static bool is_ours(const struct sweep *sweep, const struct proc_list *list, pid_t group) {
        bool ours = sweep->leads_group && sweep->leader && group == sweep->leader->pid;

        for (size_t i = 0; i < list->n && sweep->only == 0; ++i) {
                const struct proc *proc = &list->items[i].proc;

                if (proc->group != group)
                        continue;
                if (list->items[i].anothers || list->items[i].done || has_heard(sweep, proc))
                        return false;
                ours = ours || (sweep->session > 0 && proc->session != sweep->session);
        }
        return ours && sweep->only == 0;
}

/* That it could be sent says that it has reached somebody. */
static void note_group(struct sweep *sweep, struct proc_list *list, pid_t group) {
        unsigned n = 0;

        for (size_t i = 0; i < list->n; ++i)
                n += list->items[i].proc.group == group;
        for (size_t i = 0; i < list->n; ++i) {
                struct proc_item *item = &list->items[i];

                if (item->proc.group != group)
                        continue;
                item->done = item->by_group = true;
                count(sweep, n > 1 && proc_signal(&item->proc, 0, false) == -EPERM ? -EPERM : 0);
        }
}

static int signal_leaders_group(const struct sweep *sweep) {
        int r = child_signal_group(sweep->leader, sweep->signal);

        if (r == 0 && sweep->cont)
                child_signal_group(sweep->leader, SIGCONT);
        return r;
}

/* The group may have outlived him. Whoever couldn't be found may be in it all the same. */
static void sweep_leaders_group(struct sweep *sweep, struct proc_list *list) {
        pid_t group;
        unsigned before = sweep->reached;
        int r;

        if (!sweep->leader || !is_ours(sweep, list, group = sweep->leader->pid))
                return;
        r = signal_leaders_group(sweep);
        if (r == -EINVAL)
                return;
        if (r < 0) {
                count(sweep, r);
                return;
        }
        note_group(sweep, list, group);
        sweep->reached_leader = sys_call(SYS_getpgid, group) == group;
        if (sweep->reached == before && !child_has_exited(sweep->leader))
                count(sweep, 0);
}

static bool is_meant(const struct sweep *sweep, const struct proc_item *item) {
        return !item->done && !item->anothers &&
               (sweep->only == 0 || item->proc.pid == sweep->only) &&
               (sweep->group == 0 || item->proc.group == sweep->group);
}

static bool sweep_group_of(struct sweep *sweep, struct proc_list *list, const struct proc *proc) {
        if (proc->group != proc->pid || !is_ours(sweep, list, proc->group) ||
                proc_signal_group(proc, sweep->signal, sweep->cont) < 0)
                return false;
        note_group(sweep, list, proc->group);
        return true;
}

/* The step */

/* Another curfew's host may have the signal as well, be through with it at once, and tell its
 * keeper to leave the rest alone: the keeper must have been asked by then. */
static void signal_keepers(struct sweep *sweep, struct proc_list *list) {
        for (size_t i = 0; i < list->n; ++i) {
                struct proc_item *item = &list->items[i];

                if (!proc_is_keeper(&item->proc) || !is_meant(sweep, item))
                        continue;
                sweep_process(sweep, &item->proc);
                item->done = true;
        }
}

/* Parents stand before their children: who forks is asked early. */
static void signal_all(
        struct sweep *sweep, const struct sweep_place *place, struct proc_list *list) {
        signal_keepers(sweep, list);
        if (!place->sealed)
                sweep_leaders_group(sweep, list);
        for (size_t i = 0; i < list->n; ++i) {
                struct proc_item *item = &list->items[i];

                if (is_meant(sweep, item) &&
                        (place->sealed || !sweep_group_of(sweep, list, &item->proc)))
                        sweep_process(sweep, &item->proc);
                item->done = true;
        }
}

/* Whether it was in a group as that was signalled: it is in one now. */
static bool was_reached(const struct proc_list *list, size_t first, const struct proc *proc) {
        for (size_t i = 0; i < first; ++i)
                if (list->items[i].by_group && list->items[i].proc.group == proc->group)
                        return true;
        return false;
}

/* Whether it may have been in one that it has left, and have lived through the signal. */
static bool may_have_been(
        const struct sweep *sweep, const struct proc_list *list, const struct proc *proc) {
        const struct proc_item *parent = find_parent(list, proc);
        bool by_group = parent && parent->by_group;

        for (size_t i = 0; i < list->n && !parent; ++i)
                by_group = by_group || list->items[i].by_group;
        return by_group && proc_handles(proc, sweep->signal);
}

/* Returns whether it is older than the step. */
static bool sweep_late(struct sweep *sweep, struct proc_list *list, size_t i, bool younger) {
        struct proc_item *item = &list->items[i];

        if (younger || !is_meant(sweep, item)) {
                item->spared = younger;
        } else if (was_reached(list, i, &item->proc)) {
                item->by_group = true;
                count(sweep, 0);
        } else if (!may_have_been(sweep, list, &item->proc)) {
                sweep_process(sweep, &item->proc);
        }
        item->done = true;
        return !younger;
}

/* What was on its way as the step began. */
static int sweep_the_late(struct sweep *sweep, const struct sweep_place *place,
        struct proc_list *list, const struct proc_moment *began) {
        int64_t until = clock_after(clock_now(), FIND_TIME);
        bool more = true;
        int r = 0;

        while (more && r >= 0) {
                size_t first = list->n;
                pid_t last;

                r = place->find(place, list);
                last = proc_last();
                tell_apart(sweep, list, first);
                more = false;
                for (size_t i = first; i < list->n; ++i)
                        if (sweep_late(sweep, list, i,
                                    proc_is_younger(&list->items[i].proc, began, last)))
                                more = clock_now() < until;
        }
        return r;
}

/* Most commands are one process. That a list of one is whole is certain: it leaves out only who
 * comes behind somebody that has just ended. What is being forked is in its group, which is ours.
 */
static bool is_alone(const struct sweep *sweep, const struct proc_list *list) {
        return list->n == 1 && list->n_dead == 0 && list->n_gone == 0 && sweep->leads_group &&
               is_leader(sweep, &list->items[0].proc) &&
               is_ours(sweep, list, list->items[0].proc.group);
}

/* What was short for a moment may be there in the next. */
static int find_once_more(const struct sweep_place *place, struct proc_list *list) {
        int r = place->find(place, list);

        if (!proc_is_shortage(r) && proc_list_shortage(list) == 0)
                return r;
        list->error = 0;
        return place->find(place, list);
}

/* Until nobody is new, and no number has been given out while it was looked. Of what forks all the
 * time, or a machine where somebody always does, there is no end. */
static int find_all(const struct sweep *sweep, const struct sweep_place *place,
        struct proc_list *list, struct proc_moment *ret_moment) {
        int64_t until = clock_after(clock_now(), FIND_TIME);
        struct proc_moment moment = { 0 };
        unsigned n_vain = 0;
        bool more = true;
        int r = 0;

        while (r >= 0 && more) {
                size_t n = list->n;
                pid_t last = moment.last;

                r = find_once_more(place, list);
                if (place->sealed || is_alone(sweep, list))
                        break;
                moment = proc_now();
                if (list->n > n)
                        more = clock_now() < until;
                else
                        more = moment.last != last && ++n_vain < MAX_VAIN;
        }
        *ret_moment = moment;
        return r;
}

static bool is_done(const struct sweep_place *place, const struct proc_list *list) {
        return place->sealed || (list->n == 1 && list->items[0].by_group);
}

int sweep_take(struct sweep *sweep, const struct sweep_place *place) {
        _cleanup_(proc_list_deinit) struct proc_list list = { .blind = place->blind };
        struct proc_moment began;
        int r = find_all(sweep, place, &list, &began);

        tell_apart(sweep, &list, 0);
        signal_all(sweep, place, &list);
        if (r >= 0 && !is_done(place, &list))
                r = sweep_the_late(sweep, place, &list, &began);
        return r < 0 ? r : list.error;
}

int sweep_kill(const struct sweep_place *place) {
        _cleanup_(proc_list_deinit) struct proc_list list = { .blind = place->blind };
        size_t done;
        int r, error = 0;

        for (unsigned walk = 0; walk < MAX_WALKS; ++walk) {
                done = list.n;
                r = place->find(place, &list);
                for (size_t i = done; i < list.n; ++i) {
                        int sent = proc_signal(&list.items[i].proc, SIGKILL, false);

                        error = sent < 0 && sent != -ESRCH ? sent : error;
                }
                if (r < 0 || list.n == done)
                        break;
        }
        return r < 0 ? r : error < 0 ? error : list.error;
}

/* Below a keeper */

static int add_below(struct proc_list *list, const struct proc *root) {
        int r = proc_list_add_children(list, root);

        return r < 0 ? r : proc_list_add_descendants(list);
}

/* Who loses his parent while it is looked moves up to the keeper. That is seen by who looks until
 * nobody is new, but for a leader that seems to be alone. */
static int add_all_below(struct proc_list *list, pid_t keeper) {
        struct proc root = PROC_NULL;
        int r = proc_hold_known(keeper, &root);

        if (r < 0)
                return r == -ESRCH ? 0 : r;
        r = add_below(list, &root);
        if (r >= 0 && list->n == 1)
                r = add_below(list, &root);
        proc_release(&root);
        return r;
}

struct below {
        struct sweep_place place;
        pid_t keeper;
};

static int find_below(const struct sweep_place *place, struct proc_list *list) {
        return add_all_below(list, container_of(place, struct below, place)->keeper);
}

int sweep_descendants(struct sweep *sweep, pid_t keeper) {
        const struct below below = { .place = { .find = find_below }, .keeper = keeper };

        return sweep_take(sweep, &below.place);
}

int sweep_list(pid_t keeper, struct proc_list *ret) {
        return add_all_below(ret, keeper);
}

/* From the top down: what is dead forks nothing any more, and what it has forked up to then is
 * still its child for a moment. */
int sweep_hunt(pid_t keeper, size_t *ret_alive, size_t *ret_dead) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        struct proc root = PROC_NULL;
        int r = proc_hold_known(keeper, &root);

        if (r >= 0)
                r = proc_list_add_children(&list, &root);
        proc_release(&root);
        for (size_t i = 0; i < list.n; ++i) {
                proc_signal(&list.items[i].proc, SIGKILL, false);
                if (r >= 0)
                        r = proc_list_add_children(&list, &list.items[i].proc);
        }
        *ret_alive = list.n;
        *ret_dead = list.n_dead;
        return r;
}
