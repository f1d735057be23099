// SPDX-License-Identifier: MIT
#pragma once

/* A signal on its way to many processes. */

#include "base/base.h"
#include "sys/child.h"
#include "sys/proc-list.h"

/* Who has got a signal from elsewhere, as from a key at a terminal. (Who that is in a PID namespace
 * its init doesn't know, and tells nobody again.) */
struct sweep_heard {
        pid_t group;
        uint64_t tick; /* when, as in proc.start */
};

struct sweep {
        int signal;
        bool cont;                  /* SIGCONT after it: it asks for an end */
        pid_t group;                /* only the members of this process group; or 0 */
        pid_t only;                 /* … or nobody but this process; or 0 */
        const struct child *leader; /* whose pidfd is known already; or NULL */
        bool leads_group;           /* … and who leads a process group that it stands for, too */
        pid_t session;              /* where there may be others than the tree's; or 0: anywhere */
        const struct sweep_heard *heard; /* who is left out by it; or NULL */
        bool reached_leader;
        unsigned reached;
        unsigned left_out;
        int error; /* the first that kept it from a process that is there */
};

/* Where the processes are: who is there and not in the list is added to it. Part of a larger one
 * that knows more. */
struct sweep_place {
        int (*find)(const struct sweep_place *place, struct proc_list *list);
        bool sealed; /* nobody in there can fork or end */
        bool blind;  /* they are not to be looked at in /proc */
};

/* Send it, once, to each process there that was there before; what is another curfew's is asked
 * through its keeper. Negative: it was not possible to look for all of them. */
int sweep_take(struct sweep *sweep, const struct sweep_place *place);

/* To one process; and to the leader by its pidfd. */
void sweep_process(struct sweep *sweep, const struct proc *proc);
void sweep_leader(struct sweep *sweep);

/* SIGKILL to all that is there, another curfew's as well, until nobody new is found. */
int sweep_kill(const struct sweep_place *place);

/* The descendants of a keeper, which every orphan among them falls to. */
int sweep_descendants(struct sweep *sweep, pid_t keeper);
int sweep_list(pid_t keeper, struct proc_list *ret);

/* SIGKILL to each of them that is there, once: so many live, and so many are zombies. */
int sweep_hunt(pid_t keeper, size_t *ret_alive, size_t *ret_dead);
