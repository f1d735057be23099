// SPDX-License-Identifier: MIT
#pragma once

/* One child process: its number and the pidfd that makes the number safe. */

#include "base/base.h"
#include "curfew.h"

struct child {
        pid_t pid;
        int pidfd;
        bool reaped;  /* by us, or found to have been by somebody else */
        int64_t lost; /* since then it has ended, and whoever can wait for it doesn't; or 0 */
};

#define CHILD_NULL                                                                                 \
        { .pid = 0, .pidfd = -1, .reaped = true }

/* The kernel's struct rusage. C libraries have wider times on 32-bit machines, or room for more
 * behind it: a keeper and its host, which may have different ones, could not tell each other. */
struct child_usage {
        long times[4];
        long counts[14];
};

struct rusage child_rusage(const struct child_usage *usage);

/* How it ended. Without a status (somebody else reaped it) the kernel is asked through the pidfd
 * (6.15), else it is CURFEW_STATUS_UNKNOWN. */
struct child_exit {
        enum curfew_status status;
        int code;
        bool core_dumped;
        bool usage_known;
        struct child_usage usage;
};

/* Kills, waits (for one that can't be killed not for long) and closes, unless the child is null;
 * idempotent. */
void child_deinit(struct child *child);

/* Close, and reap it if it has exited; never blocks. One that still lives is left alone. */
void child_release(struct child *child);

/* Through the pidfd; -ESRCH once it has exited, reaped or not. */
int child_signal(const struct child *child, int signal);

/* The same, and SIGCONT after it. */
int child_signal_and_continue(const struct child *child, int signal);

/* To the process group that it leads, or led; -ESRCH: that has no member. -EINVAL before Linux 6.9.
 */
int child_signal_group(const struct child *child, int signal);

/* The number of its control group of cgroup v2; 0: the kernel doesn't say (Linux 6.13). */
uint64_t child_cgroup(const struct child *child);

/* 1 and how it ended, or 0 while it lives. Leaves it a zombie, so that its number (and its process
 * group's) stays ours until child_reap(). */
int child_peek(struct child *child, struct child_exit *ret);

/* The same, and reaps it. */
int child_take(struct child *child, struct child_exit *ret);

/* Whether it has, reaped or not. */
bool child_has_exited(const struct child *child);

/* The signal that it is stopped by, or 0; -ECHILD: it is not ours to know. */
int child_stopped(const struct child *child);

/* Reap one that has exited; never blocks. -EAGAIN if it still lives. */
int child_reap(struct child *child);

/* For a process whose children are all its own business: reap the next one, or if `pid` is not
 * 0, that one. 1, or 0 if none has exited; -ECHILD: there is no child. */
int child_reap_next(pid_t pid, pid_t *ret_pid, struct child_exit *ret);
