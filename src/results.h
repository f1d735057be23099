// SPDX-License-Identifier: MIT
#pragma once

/* Memory for the results of a supervisor's runs, had when a run begins, so that its end can't fail,
 * and not touched before there is something to say. */

#include "base/base.h"
#include "curfew.h"

struct results_chunk;

union results_slot {
        struct curfew_result result;
        union results_slot *next; /* while it is free */
};

struct results {
        union results_slot first; /* most supervisors need no other */
        union results_slot *free;
        struct results_chunk *chunks; /* the newest first */
        size_t fresh;                 /* slots of it that have never been taken */
};

void results_init(struct results *results);
void results_deinit(struct results *results);

/* One that is all zero, as it is to be given back; NULL: there is no memory. */
struct curfew_result *results_take(struct results *results);
void results_give(struct results *results, struct curfew_result *result);
