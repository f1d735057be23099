// SPDX-License-Identifier: MIT
#pragma once

/* What passes between a command and its supervisor. Most commands have nothing of it, and then
 * there is none: all calls but the first take NULL. */

#include "base/base.h"
#include "curfew.h"
#include "sys/feeder.h"
#include "sys/loop.h"
#include "sys/reader.h"

struct streams {
        struct reader readers[2]; /* of stdout and stderr */
        struct feeder feeder;     /* of stdin */
        int pipes[3];             /* the caller's ends, until they are taken */
};

/* `closed`, with `owner` in the reader: an output is at its end. *ret is NULL if there is nothing.
 */
int streams_new(const struct curfew_cmd *cmd, void (*closed)(struct reader *reader), void *owner,
        struct streams **ret);
struct streams *streams_free(struct streams *streams);

/* Take over the supervisor's ends of the pipes; those are -1 then. */
int streams_attach(
        struct streams *streams, struct loop *loop, const struct curfew_cmd *cmd, int ends[3]);

/* Every output that is read is at its end. */
bool streams_are_closed(const struct streams *streams);

/* The run is over: read what is there, and hand over what was captured. */
void streams_finish(struct streams *streams, struct curfew_result *result);

/* What the command has lent ends with it; who writes can go on writing. */
void streams_stop_borrowing(struct streams *streams);

/* The caller's end of this pipe, once. */
int streams_take_pipe(struct streams *streams, int number);
