// SPDX-License-Identifier: MIT
#include "sys/wake.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

int wake_open(
        struct wake *wake, struct loop *loop, void (*fn)(struct loop_io *io, uint32_t events)) {
        _cleanup_(close_fdp) int fd = -1;
        int r;

        if (wake->fd >= 0)
                return 0;

        fd = raise_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (fd < 0)
                return -errno;

        wake->io.fn = fn;
        r = loop_add(loop, &wake->io, fd, EPOLLIN | EPOLLET);
        if (r < 0)
                return r;

        wake->loop = loop;
        wake->fd = steal_fd(&fd);
        return 0;
}

void wake_deinit(struct wake *wake) {
        if (wake->fd < 0)
                return;
        loop_remove(wake->loop, &wake->io);
        wake->fd = close_fd(wake->fd);
}

/* Each write is an edge, also where the ones before have not been read, so that nobody needs to:
 * the counter has room for 2^64 of them. errno is the caller's: a ring comes from whoever cancels a
 * context. */
void wake_ring(const struct wake *wake) {
        int saved = errno;

        (void)!write(wake->fd, &(uint64_t){ 1 }, sizeof(uint64_t));
        errno = saved;
}
