// SPDX-License-Identifier: MIT
#pragma once

/* A container's first process gets the signals that are meant for its command: they are passed on.
 */

#include "opts.h"
#include "say.h"
#include "terminal.h"

struct pass {
        const struct opts *opts;
        struct terminal *terminal;
        struct speech *speech;
        struct curfew_run *run;
        int asked;      /* the signal that asked for the end first, as it came; 0: none has */
        unsigned taken; /* so many steps of the plan, which begins with that */
        int64_t due;    /* when the next one is to be taken */
};

#define PASS_NULL                                                                                  \
        { .due = CURFEW_FOREVER }

/* Which signals are received: all that can be caught, but for those that the C library keeps for
 * itself. And which of them ask for an end. */
void pass_received(const struct opts *opts, sigset_t *ret, sigset_t *ret_stops);

/* A signal has come, and `is_stop`: asks for the command's end. `leader` as for terminal.h. 0, or
 * -ESRCH: there is no command any more. */
int pass_signal(struct pass *pass, pid_t leader, int signal, bool is_stop, bool from_terminal);

/* Do what is due: take the next step of a plan that was asked for; but not if it `is_over`. */
void pass_proceed(struct pass *pass, bool is_over);
