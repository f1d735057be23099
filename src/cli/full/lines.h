// SPDX-License-Identifier: MIT
#pragma once

/* JSON, one object a line, written as it comes. */

#include "cli/full/target.h"

#include <jansson.h>
#include <stdint.h>

struct lines {
        struct target target;
        char *waiting; /* what the reader hasn't made room for */
        size_t size, capacity;
        unsigned omitted; /* lines for which there was no room here, either */
        int error;        /* that has ended it */
};

#define LINES_NULL                                                                                 \
        { .target = TARGET_NULL }

/* Whether anybody wants them. */
static inline bool lines_wanted(const struct lines *lines) {
        return lines->target.option != NULL && lines->error == 0;
}

/* Add a line, which is consumed; NULL: there was no memory for it. `now`: since the start. */
void lines_add(struct lines *lines, json_t *line, int64_t now);

/* Write what waits, as far as that goes. */
void lines_flush(struct lines *lines);

/* Add the last one, likewise, for which there is room, and write all of it. A line has been said
 * about a failure, now or before. */
int lines_finish(struct lines *lines, json_t *last, int64_t now);

void lines_deinit(struct lines *lines);
