// SPDX-License-Identifier: MIT
#pragma once

/* Processes that have something in common, each once, and how they are found. */

#include "base/base.h"
#include "sys/proc.h"

struct proc_item {
        struct proc proc;
        bool unsure;   /* it has been listed once, and nothing else says that it belongs here */
        bool gone;     /* it has been found to be */
        bool anothers; /* it is held by another curfew, within this tree */
        bool spared;   /* it is younger than the step */
        bool done;     /* it has got the signal, or is not to get it */
        bool by_group; /* … as a member of its process group */
};

struct proc_list {
        struct proc_item *items;
        size_t n;
        size_t capacity;
        size_t n_held;
        size_t n_dead; /* zombies that have been seen, and not been added */
        size_t n_gone; /* … that were gone when they were looked at */
        int error;     /* what kept from looking at one that may be there */
        bool blind;    /* not to be looked at in /proc */
};

#define PROC_LIST_NULL                                                                             \
        { .items = NULL }

void proc_list_deinit(struct proc_list *list);

/* The error, if it is one that may pass: then there may be more than is listed. */
int proc_list_shortage(const struct proc_list *list);

/* Whether the process that has this number now is in there. */
bool proc_list_has(const struct proc_list *list, pid_t pid);

/* How many in there are the leader, or with `group` in the process group that it leads. */
size_t proc_list_count(const struct proc_list *list, pid_t leader, bool group);

/* Add a process, which is the list's to release then, unless it is in there. */
int proc_list_add(struct proc_list *list, struct proc *proc);

/* Add what is in this file, one number after the other, as processes that live. */
int proc_list_add_file(struct proc_list *list, int dir, const char *path);

/* Add the living children of a process, whichever of its threads has forked them. 1: it is gone. */
int proc_list_add_children(struct proc_list *list, const struct proc *parent);

/* Add the living descendants of all that is in the list, but of those that are spared. */
int proc_list_add_descendants(struct proc_list *list);

/* Add the living members of a process group: reads all of /proc. */
int proc_list_add_group(struct proc_list *list, pid_t group);

/* Forget what has been added since there were `n`. */
void proc_list_truncate(struct proc_list *list, size_t n);
