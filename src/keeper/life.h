// SPDX-License-Identifier: MIT
#pragma once

/* A run whose host is dead: the rest of its stop plan. */

#include "base/base.h"
#include "core/stop.h"
#include "keeper/children.h"
#include "sys/ward.h"

struct life {
        struct ward ward; /* what was written there; checked */
        struct stop stop;
        struct children *children; /* what is kept; or NULL: it is in a control group */
        int events;                /* what tells that this is empty, or negative */
        bool over;
};

/* Go on where the host's left off. false: there is nothing to end. */
bool life_begin(struct life *life, const struct ward *ward, struct children *children);

/* The host is gone: what it has not asked to stop is asked. */
void life_ask(struct life *life);

/* Do what is due. */
void life_advance(struct life *life);

/* When something will be due. */
int64_t life_due(const struct life *life);
