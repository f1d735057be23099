// SPDX-License-Identifier: MIT
#pragma once

/* Who lets this process go on when somebody has stopped it, and there is something to do. */

#include <stdbool.h>
#include <stdint.h>

struct waker {
        int timer;
        bool exists;
};

/* From that time on. SIGCONT must be among the received signals. */
void waker_set(struct waker *waker, int64_t time);
