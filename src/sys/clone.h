// SPDX-License-Identifier: MIT
#pragma once

/* The call that makes a child which borrows our memory, and a stack, until it executes a program or
 * exits. */

#include "base/base.h"

/* For what runs in such a child: a sanitizer's notes about a stack frame that is never returned
 * from would stay behind in the parent's memory. */
#define _in_child_ __attribute__((__no_sanitize__("address", "thread", "undefined")))

struct clone_plan {
        int (*fn)(void *arg); /* makes system calls, reports by memory that is shared, and executes
                                 or exits */
        void *arg;
        void *stack; /* its lowest byte */
        size_t size;
        int cgroup;        /* to be born into (Linux 5.7), or -1 */
        bool shares_files; /* it has the caller's descriptor table, not a copy of it */
        int namespaces;    /* CLONE_NEW… */
        int exit_signal;   /* 0: until it has executed a program, the child sends no signal when it
                              exits and only a wait with __WALL sees it */
};

/*
 * Runs fn(arg) on the stack, in a child, while the caller goes on: every signal must be blocked,
 * and the caller may be such a child itself. *there is 1 from before there is a child until it has
 * left the memory; then the kernel clears it, and wakes one futex wait for that.
 *
 * Returns its pid, or a negative errno. *ret_pidfd can be written though there will be no child,
 * and then by the time of this call's return, or the end of who has made it, names nothing.
 */
int clone_child(const struct clone_plan *plan, int *there, int *ret_pidfd);

/* As raise_fd(), but the pidfd of a child that is there already is not lost if that can't be done.
 */
int clone_raise(int pidfd);
