// SPDX-License-Identifier: MIT
#include "sys/spares.h"
#include "sys/call.h"

#include <fcntl.h>

#define HIGH 64 /* a table of fewer is copied as fast as one of none */

void spares_init(struct spares *spares, int filler) {
        *spares = (struct spares){ .filler = filler };
        for (size_t i = 0; i < SPARES; ++i)
                spares->fds[i] = -1;
        spares_fill(spares);
}

void spares_deinit(struct spares *spares) {
        spares_drop(spares);
}

void spares_fill(struct spares *spares) {
        for (size_t i = 0; i < SPARES; ++i)
                if (spares->fds[i] < 0)
                        spares->fds[i] = (int)sys_call(
                                SYS_fcntl, spares->filler, F_DUPFD_CLOEXEC, 3);
}

void spares_drop(struct spares *spares) {
        for (size_t i = 0; i < SPARES; ++i)
                spares->fds[i] = close_fd(spares->fds[i]);
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
