// SPDX-License-Identifier: MIT

/* Many commands on one thread, in a loop of the caller's. */

#include "run.h"

#include <pthread.h>

#define MANY 200

struct seen {
        unsigned steps, exits, ends;
};

static void fetch_events(struct curfew *sup, struct seen *seen) {
        struct curfew_event event;

        while (curfew_next_event(sup, &event) > 0) {
                struct seen *own = curfew_run_data(event.run);

                switch (event.type) {
                case CURFEW_EVENT_STEP:
                        assert_eq(own->ends, 0);
                        ++own->steps;
                        ++seen->steps;
                        break;
                case CURFEW_EVENT_EXIT:
                        assert_eq(own->exits++, 0);
                        assert_eq(own->ends, 0);
                        ++seen->exits;
                        break;
                case CURFEW_EVENT_END:
                        assert_eq(own->exits, 1);
                        assert_eq(own->ends++, 0);
                        assert_true(curfew_run_result(event.run));
                        ++seen->ends;
                        break;
                }
        }
}

static void start_many(
        struct curfew *sup, struct curfew_ctx *ctx, struct seen *own, const char *const *argv) {
        for (unsigned i = 0; i < MANY; ++i) {
                struct curfew_run *child;

                assert_eq(curfew_start(sup, ctx,
                                  &(struct curfew_cmd){ .argv = argv, .data = &own[i] }, NULL,
                                  &child),
                        0);
        }
}

/* A plain poll loop; a cancel stops all of them at once. */
static void test_many_cancelled(void) {
        static struct seen own[MANY];
        struct curfew_ctx *ctx = cancel_ctx();
        struct curfew *sup = NULL;
        struct seen seen = { 0 };
        unsigned fds = count_fds();

        assert_eq(curfew_new(&sup), 0);
        start_many(sup, ctx, own, (const char *[]){ "sleep", "300", NULL });
        assert_le(count_fds() - fds, 3 * MANY + 15);
        curfew_ctx_cancel_cause(ctx, 1, "enough");

        while (seen.ends < MANY) {
                struct pollfd fd = { .fd = curfew_fd(sup), .events = POLLIN };

                assert_eq(poll(&fd, 1, 20000), 1);
                assert_eq(curfew_dispatch(sup), 0);
                fetch_events(sup, &seen);
        }
        assert_eq(seen.steps, MANY);
        assert_eq(seen.exits, MANY);
        curfew_free(sup);
        curfew_ctx_unref(ctx);
        assert_no_children();
        assert_eq(count_fds(), fds);
}

/* The same without a loop, and with nothing to stop. */
static void test_many_exit(void) {
        static struct seen own[MANY];
        struct curfew *sup = NULL;
        struct seen seen = { 0 };

        assert_eq(curfew_new(&sup), 0);
        start_many(sup, NULL, own, (const char *[]){ "true", NULL });
        while (seen.ends < MANY) {
                assert_eq(curfew_wait(sup, 20 * CURFEW_SEC), 0);
                fetch_events(sup, &seen);
        }
        assert_eq(seen.steps, 0);
        curfew_free(sup);
        assert_no_children();
}

static void test_nothing_to_wait_for(void) {
        struct curfew *sup = NULL;
        struct curfew_event event;
        struct pollfd fd = { .events = POLLIN };

        assert_eq(curfew_new(&sup), 0);
        fd.fd = curfew_fd(sup);
        assert_eq(poll(&fd, 1, 0), 0);
        assert_eq(curfew_dispatch(sup), 0);
        assert_eq(curfew_next_event(sup, &event), 0);
        assert_eq(curfew_wait(sup, CURFEW_SEC / 100), -ETIMEDOUT);
        assert_eq(curfew_wait(sup, 0), -ETIMEDOUT);
        curfew_free(sup);
}

/* Who stops a run between two dispatches hears at once of the step that this takes. */
static void test_stop_from_outside(void) {
        struct curfew_cmd cmd = {
                .argv = SH("trap '' TERM; echo ready; while :; do sleep 300; done"),
                .out = { CURFEW_PIPE },
                .stop = { { SIGTERM, CURFEW_TREE, CURFEW_FOREVER } },
        };
        struct curfew *sup = NULL;
        struct curfew_run *child = NULL;
        struct curfew_event event;
        struct pollfd fd = { .events = POLLIN };
        char line[16];
        int out;

        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, NULL, &cmd, NULL, &child), 0);
        out = curfew_run_take_fd(child, 1);
        read_line(out, line, sizeof(line));
        curfew_run_stop(child);

        fd.fd = curfew_fd(sup);
        assert_eq(poll(&fd, 1, 20 * 1000), 1);
        assert_eq(curfew_dispatch(sup), 0);
        assert_eq(curfew_next_event(sup, &event), 1);
        assert_eq(event.type, CURFEW_EVENT_STEP);
        assert_eq(event.step.signal, SIGTERM);
        assert_eq(poll(&fd, 1, 0), 0);

        curfew_run_skip(child);
        assert_eq(curfew_run_wait(child, 20 * CURFEW_SEC), 0);
        close(out);
        curfew_free(sup);
        assert_no_children();
}

static int stop_own_run(void *arg, const void *data, size_t size) {
        struct curfew_run **child = arg;

        (void)data, (void)size;
        curfew_run_stop(*child);
        return 0;
}

/* A callback may ask its own run to stop. */
static void test_stop_from_callback(void) {
        struct curfew *sup = NULL;
        struct curfew_run *child = NULL;
        const struct curfew_result *res;

        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, NULL,
                          &(struct curfew_cmd){
                                  .argv = SH("echo enough; exec sleep 300"),
                                  .out = { CURFEW_CALLBACK, .fn = stop_own_run, .arg = &child },
                          },
                          NULL, &child),
                0);
        assert_eq(curfew_run_wait(child, 20 * CURFEW_SEC), 0);
        res = curfew_run_result(child);
        assert_eq(res->reason, CURFEW_REASON_CALLER);
        assert_signaled(*res, SIGTERM);
        curfew_free(sup);
        assert_no_children();
}

static int cancel_own_ctx(void *arg, const void *data, size_t size) {
        (void)data, (void)size;
        curfew_ctx_cancel(arg);
        return 0;
}

/* … and cancel its context. */
static void test_cancel_from_callback(void) {
        struct curfew_ctx *ctx = cancel_ctx();
        struct curfew_result res = run_ctx(
                ctx, &(struct curfew_cmd){
                             .argv = SH("echo enough; exec sleep 300"),
                             .out = { CURFEW_CALLBACK, .fn = cancel_own_ctx, .arg = ctx },
                     });

        assert_eq(res.reason, CURFEW_REASON_CANCELLED);
        assert_signaled(res, SIGTERM);
        curfew_result_deinit(&res);
        curfew_ctx_unref(ctx);
}

/* Different deadlines in one supervisor, each by its own time, in order. */
static void test_deadlines_in_order(void) {
        static struct seen own[8];
        struct curfew_ctx *ctxs[8];
        struct curfew_run *children[8];
        struct curfew *sup = NULL;
        struct seen seen = { 0 };

        assert_eq(curfew_new(&sup), 0);
        for (int i = 0; i < 8; ++i) {
                ctxs[i] = timeout_ctx((8 - i) * CURFEW_SEC / 10);
                assert_eq(curfew_start(sup, ctxs[i],
                                  &(struct curfew_cmd){
                                          .argv = (const char *[]){ "sleep", "300", NULL },
                                          .data = &own[i] },
                                  NULL, &children[i]),
                        0);
        }
        while (seen.ends < 8) {
                assert_eq(curfew_wait(sup, 20 * CURFEW_SEC), 0);
                fetch_events(sup, &seen);
        }
        for (int i = 0; i < 8; ++i) {
                const struct curfew_result *res = curfew_run_result(children[i]);

                assert_eq(res->reason, CURFEW_REASON_DEADLINE);
                assert_eq(curfew_run_started(children[i]), res->started);
                assert_ge(res->steps[0].at + res->started, curfew_ctx_deadline(ctxs[i]));
                curfew_ctx_unref(ctxs[i]);
        }
        curfew_free(sup);
}

static void *cancel_soon(void *arg) {
        struct curfew_ctx **ctxs = arg;

        for (unsigned i = 0; i < MANY; ++i)
                curfew_ctx_cancel(ctxs[i]);
        return NULL;
}

/* Cancels of another thread racing with ends and with frees. */
static void test_cancel_racing_with_end(void) {
        struct curfew_ctx *ctxs[MANY];
        struct curfew *sup = NULL;
        pthread_t thread;

        assert_eq(curfew_new(&sup), 0);
        for (unsigned i = 0; i < MANY; ++i)
                ctxs[i] = cancel_ctx();
        assert_eq(pthread_create(&thread, NULL, cancel_soon, ctxs), 0);
        for (unsigned i = 0; i < MANY; ++i) {
                struct curfew_run *child = NULL;
                int r = curfew_start(sup, ctxs[i],
                        &(struct curfew_cmd){ .argv = (const char *[]){ "true", NULL } }, NULL,
                        &child);

                assert_true(r == 0 || r == -ECANCELED);
                if (r == 0 && i % 2 == 0)
                        assert_eq(curfew_run_wait(child, 20 * CURFEW_SEC), 0);
                if (r == 0 && i % 3 == 0)
                        curfew_run_free(child);
        }
        assert_eq(pthread_join(thread, NULL), 0);
        curfew_free(sup);
        for (unsigned i = 0; i < MANY; ++i)
                curfew_ctx_unref(ctxs[i]);
        assert_no_children();
}

/* Signals to this process reach the commands through a context. */
static void test_signal_context(void) {
        struct curfew_signals *signals = NULL;
        struct curfew_ctx *below = NULL;
        struct curfew *sup = NULL;
        struct curfew_run *child = NULL;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        assert_eq(curfew_signals_open(NULL, &set, &signals), 0);
        assert_eq(
                curfew_ctx_with_timeout(curfew_signals_ctx(signals), 100 * CURFEW_SEC, &below), 0);
        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, below,
                          &(struct curfew_cmd){ .argv = (const char *[]){ "sleep", "300", NULL } },
                          NULL, &child),
                0);
        assert_eq(kill(getpid(), SIGINT), 0);
        assert_eq(curfew_run_wait(child, 20 * CURFEW_SEC), 0);
        assert_eq(curfew_run_result(child)->reason, CURFEW_REASON_CANCELLED);
        assert_eq(curfew_run_result(child)->cause.code, SIGINT);
        assert_str(curfew_run_result(child)->cause.text, "SIGINT");
        curfew_free(sup);
        curfew_ctx_unref(below);
        curfew_signals_close(signals);
}

/* Steps that come one after the other while the tree is ending by itself: whoever is the first to
 * read that it is empty, the run hears of it. */
static void test_steps_racing_with_keeper(void) {
        struct curfew_cmd cmd = {
                .argv = (const char *const[]){ "true", NULL },
                .backend = CURFEW_BACKEND_KEEPER,
        };
        struct curfew *sup = NULL;

        for (unsigned i = 0; i < CURFEW_MAX_STEPS; ++i)
                cmd.stop[i] = (struct curfew_step){ .signal = SIGWINCH, .grace = 20 * 1000 };
        assert_eq(curfew_new(&sup), 0);
        for (unsigned i = 0; i < MANY; ++i) {
                struct curfew_run *run;

                assert_eq(curfew_start(sup, NULL, &cmd, NULL, &run), 0);
                curfew_run_stop(run);
                assert_eq(curfew_run_wait(run, 5 * CURFEW_SEC), 0);
                assert_eq(curfew_run_result(run)->end, CURFEW_END_EMPTY);
                curfew_run_free(run);
        }
        curfew_free(sup);
}

/* A child's table is as small as what it gets, however many files the host has open: else each
 * start would copy all of them. */
static void test_crowded_host(void) {
        static const enum curfew_backend backends[] = {
                CURFEW_BACKEND_ANY,
                CURFEW_BACKEND_KEEPER,
                CURFEW_BACKEND_GROUP,
        };
        const char *const argv[] = { "sed", "-n", "s/^FDSize:[^0-9]*//p", "/proc/self/status",
                NULL };
        struct curfew *sup = NULL;
        unsigned n = 0;
        int fds[900]; /* below the usual limit */

        assert_eq(curfew_new(&sup), 0);
        while (n < 900 && (fds[n] = fcntl(2, F_DUPFD_CLOEXEC, 3)) >= 0)
                ++n;
        assert_gt(n, 300);
        while (n > 800)
                close(fds[--n]);

        for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); ++i) {
                const struct curfew_cmd cmd = {
                        .argv = argv,
                        .out = { CURFEW_CAPTURE },
                        .backend = backends[i],
                };
                const struct curfew_result *res;
                struct curfew_run *run;

                assert_eq(curfew_start(sup, NULL, &cmd, NULL, &run), 0);
                assert_eq(curfew_run_wait(run, CURFEW_FOREVER), 0);
                res = curfew_run_result(run);
                assert_gt(res->out.size, 0);
                assert_le(atoi(res->out.data), 256);
                curfew_run_free(run);
        }
        while (n > 0)
                close(fds[--n]);
        curfew_free(sup);
}

int main(void) {
        test_bound(120);

        test_many_cancelled();
        test_many_exit();
        test_nothing_to_wait_for();
        test_stop_from_outside();
        test_stop_from_callback();
        test_cancel_from_callback();
        test_deadlines_in_order();
        test_cancel_racing_with_end();
        test_signal_context();
        test_steps_racing_with_keeper();
        test_crowded_host();
        return 0;
}
