// SPDX-License-Identifier: MIT
#pragma once

/* Where something is to be written: a file, or a descriptor that is open already. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct target {
        const char *option; /* that has asked for it, and what it said */
        const char *text;
        int fd;     /* open for writing; or -1: there is no such file yet */
        int folder; /* where a new file is to take the place of `name`; or -1: `fd` is written */
        char *name;
};

#define TARGET_NULL                                                                                \
        { .fd = -1, .folder = -1 }

/*
 * Find out whether it can be written. `text` is a path, the number of a descriptor, or "-", which
 * is standard output. `whole`: what is written at the end is to take the place of the file at once.
 * Else an ordinary file is emptied now. A line is said about a failure.
 */
int target_open(struct target *target, const char *option, const char *text, bool whole);

/* Whether two paths lead to one ordinary file, which may not be there yet. Two descriptors may:
 * what is written to them comes in order. */
bool target_is_same(const char *a, const char *b);

/* Write to a descriptor of this kind, without waiting. How much, or a negative errno: -EAGAIN. */
ssize_t target_write_some(int fd, const void *data, size_t size);

/* Write all of it, waiting as long as somebody reads: -ETIMEDOUT. */
int target_write_all(int fd, const char *data, size_t size);

/* Write what is to be the whole content. A line is said about a failure. */
int target_write(struct target *target, const void *data, size_t size);

void target_say(const struct target *target, int error);
void target_deinit(struct target *target);
