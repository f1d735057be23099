// SPDX-License-Identifier: MIT
#include "keeper/life.h"
#include "base/clock.h"
#include "sys/call.h"
#include "sys/cgroup.h"
#include "sys/keeper.h"

#include <signal.h>
#include <string.h>

/*
 * What a keeper does for its dead host it has from memory that the host has written: the steps of
 * the plan, how many have been taken, when the next one is due, and of a tree in a control group
 * its name. That memory may be what has killed the host, so it is believed as far as it can do no
 * harm: a plan that isn't one is the usual one, and a group has a name of ours, in the place of
 * ours. Who its children are a keeper knows itself.
 *
 * A control group is opened when it is needed: there can be more of them than descriptors.
 */

#define KILL_AGAIN (CLOCK_SEC / 10)
#define NOBODY     (-1) /* the leader of whom the host had not told yet */

static bool is_plan(const struct curfew_step plan[]) {
        for (size_t i = 0; i < CURFEW_MAX_STEPS && plan[i].signal != 0; ++i)
                if (plan[i].signal < 0 || plan[i].signal >= _NSIG ||
                        (unsigned)plan[i].whom > CURFEW_LEADER)
                        return false;
        return true;
}

static void read_ward(struct life *life, const struct ward *ward) {
        memcpy(&life->ward, ward, sizeof(*ward));
        if (!is_plan(life->ward.plan))
                memset(life->ward.plan, 0, sizeof(life->ward.plan));
        if (life->ward.taken > CURFEW_MAX_STEPS + 2)
                life->ward.taken = 0;
        if ((unsigned)life->ward.until > CURFEW_UNTIL_OUTPUT)
                life->ward.until = CURFEW_UNTIL_EMPTY;
}

static int open_group(const struct life *life) {
        return cgroup_open(KEEPER_GROUPS, life->ward.cgroup);
}

/* A group that the host had not made yet, or had removed already, is no life to end. */
bool life_begin(struct life *life, const struct ward *ward, struct children *children) {
        _cleanup_(close_fdp) int group = -1;

        *life = (struct life){ .children = children, .events = -1 };
        if (!children || !children->is_namespace) /* where it has no number */
                ward_await_listener(ward);
        read_ward(life, ward);
        stop_init(&life->stop, life->ward.plan, life->ward.until, life->ward.linger);
        stop_resume(&life->stop, life->ward.taken, life->ward.due);
        stop_hear(&life->stop, life->ward.heard, life->ward.heard_at);
        if (children)
                return true;
        if (!cgroup_is_name(life->ward.cgroup))
                return false;

        group = open_group(life);
        if (group >= 0)
                cgroup_thaw(group);
        return group != -ENOENT;
}

static void kill_all(const struct life *life) {
        _cleanup_(close_fdp) int group = -1;

        if (life->children) {
                children_kill(life->children);
                return;
        }
        group = open_group(life);
        if (group >= 0)
                cgroup_kill(group);
}

static int sweep_all(const struct life *life, struct sweep *sweep) {
        _cleanup_(close_fdp) int group = -1;

        if (life->children)
                return children_sweep(life->children, sweep);
        group = open_group(life);
        return group < 0 ? group : cgroup_sweep(group, sweep, proc_is_ours() == 0);
}

static pid_t leader_of(const struct life *life) {
        return life->children ? life->children->leader : life->ward.leader;
}

static void take_step(struct life *life, const struct curfew_step *step) {
        pid_t leader = leader_of(life);
        struct sweep sweep = {
                .signal = step->signal,
                .cont = step->signal != SIGKILL && stop_signal_terminates(step->signal),
                .leads_group = !life->ward.group_is_shared,
                .heard = life->stop.is_heard ? &life->ward.who : NULL,
        };

        if (step->whom == CURFEW_GROUP && life->ward.leads_group)
                sweep.group = leader > 0 ? leader : NOBODY;
        if (step->whom == CURFEW_LEADER)
                sweep.only = leader > 0 ? leader : NOBODY;

        if (step->signal == SIGKILL && step->whom == CURFEW_TREE)
                kill_all(life);
        else if (sweep_all(life, &sweep) == 0 && sweep.reached == 0 && sweep.left_out == 0 &&
                 sweep.error == 0)
                stop_find_nobody(&life->stop, clock_now());
}

static void kill_again(struct life *life) {
        take_step(life, &(struct curfew_step){ SIGKILL, stop_reach(&life->stop), 0 });
}

static void end(struct life *life) {
        life->over = true;
        if (life->children)
                return;
        life->events = close_fd(life->events);
        cgroup_end(KEEPER_GROUPS, life->ward.cgroup);
}

static bool list_whole(const struct life *life, struct proc_list *ret) {
        _cleanup_(close_fdp) int group = -1;
        int r;

        if (life->children) {
                r = children_list(life->children, ret);
        } else {
                ret->blind = true;
                r = group = open_group(life);
                if (group >= 0)
                        r = cgroup_list(group, ret);
        }
        return r >= 0 && proc_list_shortage(ret) == 0;
}

static bool names_group(const struct life *life) {
        return life->stop.widest == CURFEW_GROUP && life->ward.leads_group;
}

/* Whether nobody is left whom the plan names. */
static bool is_named_gone(const struct life *life) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;

        if (life->children && !names_group(life))
                return life->children->leader_gone;
        if (life->children)
                return children_have_left_group(life->children);
        return list_whole(life, &list) &&
               proc_list_count(&list, life->ward.leader, names_group(life)) == 0;
}

/* Whether nobody else is left. */
static bool has_only_named(const struct life *life) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;

        return list_whole(life, &list) && list.n > 0 &&
               proc_list_count(&list, leader_of(life), names_group(life)) == list.n;
}

static void handle(struct life *life, enum stop_event event) {
        struct curfew_step step;

        if (event == STOP_TIME && stop_asks_rest(&life->stop) && has_only_named(life))
                stop_skip_rest(&life->stop);
        switch (stop_handle(&life->stop, event, clock_now(), &step)) {
        case STOP_STEP: take_step(life, &step); break;
        case STOP_END_MET:
        case STOP_END_LINGER:
        case STOP_END_GIVEN_UP: end(life); break;
        case STOP_NOTHING:
        case STOP_LINGER: break;
        }
}

/* What was started to outlive its host is let go of. */
void life_ask(struct life *life) {
        if (life->ward.detach)
                end(life);
        else if (life->stop.state == STOP_RUNNING)
                handle(life, STOP_ASK);
}

static bool is_empty(struct life *life) {
        int r;

        if (life->children)
                return children_reap(life->children) == -ECHILD;
        if (life->events < 0)
                life->events = cgroup_open_events(KEEPER_GROUPS, life->ward.cgroup);
        r = cgroup_is_populated(life->events);
        return r == 0 || r == -ENODEV || r == -ENOENT;
}

void life_advance(struct life *life) {
        while (!life->over) {
                bool empty = is_empty(life);

                if (stop_awaits_named(&life->stop) && is_named_gone(life))
                        handle(life, STOP_GONE);
                if (empty || life->stop.state == STOP_LEAVING)
                        handle(life, STOP_MET);
                else if (life->stop.due <= clock_now())
                        handle(life, STOP_TIME);
                else
                        break;
        }
        if (!life->over && life->stop.state == STOP_KILLED)
                kill_again(life);
}

/* What nobody tells of is looked at. */
int64_t life_due(const struct life *life) {
        bool again = life->stop.state == STOP_KILLED || stop_awaits_named(&life->stop) ||
                     (!life->children && life->events < 0);

        if (life->over)
                return CLOCK_NEVER;
        return clock_min(
                life->stop.due, again ? clock_after(clock_now(), KILL_AGAIN) : CLOCK_NEVER);
}
