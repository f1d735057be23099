// SPDX-License-Identifier: MIT
#pragma once

/* What has to see the output passes it on. */

#include "curfew.h"
#include "files.h"

#include <poll.h>

struct relay;

#define RELAY_FDS 4

/* To where `files` lead, which must stay open. Then from the pipes of a run: two, or one for both.
 */
int relay_new(const struct files *files, struct relay **ret);
struct relay *relay_free(struct relay *relay);
void relay_begin(struct relay *relay, struct curfew_run *run);

/* What to poll, and what to do then, which never blocks. Without a relay (NULL) nothing. */
void relay_poll(const struct relay *relay, struct pollfd ret[RELAY_FDS]);
void relay_move(struct relay *relay, const struct pollfd fds[RELAY_FDS]);

/* Whether there has been any output at all. */
bool relay_has_read(const struct relay *relay);

/* When something was last passed on. Something else can be a sign of life, too. */
int64_t relay_last(const struct relay *relay);
void relay_touch(struct relay *relay);

/* Whether there is output that can't be passed on, since nobody reads it. */
bool relay_is_held_up(const struct relay *relay);

/* The run has ended: from now on only what is in the pipes now counts, whoever holds them. */
void relay_end(struct relay *relay);

/* 1: there is more to pass on. 0: all of it has been. Negative errno: something could not be. */
int relay_state(const struct relay *relay);
