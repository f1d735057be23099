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

/*
 * The command has them now. This program holds them no longer, nor its standard input and, if that
 * is for the command alone, output: so what the command closes is closed, and who waits for the end
 * of a pipe has it then. But for the one that is to be `kept`, or -1.
 */
void inherit_let_go(const struct inherited *inherited, bool output, int kept);

void inherit_deinit(struct inherited *inherited);
