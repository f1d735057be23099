// SPDX-License-Identifier: MIT
#include "output.h"
#include "curfew.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A pipe that nobody reads and a terminal that was stopped with Ctrl-S hold up whoever writes to
 * them, and a curfew that waits there misses its deadline. To make the descriptor non-blocking is
 * no way out: the flag belongs to the open file, which is shared with everybody who has inherited
 * it, and they would see writes fail that never did.
 *
 * But what it leads to can be opened once more, for ourselves, through /proc. Where that can't be
 * done (no /proc, a terminal of another user) it is polled before each write, and no more is
 * written than there is room for then: PIPE_BUF bytes in a pipe, and a little in a terminal. Only
 * somebody else who writes there at the same moment could take that room away.
 *
 * A socket takes the flag call by call. The rest is files, which don't make anybody wait.
 */

#define TERMINAL_PIECE 64

static int reopen(int fd) {
        char path[32];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void output_open(int fd, struct output *ret) {
        struct stat st;
        int own;

        *ret = (struct output){ .fd = fd };
        if (fstat(fd, &st) < 0)
                return;
        ret->is_socket = S_ISSOCK(st.st_mode);
        if (!S_ISFIFO(st.st_mode) && !(S_ISCHR(st.st_mode) && isatty(fd)))
                return;

        own = reopen(fd);
        if (own >= 0)
                *ret = (struct output){ .fd = own, .is_own = true };
        else
                ret->piece = S_ISFIFO(st.st_mode) ? PIPE_BUF : TERMINAL_PIECE;
}

void output_close(struct output *output) {
        if (output->is_own)
                close(output->fd);
        *output = (struct output)OUTPUT_NULL;
}

static bool is_writable(int fd, int timeout) {
        struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

        return poll(&pollfd, 1, timeout) > 0;
}

ssize_t output_write(const struct output *output, const void *data, size_t size) {
        ssize_t n;

        if (output->piece > 0 && !is_writable(output->fd, 0))
                return -EAGAIN;
        if (output->piece > 0 && size > output->piece)
                size = output->piece;
        do {
                n = output->is_socket ? send(output->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                                      : write(output->fd, data, size);
        } while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

int output_write_all(const struct output *output, const void *data, size_t size, int64_t until) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = output_write(output, p, size);
                int64_t left = until - curfew_now();

                if (n == -EAGAIN && left > 0)
                        is_writable(output->fd, (int)(left / CURFEW_MSEC) + 1);
                else if (n < 0)
                        return (int)n;
                p += n > 0 ? n : 0;
                size -= n > 0 ? (size_t)n : 0;
        }
        return 0;
}
