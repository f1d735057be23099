// SPDX-License-Identifier: MIT

/* Stopping commands: the plan, its reasons and its end, and the troubles that Go's users have with
 * theirs. The numbers are rows of go-behaviours.md. */

#include "run.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Far below what the commands here would take by themselves, far above what stopping them takes. */
#define SOON (20 * CURFEW_SEC)

/* A supervisor with one run, whose child has said on its stdout that it is ready. */
struct fixture {
        struct curfew *sup;
        struct curfew_run *run;
        int out;
};

/* The same, with a supervisor that is there. */
static void fixture_add(struct fixture *f, struct curfew_ctx *ctx, struct curfew_cmd cmd) {
        char line[64];

        cmd.out = (struct curfew_stream){ CURFEW_PIPE };
        assert_eq(curfew_start(f->sup, ctx, &cmd, NULL, &f->run), 0);
        f->out = curfew_run_take_fd(f->run, 1);
        read_line(f->out, line, sizeof(line));
        assert_str(line, "ready");
}

static void fixture_start(struct fixture *f, struct curfew_ctx *ctx, struct curfew_cmd cmd) {
        assert_eq(curfew_new(&f->sup), 0);
        fixture_add(f, ctx, cmd);
}

static const struct curfew_result *fixture_wait(struct fixture *f) {
        assert_eq(curfew_run_wait(f->run, SOON), 0);
        return curfew_run_result(f->run);
}

static void fixture_end(struct fixture *f) {
        curfew_run_free(f->run);
        curfew_free(f->sup);
        close(f->out);
        assert_no_children();
}

static int cancel_when_heard(void *ctx, const void *data, size_t size) {
        (void)data, (void)size;
        curfew_ctx_cancel(ctx);
        return 0;
}

static void *cancel_it(void *ctx) {
        curfew_ctx_cancel_cause(ctx, 7, "the operator said so");
        return NULL;
}

/* go 84: from another thread, while this one waits. */
static void test_cancel_during_wait(void) {
        struct curfew_ctx *ctx = cancel_ctx();
        struct fixture f;
        pthread_t thread;
        const struct curfew_result *res;

        fixture_start(&f, ctx, (struct curfew_cmd){ .argv = SH("sleep 300 & echo ready; wait") });
        assert_eq(pthread_create(&thread, NULL, cancel_it, ctx), 0);
        res = fixture_wait(&f);
        assert_eq(pthread_join(thread, NULL), 0);
        assert_signaled(*res, SIGTERM);
        assert_eq(res->reason, CURFEW_REASON_CANCELLED);
        assert_eq(res->cause.code, 7);
        assert_str(res->cause.text, "the operator said so");
        assert_eq(res->n_steps, 1);
        assert_eq(res->ended_by, 1);
        assert_eq(res->steps[0].signal, SIGTERM);
        assert_ge(res->steps[0].reached, 1);
        assert_eq(res->steps[0].error, 0);
        assert_eq(res->end, CURFEW_END_EMPTY);
        assert_eq(res->left, 0);
        fixture_end(&f);
        curfew_ctx_unref(ctx);
}

/* go 85: nobody waits, but the descriptor says that there is something to do. */
static void test_cancel_shows_at_the_descriptor(void) {
        struct curfew_ctx *ctx = cancel_ctx();
        struct pollfd fd = { .events = POLLIN };
        struct fixture f;

        fixture_start(&f, ctx, (struct curfew_cmd){ .argv = SH("echo ready; sleep 300") });
        fd.fd = curfew_fd(f.sup);
        assert_eq(poll(&fd, 1, 0), 0);
        curfew_ctx_cancel(ctx);
        assert_eq(poll(&fd, 1, 0), 1);
        assert_eq(fixture_wait(&f)->reason, CURFEW_REASON_CANCELLED);
        fixture_end(&f);
        curfew_ctx_unref(ctx);
}

/* go 86 */
static void test_never_asked(void) {
        struct curfew_ctx *ctx = cancel_ctx();
        struct curfew_result res = run_ctx(ctx, &(struct curfew_cmd){ .argv = SH("sleep 0.1") });

        assert_exited(res, 0);
        assert_eq(res.reason, CURFEW_REASON_NONE);
        curfew_result_deinit(&res);
        curfew_ctx_unref(ctx);
}

/* go 87: asked with something that ends nobody, and given all the time there is. */
static void test_own_exit_after_harmless_step(void) {
        struct fixture f;
        const struct curfew_result *res;

        fixture_start(&f, NULL,
                (struct curfew_cmd){
                        .argv = SH("trap 'exit 0' USR1; echo ready; while :; do sleep 0.01; done"),
                        .stop = { { SIGUSR1, CURFEW_LEADER, CURFEW_FOREVER } },
                });
        curfew_run_stop(f.run);
        res = fixture_wait(&f);
        assert_exited(*res, 0);
        assert_eq(res->reason, CURFEW_REASON_CALLER);
        assert_eq(res->n_steps, 1);
        fixture_end(&f);
}

/* go 88: a chatty grandchild that holds the output. */
static void test_kill_with_chatty_grandchild(void) {
        struct curfew_ctx *ctx = cancel_ctx();
        struct curfew_result res = run_ctx(
                ctx, &(struct curfew_cmd){
                             .argv = SH("(while :; do echo noise; echo >&2; sleep 0.01; done) &"
                                        "sleep 300"),
                             .out = { CURFEW_CAPTURE },
                             .err = { CURFEW_CALLBACK, .fn = cancel_when_heard, .arg = ctx },
                             .stop = { { SIGKILL } },
                     });

        assert_signaled(res, SIGKILL);
        assert_eq(res.reason, CURFEW_REASON_CANCELLED);
        assert_eq(res.end, CURFEW_END_EMPTY);
        assert_lt(res.wall, SOON);
        assert_gt(res.out.size, 0);
        curfew_result_deinit(&res);
        curfew_ctx_unref(ctx);
}

/* go 89: nothing was asked, the leader is gone, and somebody holds the pipe. It is stopped, or left
 * alone, after the linger. */
static void test_grandchild_holds_the_pipe(void) {
        static const enum curfew_until untils[] = { CURFEW_UNTIL_EXIT, CURFEW_UNTIL_OUTPUT };
        static const enum curfew_end ends[] = { CURFEW_END_EXIT, CURFEW_END_LINGER };

        for (size_t i = 0; i < 2; ++i) {
                struct curfew_result res = run(&(struct curfew_cmd){
                        .argv = SH("sleep 300 & echo $!"),
                        .out = { CURFEW_CAPTURE },
                        .until = untils[i],
                        .linger = CURFEW_SEC / 10,
                });

                assert_exited(res, 0);
                assert_eq(res.end, ends[i]);
                assert_eq(res.reason, CURFEW_REASON_NONE);
                assert_false(res.out.complete);
                assert_eq(res.left, 1);
                assert_lt(res.wall, SOON);
                assert_eq(kill(atoi(res.out.data), SIGKILL), 0);
                curfew_result_deinit(&res);
        }
}

/* go 90 */
static void test_ignored_signal_is_followed_by_kill(void) {
        struct curfew_ctx *ctx = cancel_ctx();
        struct curfew_result res = run_ctx(
                ctx, &(struct curfew_cmd){
                             .argv = SH("trap '' INT; echo ready; while :; do sleep 1; done"),
                             .out = { CURFEW_CALLBACK, .fn = cancel_when_heard, .arg = ctx },
                             .stop = { { SIGINT, CURFEW_TREE, CURFEW_SEC / 5 } },
                     });

        assert_signaled(res, SIGKILL);
        assert_eq(res.n_steps, 2);
        assert_eq(res.ended_by, 2);
        assert_eq(res.steps[1].signal, SIGKILL);
        assert_ge(res.steps[1].at - res.steps[0].at, CURFEW_SEC / 5);
        curfew_result_deinit(&res);
        curfew_ctx_unref(ctx);
}

/* go 91, 97: what the child made of the signal is its status; that it was asked is the reason. */
static void test_handled_signal(void) {
        static const char *const scripts[] = {
                "trap 'exit 0' INT; echo ready; while :; do sleep 0.01; done",
                "trap 'exit 1' INT; echo ready; while :; do sleep 0.01; done",
        };

        for (int code = 0; code < 2; ++code) {
                struct curfew_ctx *ctx = cancel_ctx();
                struct fixture f;
                const struct curfew_result *res;

                fixture_start(&f, ctx,
                        (struct curfew_cmd){
                                .argv = SH(scripts[code]),
                                .stop = { { SIGINT, CURFEW_LEADER, SOON } },
                        });
                curfew_ctx_cancel(ctx);
                res = fixture_wait(&f);
                assert_exited(*res, code);
                assert_eq(res->reason, CURFEW_REASON_CANCELLED);
                assert_eq(res->ended_by, 1);
                fixture_end(&f);
                curfew_ctx_unref(ctx);
        }
}

/* go 92: last words of any length arrive whole. */
static void test_last_words(void) {
        struct curfew_ctx *ctx = cancel_ctx();
        struct curfew_result res = run_ctx(ctx,
                &(struct curfew_cmd){
                        .argv = SH("trap 'yes | head -c 300000 >&2; echo end >&2; exit 2' QUIT;"
                                   "echo ready; while :; do sleep 0.01; done"),
                        .out = { CURFEW_CALLBACK, .fn = cancel_when_heard, .arg = ctx },
                        .err = { CURFEW_CAPTURE },
                        .stop = { { SIGQUIT, CURFEW_LEADER, SOON } },
                });

        assert_exited(res, 2);
        assert_eq(res.err.size, 300004);
        assert_str(res.err.data + 300000, "end\n");
        assert_true(res.err.complete);
        curfew_result_deinit(&res);
        curfew_ctx_unref(ctx);
}

/* A context that is done starts nothing. */
static void test_done_context_starts_nothing(void) {
        struct curfew_ctx *ctx = cancel_ctx();
        struct curfew_result res;

        curfew_ctx_cancel(ctx);
        assert_eq(curfew_run(ctx, &(struct curfew_cmd){ .argv = SH("exit 0") }, &res), -ECANCELED);
        assert_eq(res.stage, CURFEW_STAGE_CONTEXT);
        curfew_ctx_unref(ctx);

        ctx = timeout_ctx(0);
        assert_eq(curfew_run(ctx, &(struct curfew_cmd){ .argv = SH("exit 0") }, &res), -ETIMEDOUT);
        assert_eq(res.stage, CURFEW_STAGE_CONTEXT);
        curfew_ctx_unref(ctx);
        assert_no_children();
}

/* go 104: a stopped leader is not an ended one. */
static void test_stopped_child(void) {
        struct fixture f;

        fixture_start(&f, NULL, (struct curfew_cmd){ .argv = SH("echo ready; sleep 0.2") });
        assert_eq(curfew_run_signal(f.run, CURFEW_LEADER, SIGSTOP), 1);
        assert_eq(curfew_run_wait(f.run, CURFEW_SEC / 2), -ETIMEDOUT);
        assert_null(curfew_run_result(f.run));
        assert_eq(curfew_run_signal(f.run, CURFEW_LEADER, SIGCONT), 1);
        assert_exited(*fixture_wait(&f), 0);
        fixture_end(&f);
}

/* A stopped child hears the signal, since it is continued. */
static void test_stopped_child_hears(void) {
        static const enum curfew_whom whoms[] = { CURFEW_TREE, CURFEW_GROUP, CURFEW_LEADER };

        for (size_t i = 0; i < 3; ++i) {
                struct fixture f;

                fixture_start(&f, NULL,
                        (struct curfew_cmd){
                                .argv = SH("trap 'exit 5' TERM; echo ready; kill -STOP $$;"
                                           "while :; do sleep 0.01; done"),
                                .stop = { { SIGTERM, whoms[i], SOON } },
                        });
                curfew_run_stop(f.run);
                assert_exited(*fixture_wait(&f), 5);
                fixture_end(&f);
        }
}

/* A second request means nothing, a skip goes on. */
static void test_stop_once_and_skip(void) {
        struct fixture f;
        const struct curfew_result *res;

        fixture_start(&f, NULL,
                (struct curfew_cmd){
                        .argv = SH("trap '' INT; echo ready; while :; do sleep 1; done"),
                        .stop = { { SIGINT, CURFEW_LEADER, CURFEW_FOREVER },
                                { SIGTERM, CURFEW_TREE, SOON } },
                });
        curfew_run_skip(f.run); /* nobody has asked yet */
        curfew_run_stop(f.run);
        curfew_run_stop(f.run);
        curfew_run_skip(f.run);
        res = fixture_wait(&f);
        assert_signaled(*res, SIGTERM);
        assert_eq(res->n_steps, 2);
        assert_eq(res->reason, CURFEW_REASON_CALLER);
        curfew_run_stop(f.run); /* it has ended */
        fixture_end(&f);
}

/* Steps aimed at the leader alone reach nobody else. */
static void test_whom(void) {
        struct fixture f;
        const struct curfew_result *res;

        fixture_start(&f, NULL,
                (struct curfew_cmd){
                        .argv = SH("sleep 300 & trap 'wait; exit 9' USR1; echo ready; wait; wait"),
                        .stop = { { SIGUSR1, CURFEW_LEADER, CURFEW_SEC / 5 },
                                { SIGTERM, CURFEW_GROUP, SOON } },
                });
        curfew_run_stop(f.run);
        res = fixture_wait(&f);
        assert_eq(res->steps[0].reached, 1);
        assert_eq(res->steps[1].reached, 2);
        assert_eq(res->n_steps, 2);
        fixture_end(&f);
}

/* A step for the leader alone doesn't lose what its end cuts off: the next step reaches it. */
static void test_leader_step_keeps_the_tree(void) {
        struct fixture f;
        const struct curfew_result *res;

        fixture_start(&f, NULL,
                (struct curfew_cmd){
                        .argv = SH(
                                "setsid sh -c 'echo ready; while :; do sleep 0.01; done' & wait"),
                        .stop = { { SIGINT, CURFEW_LEADER, CURFEW_SEC / 10 },
                                { SIGUSR1, CURFEW_LEADER, CURFEW_SEC / 10 },
                                { SIGTERM, CURFEW_LEADER, CURFEW_SEC / 10 },
                                { SIGTERM, CURFEW_TREE, SOON } },
                });
        curfew_run_stop(f.run);
        res = fixture_wait(&f);
        assert_eq(res->n_steps, 4);
        assert_ge(res->steps[3].reached, 1);
        assert_eq(res->end, CURFEW_END_EMPTY);
        fixture_end(&f);
}

/* A grandchild in a session of its own is found below the leader, gets the step's signal, and its
 * grace after the leader has gone. */
static void test_descendant_outside_the_group(void) {
        struct fixture f;
        const struct curfew_result *res;
        char line[64];

        fixture_start(&f, NULL,
                (struct curfew_cmd){
                        .argv = SH("setsid sh -c 'trap \"sleep 0.3; echo cleaned; exit\" TERM; "
                                   "echo ready;"
                                   "while :; do sleep 0.01; done' & wait"),
                        .stop = { { SIGTERM, CURFEW_TREE, SOON } },
                });
        curfew_run_stop(f.run);
        res = fixture_wait(&f);
        assert_signaled(*res, SIGTERM);
        assert_eq(res->n_steps, 1);
        assert_gt(res->wall - res->exited, CURFEW_SEC / 10);
        read_line(f.out, line, sizeof(line));
        assert_str(line, "cleaned");
        fixture_end(&f);
}

/* go.md §3, the first of the measured troubles: once the direct child is reaped nobody watches the
 * context. Here the deadline still counts while the output is awaited. */
static void test_trouble_deadline_after_exit(void) {
        struct curfew_ctx *ctx = timeout_ctx(CURFEW_SEC / 2);
        struct curfew_result res = run_ctx(ctx, &(struct curfew_cmd){
                                                        .argv = SH("sleep 300 & exit 0"),
                                                        .out = { CURFEW_CAPTURE },
                                                        .until = CURFEW_UNTIL_OUTPUT,
                                                        .linger = CURFEW_FOREVER,
                                                });

        assert_exited(res, 0);
        assert_eq(res.reason, CURFEW_REASON_DEADLINE);
        assert_lt(res.wall, SOON);
        assert_eq(res.end, CURFEW_END_EMPTY);
        assert_true(res.out.complete);
        assert_eq(res.left, 0);
        curfew_result_deinit(&res);
        curfew_ctx_unref(ctx);
}

/* The second: a child that exits, then a cancel, then the wait: Go reports the cancel. */
static void test_trouble_cancel_after_exit(void) {
        struct curfew_ctx *ctx = cancel_ctx();
        struct pollfd fd = { .events = POLLIN };
        struct fixture f;
        const struct curfew_result *res;

        fixture_start(&f, ctx, (struct curfew_cmd){ .argv = SH("echo ready; exit 0") });
        fd.fd = curfew_run_pidfd(f.run);
        assert_eq(poll(&fd, 1, 20000), 1);
        curfew_ctx_cancel(ctx);
        res = fixture_wait(&f);
        assert_exited(*res, 0);
        assert_eq(res->reason, CURFEW_REASON_NONE);
        assert_eq(res->n_steps, 0);
        fixture_end(&f);
        curfew_ctx_unref(ctx);
}

/* The third: a custom signal without a delay never escalates. Here a grace that nobody wrote is
 * finite, and SIGKILL needn't be written; the time is skipped, not waited for. */
static void test_trouble_no_grace_written(void) {
        struct fixture f;
        const struct curfew_result *res;

        fixture_start(&f, NULL,
                (struct curfew_cmd){
                        .argv = SH("trap '' INT; echo ready; while :; do sleep 1; done"),
                        .stop = { { SIGINT } },
                });
        curfew_run_stop(f.run);
        assert_eq(curfew_run_wait(f.run, CURFEW_SEC / 10), -ETIMEDOUT);
        curfew_run_skip(f.run);
        res = fixture_wait(&f);
        assert_signaled(*res, SIGKILL);
        fixture_end(&f);
}

/* The fourth: the cause is lost, and a non-zero exit hides the deadline. */
static void test_trouble_cause_and_status(void) {
        int64_t timeout = CURFEW_SEC / 10;
        struct curfew_ctx *ctx = NULL;
        struct curfew_result res = { 0 };

        do { /* until that is long enough here for the shell to be ready */
                curfew_result_deinit(&res);
                curfew_ctx_unref(ctx);
                timeout *= 2;
                assert_eq(
                        curfew_ctx_with_timeout_cause(NULL, timeout, 42, "budget spent", &ctx), 0);
                res = run_ctx(
                        ctx, &(struct curfew_cmd){ .argv = SH("trap 'exit 3' TERM; echo ready; "
                                                              "while :; do sleep 0.01; done"),
                                     .out = { CURFEW_CAPTURE } });
        } while (res.out.size == 0);
        assert_exited(res, 3);
        assert_eq(res.reason, CURFEW_REASON_DEADLINE);
        assert_eq(res.cause.code, 42);
        assert_str(res.cause.text, "budget spent");
        curfew_result_deinit(&res);
        curfew_ctx_unref(ctx);
}

/* A run that a caller's stop finds at its end says so at the descriptor: a loop that polls hears of
 * it. */
static void test_stop_of_an_exited_run_is_heard(void) {
        struct pollfd fd = { .events = POLLIN };
        struct curfew_event event = { 0 };
        struct fixture f;

        fixture_start(&f, NULL, (struct curfew_cmd){ .argv = SH("echo ready; exit 0") });
        fd.fd = curfew_run_pidfd(f.run);
        assert_eq(poll(&fd, 1, 20000), 1);
        curfew_run_stop(f.run);
        fd.fd = curfew_fd(f.sup);
        while (event.type != CURFEW_EVENT_END) {
                assert_eq(poll(&fd, 1, 20000), 1);
                assert_eq(curfew_dispatch(f.sup), 0);
                while (curfew_next_event(f.sup, &event) > 0)
                        ;
        }
        assert_eq(curfew_run_result(f.run)->reason, CURFEW_REASON_NONE);
        fixture_end(&f);
}

/* A process whose first thread has exited looks like a zombie, but lives in the others. Being in a
 * session of its own it has to be found by itself. */
static void test_first_thread_is_gone(void) {
        struct curfew_cmd cmd = {
                .argv = SH("exec 3<&0; setsid \"$PROBE\" outlive <&3 & wait"),
                .in = { CURFEW_PIPE },
                .out = { CURFEW_PIPE },
        };
        struct pollfd fd = { .events = POLLIN };
        struct fixture f;
        char line[64];

        assert_eq(curfew_new(&f.sup), 0);
        assert_eq(curfew_start(f.sup, NULL, &cmd, NULL, &f.run), 0);
        f.out = curfew_run_take_fd(f.run, 1);
        read_line(f.out, line, sizeof(line));
        assert_str(line, "gone");
        curfew_run_stop(f.run);
        assert_eq(fixture_wait(&f)->steps[0].reached, 2);
        fd.fd = f.out;
        assert_eq(poll(&fd, 1, 0), 1);
        assert_true(fd.revents & POLLHUP);
        fixture_end(&f);
}

/* A host that has no descriptor left can look around and stop it all the same. */
static void test_stop_without_descriptors(void) {
        static const pid_t groups[] = { 0, CURFEW_SAME_GROUP };

        for (size_t i = 0; i < 2; ++i) {
                const struct curfew_result *res;
                struct rlimit old, few;
                struct fixture f;
                int taken[256];
                size_t n = 0;

                fixture_start(&f, NULL,
                        (struct curfew_cmd){
                                .argv = SH("echo ready; exec sleep 300"),
                                .pgid = groups[i],
                        });
                assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
                few = (struct rlimit){ 256, old.rlim_max };
                assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
                while ((taken[n] = dup(f.out)) >= 0)
                        ++n;
                assert_eq(errno, EMFILE);
                curfew_run_stop(f.run);
                res = fixture_wait(&f);
                assert_signaled(*res, SIGTERM);
                assert_eq(res->steps[0].error, 0);
                assert_eq(res->steps[0].reached, 1);
                while (n > 0)
                        close(taken[--n]);
                assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
                fixture_end(&f);
        }
}

/* The tree shapes that hung shells past the deadline. */
static void test_shapes(const char *shell) {
        static const char *const shapes[] = { "sleep 300; true", "sleep 300 & wait", "(sleep 300)",
                "sleep 300 | cat", "sleep 300" };

        for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); ++i) {
                struct curfew_ctx *ctx = timeout_ctx(CURFEW_SEC / 10);
                struct curfew_result res = run_ctx(
                        ctx, &(struct curfew_cmd){
                                     .argv = (const char *[]){ shell, "-c", shapes[i], NULL },
                                     .out = { CURFEW_CAPTURE },
                                     .stop = { { SIGTERM, CURFEW_TREE, 5 * CURFEW_SEC } },
                             });

                assert_eq(res.reason, CURFEW_REASON_DEADLINE);
                assert_eq(res.end, CURFEW_END_EMPTY);
                assert_eq(res.left, 0);
                assert_eq(res.n_steps, 1);
                assert_true(res.out.complete);
                assert_lt(res.wall, CURFEW_SEC / 10 + 5 * CURFEW_SEC);
                curfew_result_deinit(&res);
                curfew_ctx_unref(ctx);
        }
}

/* What the child is told: the context's deadline less the graces. */
static void test_deadline_in_environment(void) {
        struct curfew_ctx *ctx = timeout_ctx(100 * CURFEW_SEC);
        struct curfew_cmd cmd = {
                .argv = SH("echo $CURFEW_DEADLINE"),
                .out = { CURFEW_CAPTURE },
                .stop = { { SIGINT, CURFEW_TREE, 5 * CURFEW_SEC },
                        { SIGTERM, CURFEW_TREE, 3 * CURFEW_SEC } },
        };
        const char *const earlier[] = { "CURFEW_DEADLINE=1000", NULL };
        struct curfew_result res = run_ctx(ctx, &cmd);

        assert_eq(strtoll(res.out.data, NULL, 10), curfew_ctx_deadline(ctx) - 8 * CURFEW_SEC);
        curfew_result_deinit(&res);

        cmd.env_edit = earlier;
        res = run_ctx(ctx, &cmd);
        assert_str(res.out.data, "1000\n");
        curfew_result_deinit(&res);

        cmd.env_edit = NULL;
        res = run(&cmd);
        assert_str(res.out.data, "\n");
        curfew_result_deinit(&res);
        curfew_ctx_unref(ctx);
}

/* A function of the host that takes until the commands have been asked, or fails to see that. */
struct slow {
        struct fixture *runs;
        unsigned n, asked;
};

static void wait_for_asked(void *arg) {
        struct slow *slow = arg;

        for (unsigned i = 0; i < slow->n; ++i) {
                struct pollfd out = { .fd = slow->runs[i].out, .events = POLLIN };
                char line[64] = "";

                if (poll(&out, 1, 5000) > 0)
                        read_line(out.fd, line, sizeof(line));
                slow->asked += strcmp(line, "asked") == 0;
        }
}

#define SAY_ASKED SH("trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.01; done")

static void *cancel_plainly(void *ctx) {
        curfew_ctx_cancel(ctx);
        return NULL;
}

/* A run doesn't stand behind the functions of the host that were there before it. */
static void test_slow_function_of_a_cancel(void) {
        struct curfew_ctx *ctx = cancel_ctx();
        struct fixture f;
        struct slow slow = { &f, 1, 0 };
        pthread_t thread;

        assert_eq(curfew_ctx_after(ctx, wait_for_asked, &slow, NULL), 0);
        fixture_start(&f, ctx, (struct curfew_cmd){ .argv = SAY_ASKED });
        assert_eq(pthread_create(&thread, NULL, cancel_plainly, ctx), 0);
        assert_exited(*fixture_wait(&f), 0);
        assert_eq(pthread_join(thread, NULL), 0);
        assert_eq(slow.asked, 1);
        fixture_end(&f);
        curfew_ctx_unref(ctx);
}

/* Nor do those of one supervisor, also under a deadline of their own, when its thread is the one
 * that sees a deadline pass. */
static void test_slow_function_of_a_deadline(void) {
        int64_t deadline = curfew_now() + CURFEW_SEC / 2;
        struct curfew_ctx *ctx[3] = { NULL };
        struct fixture f[3];
        struct slow slow = { f, 3, 0 };

        for (unsigned i = 0; i < 2; ++i)
                assert_eq(curfew_ctx_with_deadline(NULL, deadline, &ctx[i]), 0);
        ctx[2] = curfew_ctx_ref(ctx[0]);
        assert_eq(curfew_ctx_after(ctx[0], wait_for_asked, &slow, NULL), 0);
        fixture_start(&f[0], ctx[0], (struct curfew_cmd){ .argv = SAY_ASKED });
        for (unsigned i = 1; i < 3; ++i) {
                f[i].sup = f[0].sup;
                fixture_add(&f[i], ctx[i], (struct curfew_cmd){ .argv = SAY_ASKED });
        }
        while (curfew_now() < deadline) /* whatever the machine does: all of them are due now */
                ;
        for (unsigned i = 0; i < 3; ++i) {
                assert_eq(fixture_wait(&f[i])->reason, CURFEW_REASON_DEADLINE);
                assert_exited(*fixture_wait(&f[i]), 0);
        }
        assert_eq(slow.asked, 3);
        for (unsigned i = 1; i < 3; ++i) {
                curfew_run_free(f[i].run);
                close(f[i].out);
        }
        fixture_end(&f[0]);
        for (unsigned i = 0; i < 3; ++i)
                curfew_ctx_unref(ctx[i]);
}

static void ask_for_a_stop(void *run) {
        curfew_run_stop(run);
}

/* What such a function asks for is done, without another reason to dispatch. */
static void test_function_of_a_deadline_stops_another(void) {
        struct curfew_ctx *ctx = timeout_ctx(CURFEW_SEC / 5);
        struct fixture f, other;

        fixture_start(&f, ctx, (struct curfew_cmd){ .argv = SH("echo ready; sleep 300") });
        other.sup = f.sup;
        fixture_add(&other, NULL, (struct curfew_cmd){ .argv = SH("echo ready; sleep 300") });
        assert_eq(curfew_ctx_after(ctx, ask_for_a_stop, other.run, NULL), 0);
        assert_eq(fixture_wait(&f)->reason, CURFEW_REASON_DEADLINE);
        assert_eq(fixture_wait(&other)->reason, CURFEW_REASON_CALLER);
        curfew_run_free(other.run);
        close(other.out);
        fixture_end(&f);
        curfew_ctx_unref(ctx);
}

static void test_all(void) {
        test_cancel_during_wait();
        test_cancel_shows_at_the_descriptor();
        test_never_asked();
        test_own_exit_after_harmless_step();
        test_kill_with_chatty_grandchild();
        test_grandchild_holds_the_pipe();
        test_ignored_signal_is_followed_by_kill();
        test_handled_signal();
        test_last_words();
        test_done_context_starts_nothing();
        test_stopped_child();
        test_stopped_child_hears();
        test_stop_once_and_skip();
        test_whom();
        test_leader_step_keeps_the_tree();
        test_descendant_outside_the_group();
        test_trouble_deadline_after_exit();
        test_trouble_cancel_after_exit();
        test_trouble_no_grace_written();
        test_trouble_cause_and_status();
        test_stop_of_an_exited_run_is_heard();
        test_first_thread_is_gone();
        test_stop_without_descriptors();
        test_shapes("dash");
        test_shapes("bash");
        test_deadline_in_environment();
        test_slow_function_of_a_cancel();
        test_slow_function_of_a_deadline();
        test_function_of_a_deadline_stops_another();
}

/* The kernel as it was before it could signal a process group through a pidfd (Linux 6.9). */
static void forget_group_signals(void) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

        assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void test_without_group_signals(void) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                forget_group_signals();
                test_all();
                exit(0);
        }
        assert_eq(waitpid(pid, &status, 0), pid);
        assert_eq(status, 0);
}

int main(void) {
        test_bound(180);
        unsetenv("CURFEW_DEADLINE");

        test_all();
        test_without_group_signals();
        return 0;
}
