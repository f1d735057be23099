// SPDX-License-Identifier: MIT
#include "sys/spares.h"
#include "sys/call.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/resource.h>

#define HIGH 64 /* a table of fewer is copied as fast as one of none */

void spares_init(struct spares *spares, int filler) {
        *spares = (struct spares){ .filler = filler };
        for (size_t i = 0; i < SPARES; ++i)
                spares->fds[i] = -1;
        spares_fill(spares);
}

void spares_fill(struct spares *spares) {
        for (size_t i = 0; i < SPARES; ++i)
                if (spares->fds[i] < 0)
                        spares->fds[i] = (int)sys_call(
                                SYS_fcntl, spares->filler, F_DUPFD_CLOEXEC, 3);
}

static void drop(struct spares *spares) {
        for (size_t i = 0; i < SPARES; ++i)
                spares->fds[i] = close_fd(spares->fds[i]);
}

/* Numbers are given out from the lowest on, so the last ones that the limit allows are free in
 * every host but one that is at its limit, or has put something just there. */
static bool is_crowded(void) {
        struct pollfd last[SPARES];
        struct rlimit limit;
        rlim_t end;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < SPARES)
                return true;
        end = limit.rlim_cur < INT_MAX ? limit.rlim_cur : INT_MAX;
        for (size_t i = 0; i < SPARES; ++i)
                last[i] = (struct pollfd){ .fd = (int)(end - SPARES + i) };
        if (poll(last, SPARES, 0) != SPARES)
                return true;
        for (size_t i = 0; i < SPARES; ++i)
                if (!(last[i].revents & POLLNVAL))
                        return true;
        return false;
}

void spares_make_room(struct spares *spares) {
        if (is_crowded())
                drop(spares);
}

void spares_deinit(struct spares *spares) {
        drop(spares);
}

int spares_lend(struct spares *spares, int fd) {
        for (size_t i = 0; i < SPARES && fd >= HIGH; ++i) {
                int spare = spares->fds[i];

                if (spare < 0 || spare >= fd || spares->lent[i])
                        continue;
                if (dup3(fd, spare, O_CLOEXEC) < 0)
                        break;
                spares->lent[i] = true;
                return spare;
        }
        return fd;
}

/* What was lent must not be held open by it. */
void spares_take_back(struct spares *spares) {
        for (size_t i = 0; i < SPARES; ++i) {
                if (!spares->lent[i])
                        continue;
                spares->lent[i] = false;
                if (dup3(spares->filler, spares->fds[i], O_CLOEXEC) < 0)
                        spares->fds[i] = close_fd(spares->fds[i]);
        }
}
