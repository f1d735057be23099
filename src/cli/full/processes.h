// SPDX-License-Identifier: MIT
#pragma once

/* The processes of the command, as they come and go. */

#include "cli/full/process.h"
#include "curfew.h"

enum process_change {
        PROCESS_SEEN,
        PROCESS_EXEC, /* it runs another program */
        PROCESS_ENDED,
};

typedef void (*processes_fn)(
        void *arg, enum process_change change, const struct process *process, int64_t now);

struct processes {
        struct process *items; /* all of them, in the order in which they were seen */
        size_t n, capacity;
        size_t *live; /* the numbers of those who run, by pid */
        size_t n_live, live_capacity;
        size_t *spare; /* numbers that can be given again */
        size_t n_spare, spare_capacity;
        struct curfew_process *list; /* the last that was read */
        size_t list_capacity;

        struct curfew_run *run;
        int64_t began;
        int poll;  /* an epoll of the pidfds and the timer */
        int timer; /* for the next look */
        unsigned n_fds, max_fds;

        processes_fn tell;
        void *arg;

        int64_t last;     /* when it was looked, since the start */
        int64_t interval; /* to the next time */
        int64_t longest;  /* that has been between two of them */
        int64_t budget;   /* how long looking may take */
        unsigned looks, n_changes, omitted;
};

#define PROCESSES_NULL                                                                             \
        { .poll = -1, .timer = -1 }

/* A negative errno. `tell` is called with each change. */
int processes_init(struct processes *processes, processes_fn tell, void *arg);

/* The run was started at `began`, with this command. */
void processes_start(struct processes *processes, struct curfew_run *run, int64_t began,
        const char *const argv[]);

/* Do what is due: processes.poll is readable. */
void processes_dispatch(struct processes *processes);

/* Look now, if the last one isn't too short a time ago. */
void processes_look(struct processes *processes);

/* There is something going on: look more often. */
void processes_hurry(struct processes *processes);

/* The run has ended; `result` says how. */
void processes_finish(struct processes *processes, const struct curfew_result *result);

void processes_deinit(struct processes *processes);
