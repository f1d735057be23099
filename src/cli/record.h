// SPDX-License-Identifier: MIT
#pragma once

/*
 * The record of a run: what --report, --events and --timeline ask for.
 *
 * Only the full program keeps one (full/record.c). In the small one the full program takes over
 * when one is asked for (elsewhere.c); for all the other calls the record is NULL there, and so it
 * is in the full program if nothing is asked for.
 */

#include "opts.h"

struct record;

/* See to it that what is asked for can be written, before anything is started. What can't has a
 * line said about it, and is a negative errno. */
int record_open(const struct opts *opts, struct record **ret);

/* It polls readable when record_dispatch() has something to do; or -1. */
int record_fd(const struct record *record);
void record_dispatch(struct record *record);

/* The command runs. */
void record_start(struct record *record, struct curfew_run *run, const struct curfew_ctx *ctx);

/* It could not be started: how far that got, what error it was (a negative errno, or 0) in what
 * words; by when it would have had to end. */
void record_failure(struct record *record, enum curfew_stage stage, int error, const char *text,
        int64_t deadline);

/* Something may be done to its processes now. */
void record_look(struct record *record);

/* The warning was sent. */
void record_warning(struct record *record, const struct curfew_step_taken *sent);

void record_event(struct record *record, const struct curfew_event *event);

/* The output went through this program: all of it is where it should be, or this negative errno has
 * kept it from there; -ETIMEDOUT: nobody has read it. */
void record_output(struct record *record, int error);

/*
 * Write it. `result` is NULL if there was no run; `status` is what the program is about to exit
 * with, or the negative number of the signal that it is to die of. Returns that, or what it is
 * because something could not be written, after a line has been said. Frees the record.
 */
int record_close(struct record *record, const struct curfew_result *result, int status);
