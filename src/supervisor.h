// SPDX-License-Identifier: MIT
#pragma once

/* What the runs of one supervisor share: a loop, a way into it from other threads, and what a start
 * can use again. */

#include "base/base.h"
#include "base/list.h"
#include "core/after.h"
#include "curfew.h"
#include "results.h"
#include "sys/forest.h"
#include "sys/loop.h"
#include "sys/wake.h"

#include <stdatomic.h>

/* Something that is to be done on the supervisor's thread; embedded in whom it concerns. */
struct notice {
        struct notice *next; /* while it is on the stack that any thread may push to */
        struct list link;    /* while it is in the queue */
        void (*fn)(struct notice *notice);
};

/* Functions of the host's that follow the end of a context; embedded in who has found that. */
struct calls {
        struct list link;
        struct after_queue queue;
};

struct curfew {
        struct loop loop;
        struct forest forest;
        struct results results;
        int null;          /* /dev/null, once a stream has needed it */
        struct list live;  /* the runs that have not ended */
        struct list ended; /* … that have, and are the caller's to look at */
        struct list lost;  /* … that have, and are gone but for a leader that nothing could end */
        struct list eventful; /* the ones with events that nobody has fetched */

        struct wake wake;
        _Atomic(struct notice *) posted;
        struct list notices;
        struct list calls; /* what follows the end of contexts */
        bool dispatching;  /* callbacks may be executing, and events be queued that nobody waits for
                            */
};

/* `asked` is called when the guard of the forest was asked to stop what it keeps. */
int supervisor_init(struct curfew *sup, void (*asked)(struct forest *forest));
void supervisor_deinit(struct curfew *sup); /* no run is left */

/* Make supervisor_post() possible. */
int supervisor_listen(struct curfew *sup);

/* From any thread: have the supervisor handle the notice, which is not on its way already. */
void supervisor_post(struct curfew *sup, struct notice *notice);

/* On the supervisor's thread: the same, and take back, wherever it is on its way. */
void supervisor_queue(struct curfew *sup, struct notice *notice);
void supervisor_unqueue(struct curfew *sup, struct notice *notice);

/* The same: call them when everything else has been done, since they may take their time. */
void supervisor_call_last(struct curfew *sup, struct calls *calls);

/* As loop_dispatch(), with the notices after it, and the calls after these. */
int supervisor_dispatch(struct curfew *sup, int64_t deadline);
