// SPDX-License-Identifier: MIT
#pragma once

/* Writing to a descriptor that was inherited, without ever waiting for who reads it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct output {
        int fd;
        bool is_own;
        bool is_socket;
        size_t piece; /* what can be written at once when it polls writable; 0: anything, always */
};

#define OUTPUT_NULL                                                                                \
        { .fd = -1 }

/* `fd` stays the caller's, and open for as long as this is. */
void output_open(int fd, struct output *ret);
void output_close(struct output *output);

/* Write some of it: how much, or a negative errno; -EAGAIN: poll `fd` for POLLOUT. */
ssize_t output_write(const struct output *output, const void *data, size_t size);

/* Write all of it, unless that takes longer than until then. */
int output_write_all(const struct output *output, const void *data, size_t size, int64_t until);
