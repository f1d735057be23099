// SPDX-License-Identifier: MIT

/*
 * The parts of a run, each many times, with marks around it for bench/instructions -m.
 *
 *     parts N start COMMAND…       start it
 *     parts N event COMMAND…       it has exited: dispatch that, and take the events
 *     parts N derive               a context, and let go of it
 *     parts N cancel               cancel a context
 *     parts N ask COMMAND…         cancel the context of a run: the signal is sent
 *     parts N discard COMMAND…     take all that it writes, by a callback
 *     parts N keep COMMAND…        the same into memory
 *
 * Once more before that without marks, for what is done only at the first time.
 */

#include <curfew.h>
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct part {
        struct curfew *sup;
        struct curfew_cmd cmd;
        bool marked;
};

static void mark(const struct part *part) {
        if (part->marked)
                syscall(SYS_tgkill, getpid(), getpid(), SIGURG);
}

static void check(int r, const char *what) {
        if (r < 0)
                errx(1, "%s: %s", what, strerror(-r));
}

static struct curfew_run *start(const struct part *part, struct curfew_ctx *ctx) {
        struct curfew_run *run = NULL;

        check(curfew_start(part->sup, ctx, &part->cmd, NULL, &run), "curfew_start");
        return run;
}

static void finish(struct curfew_run *run) {
        check(curfew_run_wait(run, CURFEW_FOREVER), "curfew_run_wait");
        curfew_run_free(run);
}

static void part_start(const struct part *part) {
        struct curfew_run *run;

        mark(part);
        run = start(part, NULL);
        mark(part);
        finish(run);
}

static void part_event(const struct part *part) {
        struct pollfd fd = { .fd = curfew_fd(part->sup), .events = POLLIN };
        struct curfew_run *run = start(part, NULL);
        struct curfew_event event = { 0 };

        poll(&fd, 1, -1);
        mark(part);
        curfew_dispatch(part->sup);
        while (curfew_next_event(part->sup, &event) > 0)
                ;
        mark(part);
        if (event.type != CURFEW_EVENT_END)
                errx(1, "there is more than one dispatch to it");
        finish(run);
}

static struct curfew_ctx *derive(void) {
        struct curfew_ctx *ctx = NULL;

        check(curfew_ctx_with_cancel(NULL, &ctx), "curfew_ctx_with_cancel");
        return ctx;
}

static void part_derive(const struct part *part) {
        mark(part);
        curfew_ctx_unref(derive());
        mark(part);
}

static void part_cancel(const struct part *part) {
        struct curfew_ctx *ctx = derive();

        mark(part);
        curfew_ctx_cancel(ctx);
        mark(part);
        curfew_ctx_unref(ctx);
}

static void part_ask(const struct part *part) {
        struct curfew_ctx *ctx = derive();
        struct curfew_run *run = start(part, ctx);
        struct curfew_event event = { 0 };

        mark(part);
        curfew_ctx_cancel(ctx);
        curfew_dispatch(part->sup);
        curfew_next_event(part->sup, &event);
        mark(part);
        if (event.type != CURFEW_EVENT_STEP)
                errx(1, "no signal was sent");
        finish(run);
        curfew_ctx_unref(ctx);
}

static void part_output(const struct part *part) {
        struct curfew_run *run = start(part, NULL);

        mark(part);
        check(curfew_run_wait(run, CURFEW_FOREVER), "curfew_run_wait");
        mark(part);
        curfew_run_free(run);
}

static int drop(void *arg, const void *data, size_t size) {
        (void)arg, (void)data, (void)size;
        return 0;
}

static const struct {
        const char *name;
        void (*fn)(const struct part *part);
        struct curfew_stream out;
} parts[] = {
        { "start", part_start },
        { "event", part_event },
        { "derive", part_derive },
        { "cancel", part_cancel },
        { "ask", part_ask },
        { "discard", part_output, { .kind = CURFEW_CALLBACK, .fn = drop } },
        { "keep", part_output, { .kind = CURFEW_CAPTURE } },
};

int main(int argc, char **argv) {
        struct part part = { .cmd = { .backend = CURFEW_BACKEND_GROUP } };
        size_t i = 0;

        while (argc > 2 && i < sizeof(parts) / sizeof(parts[0]) &&
                strcmp(parts[i].name, argv[2]) != 0)
                ++i;
        if (argc < 3 || i == sizeof(parts) / sizeof(parts[0]))
                errx(2, "usage: parts N PART [COMMAND...]");
        check(curfew_new(&part.sup), "curfew_new");
        part.cmd.argv = (const char *const *)argv + 3;
        part.cmd.out = parts[i].out;

        parts[i].fn(&part);
        part.marked = true;
        for (unsigned long n = strtoul(argv[1], NULL, 10); n > 0; --n)
                parts[i].fn(&part);
        curfew_free(part.sup);
        return 0;
}
