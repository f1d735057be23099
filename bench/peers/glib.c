// SPDX-License-Identifier: MIT

/*
 * GLib's way of the benchmarks' work, as ../peer.h describes it: GSubprocess, in its synchronous
 * calls.
 */

#include "bench.h"
#include "serve.h"

#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>

#define SILENT (G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE)
#define PIPED  (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE)

static GSubprocess **many;
static size_t n_many;

static GSubprocess *spawn(GSubprocessFlags flags, const char *program, const char *arg) {
        g_autoptr(GError) error = NULL;
        GSubprocess *child = g_subprocess_new(flags, &error, program, arg, NULL);

        if (!child)
                g_error("%s", error->message);
        return child;
}

static GSubprocess *spawn_writer(size_t n, const char *program) {
        g_autofree char *arg = g_strdup_printf("%zu", n);

        return spawn(PIPED, program, arg);
}

static void await(GSubprocess *child) {
        g_autoptr(GError) error = NULL;

        if (!g_subprocess_wait(child, NULL, &error))
                g_error("%s", error->message);
}

static size_t read_some(GSubprocess *child) {
        static char buf[64 << 10];
        g_autoptr(GError) error = NULL;
        gssize n = g_input_stream_read(
                g_subprocess_get_stdout_pipe(child), buf, sizeof(buf), NULL, &error);

        if (n < 0)
                g_error("%s", error->message);
        return (size_t)n;
}

static int64_t run_start(size_t n, const char *program) {
        int64_t before = bench_now();

        for (size_t i = 0; i < n; ++i) {
                g_autoptr(GSubprocess) child = spawn(SILENT, program, NULL);

                await(child);
        }
        return bench_now() - before;
}

static int64_t run_discard(size_t n, const char *program) {
        int64_t before = bench_now();
        g_autoptr(GSubprocess) child = spawn_writer(n, program);
        size_t size = 0, some;

        while ((some = read_some(child)) > 0)
                size += some;
        await(child);
        g_assert(size == n);
        return bench_now() - before;
}

static int64_t run_keep(size_t n, const char *program) {
        int64_t before = bench_now();
        g_autoptr(GSubprocess) child = spawn_writer(n, program);
        g_autoptr(GBytes) output = NULL;
        g_autoptr(GError) error = NULL;

        if (!g_subprocess_communicate(child, NULL, NULL, &output, NULL, &error))
                g_error("%s", error->message);
        g_assert(g_bytes_get_size(output) == n);
        return bench_now() - before;
}

static int64_t run_cancel(size_t n, const char *program) {
        int64_t took = 0;

        for (size_t i = 0; i < n; ++i) {
                g_autoptr(GSubprocess) child = spawn(PIPED, program, NULL);
                int64_t before;

                read_some(child);
                before = bench_now();
                g_subprocess_send_signal(child, SIGTERM);
                await(child);
                took += bench_now() - before;
        }
        return took;
}

static int64_t run_many(size_t n, const char *program) {
        int64_t before = bench_now();

        many = g_new(GSubprocess *, n);
        while (n_many < n)
                many[n_many++] = spawn(SILENT, program, NULL);
        return bench_now() - before;
}

static int64_t run_end(size_t n, const char *program) {
        int64_t before = bench_now();

        (void)n;
        (void)program;
        for (size_t i = 0; i < n_many; ++i)
                g_subprocess_send_signal(many[i], SIGTERM);
        while (n_many > 0) {
                g_autoptr(GSubprocess) child = many[--n_many];

                await(child);
        }
        g_clear_pointer(&many, g_free);
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
