// SPDX-License-Identifier: MIT
#pragma once

/* Who hears the terminal's keys when curfew itself is killed for them. */

#include "curfew.h"

struct listener {
        pid_t pid; /* or 0 */
        int end;   /* a pipe: who closes it ends the listener */
};

#define LISTENER_NULL                                                                              \
        { .end = -1 }

/* Where none can be had curfew is the only one who hears them. And end it; idempotent. */
void listener_start(struct listener *listener, struct curfew_run *run);
void listener_end(struct listener *listener);
