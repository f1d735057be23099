// SPDX-License-Identifier: MIT
#pragma once

/* What is kept of an output: a head that stays, then a tail that goes round. */

#include "base/base.h"
#include "curfew.h"

#include <sys/uio.h>

struct capture {
        char *data;
        size_t size;   /* bytes in it */
        size_t room;   /* bytes for which there is memory, and for a NUL behind them */
        size_t limit;  /* bytes that it may keep */
        size_t head;   /* so many of them are the head; the rest is a ring once it is full */
        size_t oldest; /* where the ring's oldest byte is */
        uint64_t cut;
        int error;
};

#define CAPTURE_NULL                                                                               \
        { .data = NULL }

void capture_init(struct capture *capture, size_t limit, enum curfew_keep keep);
void capture_deinit(struct capture *capture);

/* Get memory to begin with: from here on capture_finish() has something to give. */
int capture_open(struct capture *capture);

void capture_add(struct capture *capture, const void *data, size_t size);

/* Room for *ret_size bytes, maybe 0, that may be written without capture_add(); capture_fill() then
 * says how many have been. */
char *capture_room(struct capture *capture, size_t *ret_size);
void capture_fill(struct capture *capture, size_t size);

/* Once it is full: the pieces of it that are the next to be written over, in order. That may be
 * done from outside; then capture_replaced() says with how many bytes. */
bool capture_ring(const struct capture *capture, struct iovec ret[2]);
void capture_replaced(struct capture *capture, size_t size);

/* Put it into one piece with a NUL behind it, for the caller to free; the capture is empty then. */
void capture_finish(struct capture *capture, struct curfew_output *ret);
void capture_free(char *data, size_t size);
