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
 * A silence counts only where somebody listens: as long as the output is held up, nobody can know
 * whether the command has something to say.
 */

#define SIZE  ((size_t)64 << 10)
#define TURNS 4

struct channel {
        int in;
        struct output out;
        size_t begin, end;
        size_t left; /* so much may still be read */
        char buffer[SIZE];
};

struct relay {
        struct channel channels[2];
        int64_t last; /* when something was read or written */
        int error;
};

#define N_CHANNELS 2

int relay_new(const struct files *files, struct relay **ret) {
        struct relay *relay = malloc(sizeof(*relay));
        const int targets[] = { files->out, files->err };

        if (!relay)
                return -ENOMEM;
        relay->error = 0;
        for (int i = 0; i < N_CHANNELS; ++i) {
                struct channel *channel = &relay->channels[i];

                channel->in = -1;
                channel->out = (struct output)OUTPUT_NULL;
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
                if (channel->in >= 0 || !is_empty(channel))
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
        relay_touch(relay);
        return true;
}

/* Returns whether all of it has been written. That its reader has gone is no failure of ours. */
static bool empty(struct relay *relay, struct channel *channel) {
        ssize_t n = output_write(
                &channel->out, channel->buffer + channel->begin, channel->end - channel->begin);

        if (n == -EAGAIN)
                return false;
        if (n < 0) {
                if (n != -EPIPE && relay->error == 0)
                        relay->error = (int)n;
                shut(channel);
                return true;
        }
        channel->begin += (size_t)n;
        relay_touch(relay);
        return is_empty(channel);
}

static bool is_gone(const struct pollfd *out) {
        return out->fd >= 0 && out->revents & (POLLERR | POLLHUP | POLLNVAL);
}

void relay_move(struct relay *relay, const struct pollfd fds[RELAY_FDS]) {
        for (int i = 0; relay && i < N_CHANNELS; ++i) {
                struct channel *channel = &relay->channels[i];
                int turns = TURNS;

                if (is_gone(&fds[2 * i + 1]) && is_empty(channel))
                        shut(channel);
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
