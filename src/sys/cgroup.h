// SPDX-License-Identifier: MIT
#pragma once

/* One control group (cgroup v2) that holds a tree. */

#include "base/base.h"
#include "sys/proc.h"
#include "sys/sweep.h"

#define CGROUP_PREFIX   PROC_CGROUP
#define CGROUP_NAME_MAX 40

/* A directory to make groups in, by its descriptor. All of these return a negative errno. */

int cgroup_make(int parent, const char *name); /* … or a descriptor of the new one */
int cgroup_open(int parent, const char *name); /* … or a descriptor of it */

/* A descriptor of its cgroup.events, which polls EPOLLPRI after a change; and whether a process is
 * in the group, or below it, now. */
int cgroup_open_events(int group);
int cgroup_is_populated(int events);

/* All that lives in it. */
int cgroup_list(int group, struct proc_list *ret);

/* Send each process in it the signal, all at the same time; what is below another keeper, or in
 * its group, is that one's. */
int cgroup_sweep(int group, const char *name, struct sweep *sweep);

/* Let it go on, whoever has frozen it: a sweep that was cut short may have. */
void cgroup_thaw(int group);

/* SIGKILL to all that is in it and all that it forks. The group can't be used again (Linux 6.18:
 * what is born there then dies at once). */
int cgroup_kill(int group, const char *name);

/* Unless something lives there, or has made a group there. */
int cgroup_remove(int parent, const char *name);

/* Remove it, with the groups in it. What lives there, if anything, is moved to the parent first. */
void cgroup_end(int parent, const char *name);
