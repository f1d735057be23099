// SPDX-License-Identifier: MIT
#pragma once

/* The signals of the program under the name "timeout". */

#include <signal.h>
#include <stdbool.h>

struct timeout_signals {
        sigset_t mask;    /* what the command is to have blocked */
        sigset_t ignored; /* … and ignored */
        int fd;           /* what is received comes from here */
};

/* From now on what would end this process is received, and so is `stop`. Negative errno. */
int timeout_signals_open(int stop, struct timeout_signals *ret);

/* The next one, or 0. What is in `sent` is left out. `*ret_everybody`: everyone in the group got it
 * when we did. */
int timeout_signals_next(
        const struct timeout_signals *signals, const sigset_t *sent, bool *ret_everybody);
