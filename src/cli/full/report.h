// SPDX-License-Identifier: MIT
#pragma once

/* The report: see docs/report.schema.json. */

#include "cli/full/processes.h"
#include "cli/opts.h"

#include <jansson.h>

struct facts {
        const struct opts *opts;
        pid_t pid;           /* 0: it was not started */
        int64_t started;     /* in nanoseconds since the Epoch */
        int64_t deadline;    /* since the start, or CURFEW_FOREVER */
        const char *failure; /* why it was not started, */
        int error;           /* and by which negative errno, if by one */
        enum curfew_stage stage;
        struct curfew_step_taken warned; /* signal 0: it was not */
        bool has_output;                 /* it went through this program */
        int output_error;
        const struct curfew_result *result; /* or NULL */
        const struct processes *processes;
        int64_t end;     /* since the start */
        int exit_status; /* the program's own */
};

/* All of it, or without its processes. NULL: no memory. */
json_t *report_new(const struct facts *facts, bool with_processes);

/* What is known at the start, with the name of its schema. */
json_t *report_begin(const struct facts *facts, const char *schema);
