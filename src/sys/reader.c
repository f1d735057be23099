// SPDX-License-Identifier: MIT
#include "sys/reader.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/uio.h>

/*
 * Output is read when there is some, never more than a few pieces at a time: the pipe of a child
 * that writes without end is readable again in the next batch, after everybody else has had a turn.
 *
 * What is captured is read to where it stays. A piece is read into the room that the capture has
 * left, or over what it is going to lose, and where that is not enough, on into a buffer on the
 * stack, by one readv(2). So the capture need not guess how much will come: a child that says
 * little costs it a page, and of one that says much nearly everything is read once, since room
 * grows by doubling.
 *
 * A pipe holds 64 KiB, which makes a child that has more to say wait for the supervisor. Once it
 * was full, it is widened to 1 MiB, and a callback gets pieces as large as a turn. An unprivileged
 * user may only have so much memory in pipes (pipe(7)), so that isn't done for everybody, and may
 * fail, which only makes it slower.
 *
 * At the end of a run whoever is left may hold the other end and go on writing for ever. What was
 * written before is in the pipe, and a pipe never holds more than its capacity: reading that much
 * reads all of it, and what has been read then is the output. One more read is what finds the end
 * of file behind a pipe that was full.
 */

#define PIECE ((size_t)32 << 10) /* the host may dispatch on a thread with a small stack */
#define TURN  ((size_t)256 << 10)
#define WIDTH (1 << 20)

static void shut(struct reader *reader) {
        if (reader->fd < 0)
                return;
        loop_remove(reader->loop, &reader->io);
        reader->fd = close_fd(reader->fd);
}

static ssize_t read_pieces(int fd, const struct iovec *iov, int n_iov) {
        ssize_t n;

        do {
                n = readv(fd, iov, n_iov);
        } while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

static size_t size_of(const struct iovec iov[2]) {
        return iov[0].iov_len + iov[1].iov_len;
}

static void shorten(struct iovec iov[2], size_t max) {
        if (iov[0].iov_len > max)
                iov[0].iov_len = max;
        if (iov[1].iov_len > max - iov[0].iov_len)
                iov[1].iov_len = max - iov[0].iov_len;
}

/* Into the room that is left, and if that is little, on into the buffer. */
static ssize_t read_to_room(struct reader *reader, size_t *left) {
        char buffer[PIECE];
        size_t size, direct;
        char *room = capture_room(&reader->capture, &size);
        struct iovec iov[] = {
                { .iov_base = room, .iov_len = size },
                { .iov_base = buffer, .iov_len = size < PIECE ? PIECE - size : 0 },
        };
        ssize_t n;

        shorten(iov, *left);
        *left = size_of(iov);
        n = read_pieces(reader->fd, iov, ARRAY_SIZE(iov));
        if (n <= 0)
                return n;

        direct = (size_t)n < iov[0].iov_len ? (size_t)n : iov[0].iov_len;
        capture_fill(&reader->capture, direct);
        capture_add(&reader->capture, buffer, (size_t)n - direct);
        return n;
}

/* All of it is full: over what is the oldest, unless that is little. */
static ssize_t read_to_capture(struct reader *reader, size_t *left) {
        struct iovec ring[2];
        ssize_t n;

        if (!capture_ring(&reader->capture, ring) || size_of(ring) < PIECE)
                return read_to_room(reader, left);

        shorten(ring, *left);
        *left = size_of(ring);
        n = read_pieces(reader->fd, ring, ARRAY_SIZE(ring));
        if (n > 0)
                capture_replaced(&reader->capture, (size_t)n);
        return n;
}

static ssize_t read_to_callback(struct reader *reader, size_t *left) {
        char buffer[PIECE];
        struct iovec iov[] = {
                { .iov_base = reader->piece ?: buffer },
                { .iov_base = NULL },
        };
        ssize_t n;

        iov[0].iov_len = reader->piece ? TURN : PIECE;
        shorten(iov, *left);
        *left = size_of(iov);
        n = read_pieces(reader->fd, iov, 1);
        if (n > 0)
                reader->error = reader->fn(reader->arg, iov[0].iov_base, (size_t)n);
        return n;
}

/* Take one piece of `*size` at the most and return its size; 0: there is none now. `*size` becomes
 * what there was room for. What ends the reader shuts it. */
static size_t take(struct reader *reader, size_t *size) {
        ssize_t n = reader->fn ? read_to_callback(reader, size) : read_to_capture(reader, size);

        if (n == -EAGAIN)
                return 0;
        if (n < 0)
                reader->error = (int)n;
        reader->complete = n == 0;

        if (n <= 0 || reader->error != 0)
                shut(reader);
        return n > 0 ? (size_t)n : 0;
}

static void widen(struct reader *reader) {
        if (reader->fd < 0 || reader->widened)
                return;
        fcntl(reader->fd, F_SETPIPE_SZ, WIDTH);
        if (reader->fn)
                reader->piece = malloc(TURN);
        reader->widened = true;
}

/* A piece that isn't full has emptied the pipe: look again only if nobody can write any more, to
 * meet the end of file at once. */
static void on_io(struct loop_io *io, uint32_t events) {
        struct reader *reader = container_of(io, struct reader, io);
        bool last = events & EPOLLHUP;
        size_t taken = 0;

        while (taken < TURN && reader->fd >= 0) {
                size_t size = TURN - taken;
                size_t n = take(reader, &size);

                if (n == 0 || (n < size && !last))
                        break;
                taken += n;
                if (taken >= 2 * PIECE)
                        widen(reader);
        }

        if (reader->fd < 0 && reader->closed)
                reader->closed(reader);
}

void reader_init(struct reader *reader, const struct curfew_stream *stream,
        void (*closed)(struct reader *reader)) {
        *reader = (struct reader){
                .io = { .fn = on_io, .fd = -1 },
                .fd = -1,
                .fn = stream->kind == CURFEW_CALLBACK ? stream->fn : NULL,
                .arg = stream->arg,
                .closed = closed,
        };
        capture_init(&reader->capture, stream->limit, stream->keep);
}

int reader_attach(struct reader *reader, struct loop *loop, int fd) {
        int r = 0;

        if (!reader->fn)
                r = capture_open(&reader->capture);
        if (r < 0)
                return r;

        /* The open file description of a pipe's end is nobody else's, and has no other flag. */
        if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        r = loop_add(loop, &reader->io, fd, EPOLLIN);
        if (r < 0)
                return r;

        reader->loop = loop;
        reader->fd = fd;
        return 0;
}

static int drop(void *arg _unused_, const void *data _unused_, size_t size _unused_) {
        return 0;
}

void reader_discard(struct reader *reader) {
        reader->fn = drop;
        capture_deinit(&reader->capture);
}

void reader_drain(struct reader *reader) {
        ssize_t left;
        size_t n;

        if (reader->fd < 0)
                return;

        left = fcntl(reader->fd, F_GETPIPE_SZ);
        do {
                size_t size = TURN;

                n = take(reader, &size);
                left -= (ssize_t)n;
        } while (n > 0 && left >= 0 && reader->fd >= 0);
        shut(reader);
}

void reader_finish(struct reader *reader, struct curfew_output *ret) {
        capture_finish(&reader->capture, ret);
        ret->complete = reader->complete;
        if (reader->error != 0)
                ret->error = reader->error;
}

void reader_deinit(struct reader *reader) {
        shut(reader);
        free(reader->piece);
        reader->piece = NULL;
        capture_deinit(&reader->capture);
}
