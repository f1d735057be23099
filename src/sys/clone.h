// SPDX-License-Identifier: MIT
#pragma once

/* A child that borrows our memory, and a stack, until it executes a program or exits. */

#include "base/base.h"
#include "sys/child.h"

/* For what runs in such a child: a sanitizer's notes about a stack frame that is never returned
 * from would stay behind in the parent's memory. */
#define _in_child_ __attribute__((__no_sanitize__("address", "thread", "undefined")))

/*
 * Runs fn(arg) on the stack, in a child, while the caller sleeps. Every signal must be blocked.
 * `fn` makes system calls, reports by memory that is shared, and executes or exits. Until it has
 * executed a program, the child sends no signal when it exits and only a wait with __WALL sees it.
 */
int clone_child(void *stack, size_t size, int (*fn)(void *arg), void *arg, struct child *ret);
