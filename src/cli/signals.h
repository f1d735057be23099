// SPDX-License-Identifier: MIT
#pragma once

/* The signals that the program itself receives. */

#include "opts.h"
#include "self.h"

#include <signal.h>
#include <stdbool.h>

/* From now on the signals that would end this process wait in the descriptor that this returns, or
 * a negative errno; and those of `also`. */
int signals_open(const sigset_t *also);

/* Those that this process was handed over ignored, for what it starts to inherit; but for SIGCHLD,
 * and for what is to be sent to it. */
void signals_ignored(const struct self *self, const struct opts *opts, sigset_t *ret);

/* From now on they count as any other. */
void signals_heed(const struct self *self);

/* The next of them, or 0; and whether no process has sent it: then it comes from the terminal.
 * Those that this process has caused itself are left out. */
int signals_next(int fd, bool *ret_from_terminal);

/* Those that ask for the command to be stopped. The others are for the command to see. */
void signals_stops(sigset_t *ret);

/* The next of `stops`, or 0; and whether there is one, for curfew_cmd.give_up. */
int signals_next_stop(int fd, const sigset_t *stops);
int signals_have_stop(void *stops);

/* Die of a signal, so that the parent sees what it would have seen without curfew, but without
 * dumping a core of our own. Returns only if that is impossible. */
void signals_die(int number);
