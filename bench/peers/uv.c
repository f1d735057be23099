// SPDX-License-Identifier: MIT

/*
 * libuv's way of the benchmarks' work, as ../peer.h describes it: uv_spawn(), and the loop runs
 * until nothing is left. What a child writes comes through a socket, as libuv makes no pipes for
 * it.
 */

#include "bench.h"
#include "serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define PIECE (64 << 10)

/* Of a child that is read from. */
static struct {
        uv_process_t process;
        uv_pipe_t pipe;
        int64_t cancelled, ended;
        char *data;
        size_t size, capacity;
} reader;

static uv_process_t *many;
static size_t n_many;

static void check(int r) {
        if (r >= 0)
                return;
        fprintf(stderr, "libuv: %s\n", uv_strerror(r));
        exit(1);
}

static void at_exit(uv_process_t *process, int64_t status, int signal) {
        (void)status;
        (void)signal;
        reader.ended = bench_now();
        uv_close((uv_handle_t *)process, NULL);
}

static void spawn(uv_process_t *process, const char *program, const char *arg, uv_pipe_t *pipe) {
        char *args[] = { (char *)program, (char *)arg, NULL };
        uv_stdio_container_t streams[3] = { 0 }; /* UV_IGNORE */
        const uv_process_options_t options = {
                .file = program,
                .args = args,
                .exit_cb = at_exit,
                .stdio = streams,
                .stdio_count = 3,
        };

        if (pipe) {
                check(uv_pipe_init(uv_default_loop(), pipe, 0));
                streams[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
                streams[1].data.stream = (uv_stream_t *)pipe;
        }
        check(uv_spawn(uv_default_loop(), process, &options));
}

static void spawn_reader(
        const char *program, const char *arg, uv_alloc_cb allocate, uv_read_cb take) {
        reader.size = 0;
        spawn(&reader.process, program, arg, &reader.pipe);
        check(uv_read_start((uv_stream_t *)&reader.pipe, allocate, take));
        uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

static void reuse_piece(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
        static char piece[PIECE];

        (void)handle;
        (void)suggested;
        *buf = uv_buf_init(piece, PIECE);
}

static void find_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
        (void)handle;
        (void)suggested;
        if (reader.capacity - reader.size < PIECE) {
                reader.capacity = reader.capacity > 0 ? 2 * reader.capacity : 2 * PIECE;
                reader.data = realloc(reader.data, reader.capacity);
                if (!reader.data)
                        bench_fail("realloc");
        }
        *buf = uv_buf_init(reader.data + reader.size, PIECE);
}

static void take_piece(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
        (void)buf;
        if (n < 0)
                uv_close((uv_handle_t *)stream, NULL);
        else
                reader.size += (size_t)n;
}

static void take_line(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
        take_piece(stream, n, buf);
        if (n <= 0)
                return;
        reader.cancelled = bench_now();
        check(uv_process_kill(&reader.process, SIGTERM));
}

static int64_t run_start(size_t n, const char *program) {
        int64_t before = bench_now();

        for (size_t i = 0; i < n; ++i) {
                spawn(&reader.process, program, NULL, NULL);
                uv_run(uv_default_loop(), UV_RUN_DEFAULT);
        }
        return bench_now() - before;
}

static int64_t read_all(size_t n, const char *program, uv_alloc_cb allocate) {
        int64_t before = bench_now(), took;
        char arg[24];

        snprintf(arg, sizeof(arg), "%zu", n);
        spawn_reader(program, arg, allocate, take_piece);
        took = bench_now() - before;
        if (reader.size != n)
                bench_fail("output");
        return took;
}

static int64_t run_discard(size_t n, const char *program) {
        return read_all(n, program, reuse_piece);
}

static int64_t run_keep(size_t n, const char *program) {
        int64_t took = read_all(n, program, find_room);

        free(reader.data);
        reader.data = NULL;
        reader.capacity = 0;
        return took;
}

static int64_t run_cancel(size_t n, const char *program) {
        int64_t took = 0;

        for (size_t i = 0; i < n; ++i) {
                spawn_reader(program, NULL, reuse_piece, take_line);
                took += reader.ended - reader.cancelled;
        }
        return took;
}

static int64_t run_many(size_t n, const char *program) {
        int64_t before = bench_now();

        many = calloc(n, sizeof(*many));
        if (!many)
                bench_fail("calloc");
        while (n_many < n)
                spawn(&many[n_many++], program, NULL, NULL);
        return bench_now() - before;
}

static int64_t run_end(size_t n, const char *program) {
        int64_t before = bench_now();

        (void)n;
        (void)program;
        while (n_many > 0)
                check(uv_process_kill(&many[--n_many], SIGTERM));
        uv_run(uv_default_loop(), UV_RUN_DEFAULT);
        free(many);
        many = NULL;
        return bench_now() - before;
}

int main(void) {
        static const struct verb verbs[] = {
                { "start", run_start },
                { "discard", run_discard },
                { "keep", run_keep },
                { "cancel", run_cancel },
                { "many", run_many },
                { "end", run_end },
                { 0 },
        };

        serve(verbs);
        return 0;
}
