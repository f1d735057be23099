// SPDX-License-Identifier: MIT
#pragma once

/* Facts of curfew.h as JSON: see docs/report.schema.json. NULL: no memory. */

#include "cli/full/process.h"
#include "curfew.h"

#include <jansson.h>

/* Text as it is, but for bytes that are not UTF-8: each of those is U+FFFD. NULL is null. */
json_t *json_text(const char *text);

/* As text, or NULL. Controls are written as escapes, too, which JSON leaves as they are beyond
 * ASCII: it may be read at a terminal. */
char *json_print(const json_t *json, size_t flags);

/* A negative duration, and CURFEW_FOREVER, are null. */
json_t *json_seconds(int64_t duration);
json_t *json_error(int error);
json_t *json_signal(int signal);
json_t *json_whom(enum curfew_whom whom);
json_t *json_args(const struct process *process);
json_t *json_argv(const char *const argv[]);

/* Time, signal, whom, reached, left out, error. */
json_t *json_sent(const struct curfew_step_taken *step);
