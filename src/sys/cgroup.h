// SPDX-License-Identifier: MIT
#pragma once

/* One control group (cgroup v2) that holds a tree. */

#include "base/base.h"
#include "sys/sweep.h"

#define CGROUP_PREFIX   PROC_CGROUP
#define CGROUP_NAME_MAX 56

/* Whether it is one that choose_name() in tree-cgroup.c makes. */
bool cgroup_is_name(const char name[CGROUP_NAME_MAX]);

/* A directory to make groups in, by its descriptor. All of these return a negative errno. */

int cgroup_make(int parent, const char *name); /* … or a descriptor of the new one */
int cgroup_open(int parent, const char *name); /* … or a descriptor of it */

/* A descriptor of its cgroup.events, which polls EPOLLPRI after a change; and whether a process is
 * in the group, or below it, now. */
int cgroup_open_events(int parent, const char *name);
int cgroup_is_populated(int events);

/* All that lives in it. */
int cgroup_list(int group, struct proc_list *ret);

/* Send each process in it the signal, all at the same time; what another keeper has is that one's.
 * `blind`: /proc is not ours, or there is none. */
int cgroup_sweep(int group, struct sweep *sweep, bool blind);

/* Let it go on, whoever has frozen it: a sweep that was cut short may have. */
void cgroup_thaw(int group);

/* SIGKILL to all that is in it and all that it forks. The group can't be used again (Linux 6.18:
 * what is born there then dies at once). */
int cgroup_kill(int group);

/* It has been empty: remove it, with the groups in it. */
int cgroup_remove(int parent, const char *name);

/* The directory is another curfew's group, which could not be removed because of what was made in
 * it: remove it, unless somebody lives there. Nothing happens to any other. */
void cgroup_tidy(int parent);

/* Let go of it: what lives there, if anything, is moved to the parent, and it is removed. */
void cgroup_end(int parent, const char *name);
