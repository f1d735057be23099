// SPDX-License-Identifier: MIT
#pragma once

/* What /proc says of processes. All of it is hearsay by the time it is read: act on a process only
 * through a pidfd, and check after opening that it is still the one that was meant. */

#include "base/base.h"
#include "base/clock.h"
#include <sys/types.h>

#define PROC_TICKS 100 /* a second: USER_HZ, on every architecture there is a call for here */

struct proc_stat {
        pid_t pid;
        pid_t parent;
        pid_t group;
        int n_threads;
        char state;
        char name[16];
        uint64_t start; /* in clock ticks since boot; with the pid, an identity */
};

/* The time of its start on CLOCK_BOOTTIME. */
static inline int64_t proc_started(const struct proc_stat *stat) {
        return (int64_t)stat->start * (CLOCK_SEC / PROC_TICKS);
}

/* -ESRCH if there is no such process. */
int proc_stat(pid_t pid, struct proc_stat *ret);

/* Whether /proc is there, tells of children, and is that of our own PID namespace: in another's,
 * the numbers are other processes'. */
bool proc_is_ours(void);

/* How many groups of ours, one in the other, the process is in. */
unsigned proc_cgroup_depth(pid_t pid, const char *prefix);

/* A moment, and whether a process was started after it. The time alone is too coarse to tell, but
 * numbers are given out in order: the last one before is known. (One that has come round since
 * counts as older.) */
struct proc_moment {
        uint64_t tick; /* as in proc_stat.start */
        pid_t last;
};

struct proc_moment proc_now(void);

static inline bool proc_is_younger(const struct proc_stat *stat, const struct proc_moment *moment) {
        return stat->start >= moment->tick && stat->pid > moment->last;
}

/* A zombie is not left running, and nothing can be done to it; unless only its first thread is one.
 */
static inline bool proc_is_dead(const struct proc_stat *stat) {
        return (stat->state == 'Z' || stat->state == 'X') && stat->n_threads <= 1;
}

/* Whether two looks have seen the same process. */
static inline bool proc_is_same(const struct proc_stat *a, const struct proc_stat *b) {
        return a->pid == b->pid && a->start == b->start;
}

/* Our own keepers go by this name: one that pkill(1) doesn't take for the program's, which they are
 * to outlive. */
#define PROC_KEEPER "tree-keeper"
#define PROC_CGROUP "curfew-" /* … and our control groups begin with this */

bool proc_is_keeper(const struct proc_stat *stat);

/* A pidfd of just this process: the number alone could have been given to another meanwhile. And
 * what it is by now; -ESRCH if dead. */
int proc_open(const struct proc_stat *stat, struct proc_stat *ret_now);

/* Send it a signal, and SIGCONT after it if `cont`. -ESRCH: it has ended. */
int proc_signal(const struct proc_stat *stat, int signal, bool cont);

/* Whether it has a handler for the signal, which was sent to it, and has not taken it yet. */
enum proc_answer {
        PROC_HAS_ANSWERED, /* or will not */
        PROC_WILL_ANSWER,  /* as soon as it gets to run */
        PROC_MAY_ANSWER,   /* something keeps it: it has blocked the signal, or waits for a vfork */
};

enum proc_answer proc_answer(pid_t pid, int signal);

/* Whether the last line of /proc/PID/cgroup, the one of cgroup v2, has a directory of this name in
 * its path. */
bool proc_is_in_cgroup(pid_t pid, const char *name);

/* A growing list of processes, each once. */
struct proc_list {
        struct proc_stat *items;
        size_t n;
        size_t capacity;
        size_t n_dead; /* have been seen, and not been added */
        int error;     /* what kept from looking at one that may be there */
};

#define PROC_LIST_NULL                                                                             \
        { .items = NULL }

void proc_list_deinit(struct proc_list *list);
int proc_list_add(struct proc_list *list, const struct proc_stat *stat);

/* The error, if it is one that may pass: then there may be more than is listed. Where /proc doesn't
 * show another user's processes, it never will. */
int proc_list_shortage(const struct proc_list *list);

/* Keep of what stands in it from `first` on only what was started before. */
void proc_list_keep_older(struct proc_list *list, size_t first, const struct proc_moment *moment);

/* Add what is in this file, one number after the other, as processes that live. If `parent` is not
 * 0, only the ones that are still its children. */
int proc_list_add_file(struct proc_list *list, int dir, const char *path, pid_t parent);

/* Add the living children of a process, whichever of its threads has forked them. */
int proc_list_add_children(struct proc_list *list, const struct proc_stat *stat);

/* Whether it has no living children. */
bool proc_is_childless(pid_t pid);

/* Add the living descendants of all that is in the list. */
int proc_list_add_descendants(struct proc_list *list);

/* Add the living members of a process group: reads all of /proc. */
int proc_list_add_group(struct proc_list *list, pid_t group);
