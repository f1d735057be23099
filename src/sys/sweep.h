// SPDX-License-Identifier: MIT
#pragma once

/* Signal the descendants of a process that every orphan among them falls to. */

#include "base/base.h"
#include "sys/child.h"
#include "sys/proc.h"

/* A signal on its way to many processes. */
struct sweep {
        int signal;
        bool cont;                  /* SIGCONT after it */
        pid_t group;                /* only the members of this process group; or 0 */
        const struct child *leader; /* whether this one has got it matters; or NULL */
        bool reached_leader;
        unsigned reached;
        int error;  /* the first that kept it from a process that is there */
        pid_t root; /* whose descendants they are */
        struct proc_moment began;
        int64_t until;    /* how long to look for what is younger than that */
        int64_t patience; /* the time that is left to wait for processes to answer */
};

/* Send it to one process, and count. */
void sweep_process(struct sweep *sweep, const struct proc_stat *stat);
void sweep_signal_leader(struct sweep *sweep);

/* Send it to each descendant of `root`, a keeper, once; what is below another keeper is that one's.
 * Negative: it was not possible to look for all of them. */
int sweep_descendants(struct sweep *sweep, pid_t root);

/* SIGKILL to each of them that is there, once: so many live, and so many are zombies. */
int sweep_kill(pid_t root, size_t *ret_alive, size_t *ret_dead);

/* All of them that live, the other keepers' included. */
int sweep_list(pid_t root, struct proc_list *ret);
