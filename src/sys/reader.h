// SPDX-License-Identifier: MIT
#pragma once

/* The supervisor's end of a child's output. */

#include "base/base.h"
#include "curfew.h"
#include "sys/capture.h"
#include "sys/loop.h"

/* Reads a pipe whose end it owns, in bounded steps. */
struct reader {
        struct loop *loop;
        struct loop_io io;
        int fd; /* -1 once at the end of file, or failed, or stopped by the callback */
        struct capture capture;
        curfew_output_fn fn; /* NULL: capture */
        void *arg;
        char *piece;  /* for the callback, once it is wide; or NULL */
        bool widened; /* the pipe has been made larger, as far as that is allowed */
        bool complete;
        int error;
        void (*closed)(struct reader *reader); /* fd has become -1; the last thing that is done with
                                                  the reader, which may be gone afterwards; not
                                                  called by reader_drain() and reader_deinit() */
        void *owner;                           /* for `closed` */
};

/* For a stream of any kind; only a CURFEW_CAPTURE or a CURFEW_CALLBACK is ever attached. */
void reader_init(struct reader *reader, const struct curfew_stream *stream,
        void (*closed)(struct reader *reader));

/* Take over the pipe's end, which becomes non-blocking; on failure it stays the caller's. */
int reader_attach(struct reader *reader, struct loop *loop, int fd);

/* From now on read and drop what comes. */
void reader_discard(struct reader *reader);

/* The run is over: read what is in the pipe now, about a pipeful at the most, and close. */
void reader_drain(struct reader *reader);

void reader_finish(struct reader *reader, struct curfew_output *ret);
void reader_deinit(struct reader *reader);
