// SPDX-License-Identifier: MIT
#pragma once

/* A way into a loop from another thread: an eventfd. */

#include "base/base.h"
#include "sys/loop.h"

struct wake {
        struct loop *loop;
        struct loop_io io;
        int fd; /* -1 until it is first needed */
};

#define WAKE_NULL                                                                                  \
        { .io = LOOP_IO_NULL, .fd = -1 }

/* Open it, if it isn't yet. `fn` is called in the loop after a ring, any number of rings at once.
 */
int wake_open(
        struct wake *wake, struct loop *loop, void (*fn)(struct loop_io *io, uint32_t events));
void wake_deinit(struct wake *wake);

void wake_ring(const struct wake *wake); /* from any thread */
