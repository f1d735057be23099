// SPDX-License-Identifier: MIT
#include "streams.h"

static bool is_used(const struct curfew_stream *stream) {
        switch (stream->kind) {
        case CURFEW_PIPE:
        case CURFEW_FEED:
        case CURFEW_CAPTURE:
        case CURFEW_CALLBACK: return true;
        case CURFEW_NULL:
        case CURFEW_INHERIT:
        case CURFEW_FD:
        case CURFEW_READ:
        case CURFEW_TRUNCATE:
        case CURFEW_APPEND:
        case CURFEW_TO_STDOUT: break;
        }
        return false;
}

int streams_new(const struct curfew_cmd *cmd, void (*closed)(struct reader *reader), void *owner,
        struct streams **ret) {
        const struct curfew_stream *outputs[] = { &cmd->out, &cmd->err };
        struct streams *streams;

        *ret = NULL;
        if (!is_used(&cmd->in) && !is_used(&cmd->out) && !is_used(&cmd->err))
                return 0;

        streams = malloc(sizeof(*streams));
        if (!streams)
                return -ENOMEM;

        *streams = (struct streams){ .feeder = FEEDER_NULL, .pipes = { -1, -1, -1 } };
        for (size_t i = 0; i < ARRAY_SIZE(streams->readers); ++i) {
                reader_init(&streams->readers[i], outputs[i], closed);
                streams->readers[i].owner = owner;
        }
        *ret = streams;
        return 0;
}

struct streams *streams_free(struct streams *streams) {
        if (!streams)
                return NULL;

        feeder_deinit(&streams->feeder);
        for (size_t i = 0; i < ARRAY_SIZE(streams->readers); ++i)
                reader_deinit(&streams->readers[i]);
        for (size_t i = 0; i < ARRAY_SIZE(streams->pipes); ++i)
                close_fd(streams->pipes[i]);
        free(streams);
        return NULL;
}

static int attach(struct streams *streams, struct loop *loop, const struct curfew_stream *stream,
        int number, int end) {
        switch (stream->kind) {
        case CURFEW_CAPTURE:
        case CURFEW_CALLBACK: return reader_attach(&streams->readers[number - 1], loop, end);
        case CURFEW_FEED:
                return feeder_attach(&streams->feeder, loop, end, stream->data, stream->size);
        default: streams->pipes[number] = end; return 0;
        }
}

int streams_attach(
        struct streams *streams, struct loop *loop, const struct curfew_cmd *cmd, int ends[3]) {
        const struct curfew_stream *all[] = { &cmd->in, &cmd->out, &cmd->err };

        for (int i = 0; streams && i < 3; ++i) {
                int r = ends[i] < 0 ? 0 : attach(streams, loop, all[i], i, ends[i]);

                if (r < 0)
                        return r;
                ends[i] = -1;
        }
        return 0;
}

bool streams_are_closed(const struct streams *streams) {
        return !streams || (streams->readers[0].fd < 0 && streams->readers[1].fd < 0);
}

void streams_finish(struct streams *streams, struct curfew_result *result) {
        struct curfew_output *outputs[] = { &result->out, &result->err };

        if (!streams)
                return;
        feeder_deinit(&streams->feeder);
        for (size_t i = 0; i < ARRAY_SIZE(streams->readers); ++i) {
                reader_drain(&streams->readers[i]);
                reader_finish(&streams->readers[i], outputs[i]);
        }
}

void streams_stop_borrowing(struct streams *streams) {
        if (!streams)
                return;
        feeder_deinit(&streams->feeder);
        for (size_t i = 0; i < ARRAY_SIZE(streams->readers); ++i)
                reader_discard(&streams->readers[i]);
        for (size_t i = 0; i < ARRAY_SIZE(streams->pipes); ++i)
                streams->pipes[i] = close_fd(streams->pipes[i]);
}

int streams_take_pipe(struct streams *streams, int number) {
        if (!streams || number < 0 || number > 2 || streams->pipes[number] < 0)
                return -EBADF;
        return steal_fd(&streams->pipes[number]);
}
