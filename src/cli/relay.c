// SPDX-License-Identifier: MIT
#include "relay.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * The command writes to pipes, and what comes out is written to where it would have gone. To the
 * command this is the same, as far as it can be: who doesn't read makes it wait, since what is in
 * the buffer has to go before more is read; and when the reader is gone the pipe is closed, so that
 * the command's next write fails as it would have.
 *
 * That is so of a pipe's reader, and raises SIGPIPE. What else can't be written, to a full disk or
 * a terminal that has hung up, would have been an error that ends nobody, and least of all a
 * clean-up that tells what it does. It can't be told through a pipe, so it is lost, and told at the
 * end.
 *
 * A silence counts only where somebody listens: as long as the output is held up, nobody can know
 * whether the command has something to say.
 */

#define SIZE  ((size_t)64 << 10)
#define TURNS 4

struct channel {
        int in;
        struct output out;
        bool is_terminal;
        bool has_hung_up; /* the terminal: to poll it would tell nothing else */
        size_t begin, end;
        size_t left; /* so much may still be read */
        char buffer[SIZE];
};

struct relay {
        struct channel channels[2];
        int64_t last; /* when something was read or written */
        bool has_read;
        int error;
};

#define N_CHANNELS 2

int relay_new(const struct files *files, struct relay **ret) {
        struct relay *relay = malloc(sizeof(*relay));
        const int targets[] = { files->out, files->err };

        if (!relay)
                return -ENOMEM;
        relay->error = 0;
        relay->has_read = false;
        for (int i = 0; i < N_CHANNELS; ++i) {
                struct channel *channel = &relay->channels[i];

                channel->in = -1;
                channel->out = (struct output)OUTPUT_NULL;
                channel->is_terminal = isatty(targets[i]);
                channel->has_hung_up = false;
                channel->begin = channel->end = 0;
                channel->left = SIZE_MAX;
                if (i == 0 || !files->are_one)
                        output_open(targets[i], &channel->out);
        }
        relay_touch(relay);
        *ret = relay;
        return 0;
}

static void shut(struct channel *channel) {
        if (channel->in >= 0)
                close(channel->in);
        channel->in = -1;
        channel->begin = channel->end = 0;
}

struct relay *relay_free(struct relay *relay) {
        for (int i = 0; relay && i < N_CHANNELS; ++i) {
                shut(&relay->channels[i]);
                output_close(&relay->channels[i].out);
        }
        free(relay);
        return NULL;
}

/* The end that is ours is an open file of its own, whose flags are nobody else's. */
void relay_begin(struct relay *relay, struct curfew_run *run) {
        for (int i = 0; relay && i < N_CHANNELS; ++i) {
                int fd = curfew_run_take_fd(run, i + 1);

                if (fd < 0)
                        continue;
                fcntl(fd, F_SETFL, O_NONBLOCK);
                relay->channels[i].in = fd;
        }
        relay_touch(relay);
}

static bool is_empty(const struct channel *channel) {
        return channel->begin == channel->end;
}

/* An output is watched all the time, for its reader to go away. */
void relay_poll(const struct relay *relay, struct pollfd ret[RELAY_FDS]) {
        for (size_t i = 0; i < RELAY_FDS; ++i)
                ret[i] = (struct pollfd){ .fd = -1 };
        for (size_t i = 0; relay && i < N_CHANNELS; ++i) {
                const struct channel *channel = &relay->channels[i];

                if (is_empty(channel)) {
                        ret[2 * i].fd = channel->in;
                        ret[2 * i].events = POLLIN;
                } else {
                        ret[2 * i + 1].events = POLLOUT;
                }
                if (!channel->has_hung_up && (channel->in >= 0 || !is_empty(channel)))
                        ret[2 * i + 1].fd = channel->out.fd;
        }
}

/* Returns whether there is something to write. */
static bool fill(struct relay *relay, struct channel *channel) {
        size_t size = channel->left < SIZE ? channel->left : SIZE;
        ssize_t n;

        if (!is_empty(channel))
                return true;
        if (channel->in < 0)
                return false;

        n = read(channel->in, channel->buffer, size);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        if (n <= 0) {
                shut(channel);
                return false;
        }
        channel->begin = 0;
        channel->end = (size_t)n;
        if (channel->left != SIZE_MAX)
                channel->left -= (size_t)n;
        relay->has_read = true;
        relay_touch(relay);
        return true;
}

/* What is in the buffer. */
static void lose(struct relay *relay, struct channel *channel, int error) {
        channel->begin = channel->end = 0;
        channel->has_hung_up = channel->is_terminal && error == -EIO;
        if (!channel->has_hung_up && relay->error == 0)
                relay->error = error;
}

/* Returns whether all of it has gone. That its reader has is no failure of ours. */
static bool empty(struct relay *relay, struct channel *channel) {
        ssize_t n = output_write(
                &channel->out, channel->buffer + channel->begin, channel->end - channel->begin);

        if (n == -EAGAIN)
                return false;
        if (n == -EPIPE)
                shut(channel);
        else if (n < 0)
                lose(relay, channel, (int)n);
        if (n < 0)
                return true;
        channel->begin += (size_t)n;
        relay_touch(relay);
        return is_empty(channel);
}

/* A reader, or the terminal. */
static void look_for_reader(struct channel *channel, const struct pollfd *out) {
        if (out->fd < 0 || !(out->revents & (POLLERR | POLLHUP | POLLNVAL)))
                return;
        if (channel->is_terminal)
                channel->has_hung_up = true;
        else if (is_empty(channel))
                shut(channel);
}

void relay_move(struct relay *relay, const struct pollfd fds[RELAY_FDS]) {
        for (int i = 0; relay && i < N_CHANNELS; ++i) {
                struct channel *channel = &relay->channels[i];
                int turns = TURNS;

                look_for_reader(channel, &fds[2 * i + 1]);
                while (turns-- > 0 && fill(relay, channel))
                        if (!empty(relay, channel))
                                break;
        }
}

bool relay_is_held_up(const struct relay *relay) {
        for (int i = 0; i < N_CHANNELS; ++i)
                if (!is_empty(&relay->channels[i]))
                        return true;
        return false;
}

bool relay_has_read(const struct relay *relay) {
        return relay->has_read;
}

int64_t relay_last(const struct relay *relay) {
        return relay->last;
}

void relay_touch(struct relay *relay) {
        if (relay)
                relay->last = curfew_now();
}

void relay_end(struct relay *relay) {
        for (int i = 0; relay && i < N_CHANNELS; ++i) {
                struct channel *channel = &relay->channels[i];
                int n = 0;

                if (channel->in < 0)
                        continue;
                ioctl(channel->in, FIONREAD, &n);
                channel->left = n > 0 ? (size_t)n : 0;
        }
        relay_touch(relay);
}

int relay_state(const struct relay *relay) {
        for (int i = 0; relay && i < N_CHANNELS; ++i)
                if (!is_empty(&relay->channels[i]) ||
                        (relay->channels[i].in >= 0 && relay->channels[i].left > 0))
                        return 1;
        return relay ? relay->error : 0;
}
