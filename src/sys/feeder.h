// SPDX-License-Identifier: MIT
#pragma once

/* The supervisor's end of a child's input. */

#include "base/base.h"
#include "sys/loop.h"

/* Writes borrowed bytes to a pipe whose end it owns, then closes it. */
struct feeder {
        struct loop *loop;
        struct loop_io io;
        int fd;
        const char *data;
        size_t size;
};

#define FEEDER_NULL                                                                                \
        { .io = LOOP_IO_NULL, .fd = -1 }

/* Take over the pipe's end, which becomes non-blocking, and write what fits; on failure it stays
 * the caller's. */
int feeder_attach(struct feeder *feeder, struct loop *loop, int fd, const void *data, size_t size);
void feeder_deinit(struct feeder *feeder);
