// SPDX-License-Identifier: MIT
#pragma once

/* A look at one process, in /proc. */

#include "curfew.h"

/* Its parent, state, name, and when it was started, on CLOCK_BOOTTIME, which with its pid is who it
 * is. -ESRCH, and nothing is changed. */
int look_stat(pid_t pid, struct curfew_process *ret, int64_t *ret_key);

/* Whether two such times are the same: they come on different ways. */
bool look_is_key(int64_t a, int64_t b);

/* Whether that pid is still, or was just now, the process with this key. */
bool look_is_same(pid_t pid, int64_t key);

/* What CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC. */
int64_t look_boot_offset(void);

#define LOOK_MAX_ARGS 512

/* The beginning of its command line, each argument with a NUL behind it; NULL if it has none. */
char *look_args(pid_t pid, size_t *ret_size);

/* The same of arguments that are known. */
char *look_argv(const char *const argv[], size_t *ret_size);
