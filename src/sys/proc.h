// SPDX-License-Identifier: MIT
#pragma once

/* One process, as it is seen from outside. */

#include "base/base.h"
#include "base/clock.h"
#include <sys/types.h>

#define PROC_TICKS 100 /* a second: USER_HZ, on every architecture there is a call for here */

struct proc {
        pid_t pid;
        pid_t parent;
        pid_t group;
        pid_t session;
        int n_threads;
        char state;
        char name[16];
        uint64_t start; /* in clock ticks since boot; 0: not known */
        int fd;         /* what is bound to it and takes signals for it, or -1; see proc.c */
        bool hidden;    /* /proc doesn't show it, and fd is a pidfd */
};

#define PROC_NULL                                                                                  \
        { .fd = -1 }

/* Who has this number now, held. 1: that one is dead and nobody has waited for it yet; -ESRCH:
 * there is none. */
int proc_hold(pid_t pid, struct proc *ret);

/* The same without a look at it: that it is who is meant is known. */
int proc_hold_known(pid_t pid, struct proc *ret);

/* The same by a pidfd, as one that /proc doesn't show. */
int proc_hold_hidden(pid_t pid, struct proc *ret);

/* An error that may pass: there may be such a process, and no room to look at it. */
bool proc_is_shortage(int r);

/* Let go of it. What was read of it stays, and with the time of its start is what is known of it.
 */
void proc_release(struct proc *proc);

/* Whether it is still there: alive, or not reaped yet. */
bool proc_is_there(const struct proc *proc);

/* Send it a signal, and SIGCONT after it if `cont`. -ESRCH: it is gone. */
int proc_signal(const struct proc *proc, int signal, bool cont);

/* The same to the process group that it leads. -EINVAL before Linux 6.9. */
int proc_signal_group(const struct proc *proc, int signal, bool cont);

/* Whether it does something else at the signal than what that does by default. */
bool proc_handles(const struct proc *proc, int signal);

/* A descriptor of it for a while: what it is held by, or one that is opened anew for a process that
 * is not held. Negative: it is gone, or hidden. */
int proc_borrow(const struct proc *proc);
void proc_give_back(const struct proc *proc, int fd);

/* The time of its start on CLOCK_BOOTTIME. */
static inline int64_t proc_started(const struct proc *proc) {
        return (int64_t)proc->start * (CLOCK_SEC / PROC_TICKS);
}

/* Whether /proc can be read, tells of children, and is that of our own PID namespace: in another's,
 * the numbers are other processes'. Negative: there is no room to look. */
int proc_is_ours(void);

/* A moment, and whether a process was started after it. The time alone is too coarse to tell, but
 * numbers are given out in order, and the last one before is known. `now` is the last one that has
 * been given out since. What can't be told counts as younger. */
struct proc_moment {
        uint64_t tick; /* as in proc.start */
        pid_t last;    /* or 0: not known */
};

struct proc_moment proc_now(void);
pid_t proc_last(void);
bool proc_is_younger(const struct proc *proc, const struct proc_moment *moment, pid_t now);

/* Our own keepers go by this name: one that pkill(1) doesn't take for the program's, which they are
 * to outlive. */
#define PROC_KEEPER "tree-keeper"
#define PROC_CGROUP "curfew-" /* … and our control groups begin with this */

/* … and their program by this one, which only who has made such a file can execute. */
#define PROC_IMAGE "curfew-keeper"

bool proc_is_keeper(const struct proc *proc);

/* How many directories in the path of its control group (cgroup v2) have names that begin so. */
unsigned proc_cgroup_depth(const struct proc *proc, const char *prefix);
