// SPDX-License-Identifier: MIT
#pragma once

/* The signals that the program itself receives. */

#include <stdbool.h>

/* From now on the signals that would end this process, and weren't ignored, wait in the descriptor
 * that this returns, or a negative errno; and SIGCHLD if `children`. */
int signals_open(bool children);

/* The next of them, or 0. Those that this process has caused itself are left out. */
int signals_next(int fd);

/* Whether it asks for the command to be stopped. The others are for the command to see. */
bool signals_is_stop(int signal);

/* Die of a signal, so that the parent sees what it would have seen without curfew, but without
 * dumping a core of our own. Returns only if that is impossible. */
void signals_die(int number);
