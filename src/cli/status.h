// SPDX-License-Identifier: MIT
#pragma once

/* Exit statuses, as GNU timeout has them. */
enum {
        STATUS_TIMED_OUT = 124,
        STATUS_FAILED = 125,  /* curfew itself */
        STATUS_NOT_RUN = 126, /* found, but it can't be executed */
        STATUS_NOT_FOUND = 127,
        STATUS_SIGNAL = 128, /* and the signal */
};
