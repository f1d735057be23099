// SPDX-License-Identifier: MIT
#pragma once

/* The signal that comes before the deadline. */

#include "opts.h"
#include "record.h"
#include "say.h"

/* When it is to be sent, to a command that is about to be started. */
int64_t warning_time(const struct opts_warn *warn, const struct curfew_ctx *ctx);

void warning_send(const struct opts *opts, struct curfew_run *run, struct record *record,
        struct speech *speech);
