// SPDX-License-Identifier: MIT
#pragma once

/* A child that borrows our memory, and a stack, until it executes a program or exits. */

#include "base/base.h"
#include "sys/child.h"

/* For what runs in such a child: a sanitizer's notes about a stack frame that is never returned
 * from would stay behind in the parent's memory. */
#define _in_child_ __attribute__((__no_sanitize__("address", "thread", "undefined")))

struct clone_plan {
        int (*fn)(void *arg);
        void *arg;
        void *stack; /* its lowest byte */
        size_t size;
        int cgroup;        /* to be born into (Linux 5.7), or -1 */
        bool shares_files; /* it has the caller's descriptor table, not a copy of it */
        int namespaces;    /* CLONE_NEW… */
};

/*
 * Runs fn(arg) on the stack, in a child, while the caller sleeps. Every signal must be blocked.
 * `fn` makes system calls, reports by memory that is shared, and executes or exits. Until it has
 * executed a program, the child sends no signal when it exits and only a wait with __WALL sees it.
 */
int clone_child(const struct clone_plan *plan, struct child *ret);

/* As raise_fd(), but the pidfd of a child that is there already is not lost if that can't be done.
 */
int clone_raise(int pidfd);

/*
 * From within such a child: another one in the same memory, with the same descriptor table, which
 * runs while this one goes on. When it has left the memory, *alive, which must not be 0 before, is
 * 0, and a futex wait for that is woken. Returns its pid, or a negative errno. -ENOSYS where there
 * is no clone3.
 */
int clone_beside(const struct clone_plan *plan, int *alive, int *ret_pidfd);
