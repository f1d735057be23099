// SPDX-License-Identifier: MIT
#include "sys/ward.h"
#include "base/clock.h"
#include "sys/call.h"

#include <poll.h>

#define LISTENER_TIME (CLOCK_SEC / 2) /* it has little to do, but the machine may be busy */

void ward_hear(struct ward *ward, int signal, int64_t now, const struct sweep_heard *who) {
        ward->who = *who;
        ward->heard_at = now;
        ward->heard = signal;
}

void ward_await_listener(const struct ward *ward) {
        const struct timespec timeout = clock_timespec(LISTENER_TIME);
        struct pollfd fd = { .fd = -1, .events = POLLIN };

        if (ward->listener > 0)
                fd.fd = (int)sys_call(SYS_pidfd_open, ward->listener, 0);
        if (fd.fd < 0)
                return;
        sys_call(SYS_ppoll, &fd, 1, &timeout, NULL, 0);
        sys_call(SYS_close, fd.fd);
}
