// SPDX-License-Identifier: MIT
#pragma once

/* Descriptors that mean nothing, kept for their numbers: a host that has used up its own can go on
 * looking after its trees, and what a child is to get from a crowded table has a low number. */

#include "base/base.h"

#define SPARES 8

struct spares {
        int filler; /* what they are duplicates of; borrowed */
        int fds[SPARES];
        bool lent[SPARES];
};

void spares_init(struct spares *spares, int filler);
void spares_deinit(struct spares *spares);

/* Have as many as are to be had. */
void spares_fill(struct spares *spares);

/* See to it that as many can be opened, if need be by leaving their own numbers to others for a
 * while, until spares_fill(). None is lent. */
void spares_make_room(struct spares *spares);

/* A descriptor of the same file with a low number, until spares_take_back(); or the one that was
 * given, if that isn't high or no spare is lower. */
int spares_lend(struct spares *spares, int fd);
void spares_take_back(struct spares *spares);
