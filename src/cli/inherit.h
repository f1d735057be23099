// SPDX-License-Identifier: MIT
#pragma once

/*
 * Descriptors beyond the standard three. A library's host has files open that are nobody else's
 * business; a program that runs another one was given each of them to pass on: `3>log`, a lock, the
 * pipe of make's job server.
 */

#include "curfew.h"

struct inherited {
        struct curfew_extra_fd *fds;
        size_t n;
};

/* Those below `end` that an exec would pass on. Negative errno if there is no memory to hold them.
 */
int inherit_find(unsigned end, struct inherited *ret);

void inherit_deinit(struct inherited *inherited);
