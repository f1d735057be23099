// SPDX-License-Identifier: MIT
#include "keeper/children.h"
#include "base/clock.h"
#include "sys/call.h"

#include <signal.h>
#include <sys/resource.h>

/*
 * To end a tree all of it is killed, from the top down, without reaping anything as long as
 * something lives: zombies count against a limit of processes, so a fork bomb that has filled it
 * up starves, where a new slot would have been refilled. Between two rounds the keeper sleeps
 * until somebody dies: spinning would take the time that the dying need.
 *
 * What a number means is certain here as nowhere else: a child has its number until it is waited
 * for, and nobody but this process does that.
 */

#define MAX_ZOMBIES 4096 /* to leave unreaped, of a tree that isn't near a limit */
#define FIRST_PAUSE (CLOCK_SEC / 1000)
#define LAST_PAUSE  (CLOCK_SEC / 100)

static pid_t own_pid(void) {
        return (pid_t)sys_call(SYS_getpid);
}

void children_init(struct children *children, pid_t leader) {
        *children = (struct children){
                .leader = leader,
                .session = (pid_t)sys_call(SYS_getsid, leader),
                .is_namespace = own_pid() == 1,
                .pause = FIRST_PAUSE,
        };
}

/* All, or only one. */
static int reap(struct children *children, pid_t only) {
        struct child_exit how;
        pid_t pid;
        int r;

        while ((r = child_reap_next(only, &pid, &how)) > 0) {
                if (pid != children->leader || children->leader_gone)
                        continue;
                children->leader_gone = true;
                children->exit = how;
        }
        return r;
}

/* The init of a namespace can signal all that is in it at once, and nothing else: the numbers in
 * /proc are not those that it knows. */
static int hunt_namespace(struct children *children) {
        sys_call(SYS_kill, -1, SIGKILL);
        return reap(children, 0);
}

/* One round of it. 0 as long as something may live. */
static int hunt(struct children *children) {
        size_t alive, dead;
        int r = sweep_hunt(own_pid(), &alive, &dead);

        if (r >= 0 && (alive == 0 || dead > MAX_ZOMBIES))
                return reap(children, 0);

        if (!children->leader_gone) /* the others may take for ever */
                reap(children, children->leader);
        children->pause = clock_min(2 * children->pause, LAST_PAUSE);
        return 0;
}

int children_reap(struct children *children) {
        if (!children->killing)
                return reap(children, 0);
        return children->is_namespace ? hunt_namespace(children) : hunt(children);
}

/* A storm takes all the time there is; where that is allowed the keeper goes first. */
void children_kill(struct children *children) {
        if (children->killing)
                return;
        sys_call(SYS_setpriority, PRIO_PROCESS, 0, -20);
        children->killing = true;
}

/* All of a namespace is asked at one moment, but its init, which is this. */
static int sweep_namespace(struct sweep *sweep) {
        pid_t target = sweep->only > 0 ? sweep->only : sweep->group > 0 ? -sweep->group : -1;
        long r = sys_call(SYS_kill, target, sweep->heard ? 0 : sweep->signal);

        sweep->reached = r == 0;
        if (r == 0 && sweep->cont)
                sys_call(SYS_kill, target, SIGCONT);
        return r == -ESRCH ? 0 : (int)r;
}

static int sweep_tree(const struct children *children, struct sweep *sweep) {
        struct child leader = { .pid = children->leader, .pidfd = -1 };
        int r;

        if (!children->leader_gone)
                leader.pidfd = (int)sys_call(SYS_pidfd_open, leader.pid, 0);
        if (leader.pidfd >= 0)
                sweep->leader = &leader;
        sweep->leads_group = sweep->leads_group && leader.pidfd >= 0 &&
                             child_signal_group(&leader, 0) == 0;
        sweep->session = children->session;
        r = sweep_descendants(sweep, own_pid());
        sweep->leader = NULL;
        close_fd(leader.pidfd);
        return r;
}

int children_sweep(const struct children *children, struct sweep *sweep) {
        if (sweep->only == children->leader && children->leader_gone)
                return 0;
        return children->is_namespace ? sweep_namespace(sweep) : sweep_tree(children, sweep);
}

/* The init of a namespace doesn't know them. */
int children_list(const struct children *children, struct proc_list *ret) {
        return children->is_namespace ? -ENOENT : sweep_list(own_pid(), ret);
}

bool children_have_left_group(const struct children *children) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;

        if (children->is_namespace)
                return sys_call(SYS_kill, -children->leader, 0) == -ESRCH;
        return children_list(children, &list) >= 0 && proc_list_shortage(&list) == 0 &&
               proc_list_count(&list, children->leader, true) == 0;
}
