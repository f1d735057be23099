// SPDX-License-Identifier: MIT
#include "sys/feeder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/*
 * A child needn't read what it is fed. Writing to a pipe that nobody reads raises SIGPIPE, which
 * belongs to the host: it may be at its default, which would end the host, or have a handler, or be
 * blocked and already pending for reasons of the host's own. None of that may be touched or even
 * noticed.
 *
 * Linux 6.18 can write without the signal (RWF_NOSIGNAL). Before, the signal is kept from being
 * delivered: it goes to the thread that writes, so that blocking it there for the time of the write
 * leaves it pending, where it is taken back. If one was pending before, the two may have become
 * one, so that what was taken back was the host's, who then gets another.
 *
 * What fits into the pipe is written at once when the feeder is attached, before there is a child:
 * a small input never comes to the loop.
 */

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100
#endif

static bool sigpipe_is_pending(void) {
        sigset_t pending;

        sigpending(&pending);
        return sigismember(&pending, SIGPIPE) == 1;
}

/* A signal of the thread is taken before one of the process. */
static void take_back_sigpipe(const sigset_t *sigpipe, bool was_pending) {
        while (sigtimedwait(sigpipe, NULL, &(struct timespec){ 0 }) < 0 && errno == EINTR)
                ;
        if (was_pending && !sigpipe_is_pending())
                raise(SIGPIPE);
}

static ssize_t write_with_sigpipe_blocked(int fd, const void *data, size_t size) {
        sigset_t sigpipe, old;
        bool was_pending;
        ssize_t n;

        sigemptyset(&sigpipe);
        sigaddset(&sigpipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &sigpipe, &old);
        was_pending = sigpipe_is_pending();

        n = write(fd, data, size);
        if (n < 0)
                n = -errno;
        if (n == -EPIPE)
                take_back_sigpipe(&sigpipe, was_pending);

        pthread_sigmask(SIG_SETMASK, &old, NULL);
        return n;
}

/* An error that writing to a pipe doesn't have says that the kernel, or a filter before it, knows
 * no such call or flag. The C libraries' own pwritev2() is newer than musl 1.2.3, or emulates. */
static ssize_t write_without_signal(int fd, const void *data, size_t size) {
        struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
        ssize_t n = syscall(SYS_pwritev2, fd, &iov, 1L, -1L, -1L, RWF_NOSIGNAL);

        if (n >= 0)
                return n;
        switch (errno) {
        case EAGAIN:
        case EINTR:
        case ENOMEM:
        case EPIPE: return -errno;
        default: return write_with_sigpipe_blocked(fd, data, size);
        }
}

static void shut(struct feeder *feeder) {
        if (feeder->fd < 0)
                return;
        loop_remove(feeder->loop, &feeder->io);
        feeder->fd = close_fd(feeder->fd);
}

/* Write what fits. Whether there is more to do: not if all is written, or nobody wants it. */
static bool feed(struct feeder *feeder, int fd) {
        ssize_t n;

        if (feeder->size == 0)
                return false;

        n = write_without_signal(fd, feeder->data, feeder->size);
        if (n == -EAGAIN || n == -EINTR || n == -ENOMEM)
                return true;
        if (n < 0)
                return false;

        feeder->data += n;
        feeder->size -= (size_t)n;
        return feeder->size > 0;
}

static void on_io(struct loop_io *io, uint32_t events _unused_) {
        struct feeder *feeder = container_of(io, struct feeder, io);

        if (!feed(feeder, feeder->fd))
                shut(feeder);
}

int feeder_attach(struct feeder *feeder, struct loop *loop, int fd, const void *data, size_t size) {
        int r;

        *feeder = (struct feeder){
                .loop = loop,
                .io = { .fn = on_io, .fd = -1 },
                .fd = -1,
                .data = data,
                .size = size,
        };

        /* The open file description of a pipe's end is nobody else's, and has no other flag. */
        if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        if (!feed(feeder, fd)) {
                close_fd(fd);
                return 0;
        }

        r = loop_add(loop, &feeder->io, fd, EPOLLOUT);
        if (r < 0)
                return r;
        feeder->fd = fd;
        return 0;
}

void feeder_deinit(struct feeder *feeder) {
        shut(feeder);
}
