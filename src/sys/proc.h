// SPDX-License-Identifier: MIT
#pragma once

/* What /proc says of processes. All of it is hearsay by the time it is read: act on a process only
 * through a pidfd, and check after opening that it is still the one that was meant. */

#include "base/base.h"
#include <sys/types.h>

struct proc_stat {
        pid_t pid;
        pid_t parent;
        pid_t group;
        char state;
        int n_threads;
        uint64_t start; /* in clock ticks since boot; with the pid, an identity */
};

/* -ESRCH if there is no such process. */
int proc_stat(pid_t pid, struct proc_stat *ret);

/* A zombie is not left running, and nothing can be done to it; unless only its first thread is one.
 */
static inline bool proc_is_dead(const struct proc_stat *stat) {
        return (stat->state == 'Z' || stat->state == 'X') && stat->n_threads <= 1;
}

/* A growing list of processes, each once. */
struct proc_list {
        struct proc_stat *items;
        size_t n;
        size_t capacity;
};

#define PROC_LIST_NULL                                                                             \
        { .items = NULL }

void proc_list_deinit(struct proc_list *list);
int proc_list_add(struct proc_list *list, const struct proc_stat *stat);

/* Add the living members of a process group: reads all of /proc. */
int proc_list_add_group(struct proc_list *list, pid_t group);

/* Add the living descendants of all that is in the list. */
int proc_list_add_descendants(struct proc_list *list);
