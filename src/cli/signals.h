// SPDX-License-Identifier: MIT
#pragma once

/* The signals that the program itself receives. */

#include "self.h"

#include <signal.h>
#include <stdbool.h>

/* From now on the signals that would end this process wait in the descriptor that this returns, or
 * a negative errno; and those of `also`. */
int signals_open(const sigset_t *also);

/* Those that this process was handed over ignored, for what it starts to inherit; but for SIGCHLD.
 */
void signals_ignored(const struct self *self, sigset_t *ret);

/* The next of them, or 0; and whether no process has sent it: then it comes from the terminal.
 * Those that this process has caused itself are left out. */
int signals_next(int fd, bool *ret_from_terminal);

/* Whether it asks for the command to be stopped. The others are for the command to see. */
bool signals_is_stop(int signal);

/* The next one that does, or 0; and whether there is one, for curfew_cmd.give_up. */
int signals_next_stop(int fd);
int signals_have_stop(void *unused);

/* Die of a signal, so that the parent sees what it would have seen without curfew, but without
 * dumping a core of our own. Returns only if that is impossible. */
void signals_die(int number);
