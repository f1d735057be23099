// SPDX-License-Identifier: MIT
#pragma once

/* What happened to a command, in lines for people. */

#include "curfew.h"
#include "say.h"

/* A step was taken, for the sake of `why`. */
void account_step(struct speech *speech, const char *name, const struct curfew_step_taken *step,
        const char *why);

/* Whatever has happened in a run. `why`: it is being stopped. */
void account_event(
        struct speech *speech, const char *name, const struct curfew_event *event, const char *why);

/* What is worth a line even if nobody asked for an account. */
void account_trouble(struct speech *speech, const char *name, const struct curfew_result *result);

/* What may be a surprise: it has left something running, which is stopped; it has been stopped for
 * touching the terminal from the background; it was idle, and has never printed anything. */
void account_leftovers(struct speech *speech, const char *name);
void account_wanted(struct speech *speech, const char *name);
void account_silence(struct speech *speech, const char *name);
