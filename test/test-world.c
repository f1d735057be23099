// SPDX-License-Identifier: MIT

/* Contexts that end by something in the world: a descriptor, a process, a signal. The numbers are
 * rows of go-behaviours.md. */

#include "run.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define FAR (1000 * CURFEW_SEC)

static void assert_live(struct curfew_ctx *ctx) {
        struct pollfd fd = { .fd = curfew_ctx_fd(ctx), .events = POLLIN };

        assert_eq(curfew_ctx_err(ctx), 0);
        assert_eq(poll(&fd, 1, 0), 0);
}

/* By poll first, then by who asks. */
static void assert_cancelled(struct curfew_ctx *ctx, int code, const char *text) {
        struct pollfd fd = { .fd = curfew_ctx_fd(ctx), .events = POLLIN };
        struct curfew_cause cause;

        assert_eq(poll(&fd, 1, 20000), 1);
        assert_eq(curfew_ctx_cause(ctx, &cause), -ECANCELED);
        assert_eq(cause.code, code);
        assert_str(cause.text, text);
        assert_eq(poll(&fd, 1, 0), 1);
}

static struct curfew_ctx *with_fd(int fd, short events) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(curfew_ctx_with_fd(NULL, fd, events, &ctx), 0);
        return ctx;
}

static const char *text_of(int fd, const char *what) {
        static char text[64];

        snprintf(text, sizeof(text), "descriptor %d %s", fd, what);
        return text;
}

/* Descriptors */

static void test_readable(void) {
        int fd = eventfd(0, EFD_CLOEXEC);
        struct curfew_ctx *ctx = with_fd(fd, POLLIN), *below = NULL, *late;

        assert_eq(curfew_ctx_with_timeout(ctx, FAR, &below), 0);
        assert_live(below);
        assert_eq(write(fd, &(uint64_t){ 1 }, 8), 8);
        assert_cancelled(below, POLLIN, text_of(fd, "is ready"));
        late = with_fd(fd, POLLIN);
        assert_eq(curfew_ctx_err(late), -ECANCELED); /* born done; nothing was read */
        assert_eq(read(fd, &(uint64_t){ 0 }, 8), 8);
        assert_eq(curfew_ctx_err(below), -ECANCELED);
        curfew_ctx_unref(below);
        curfew_ctx_unref(late);
        curfew_ctx_unref(ctx);
        close(fd);
}

/* What is still to be read doesn't hide that the other end is gone, and is not what counts. */
static void test_hang_up(bool socket) {
        struct curfew_ctx *ctx;
        int ends[2];
        char c;

        assert_eq(socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends), 0);
        ctx = with_fd(ends[0], POLLRDHUP);
        assert_eq(write(ends[1], "x", 1), 1);
        assert_live(ctx);
        close(ends[1]);
        assert_cancelled(ctx, socket ? POLLHUP | POLLRDHUP : POLLHUP, text_of(ends[0], "hung up"));
        assert_eq(read(ends[0], &c, 1), 1);
        curfew_ctx_unref(ctx);
        close(ends[0]);
}

/* A client that has said all but still listens. */
static void test_half_closed(void) {
        struct curfew_ctx *gone, *silent;
        int ends[2];

        assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        silent = with_fd(ends[0], POLLRDHUP);
        gone = with_fd(ends[0], 0);
        assert_eq(shutdown(ends[1], SHUT_WR), 0);
        assert_cancelled(silent, POLLRDHUP, text_of(ends[0], "hung up"));
        assert_live(gone);
        close(ends[1]);
        assert_cancelled(gone, POLLHUP, text_of(ends[0], "hung up"));
        curfew_ctx_unref(gone);
        curfew_ctx_unref(silent);
        close(ends[0]);
}

/* The writing end of a pipe without a reader. */
static void test_broken_pipe(void) {
        struct curfew_ctx *ctx;
        int ends[2];

        assert_eq(pipe(ends), 0);
        ctx = with_fd(ends[1], 0);
        assert_live(ctx);
        close(ends[0]);
        assert_cancelled(ctx, POLLERR, text_of(ends[1], "hung up"));
        curfew_ctx_unref(ctx);
        close(ends[1]);
}

/* The context keeps no connection open, and means no other that gets the number. */
static void test_descriptor_is_the_callers(void) {
        struct curfew_ctx *ctx;
        int ends[2], others[2];
        unsigned n = count_fds();
        char c;

        assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        ctx = with_fd(ends[0], POLLIN);
        assert_live(ctx);
        close(ends[0]);
        assert_eq(read(ends[1], &c, 1), 0); /* the other end has heard of it */
        assert_eq(pipe(others), 0);
        assert_eq(others[0], ends[0]);
        close(others[1]);
        assert_live(ctx);
        curfew_ctx_cancel(ctx);
        curfew_ctx_unref(ctx);
        close(others[0]);
        close(ends[1]);
        assert_eq(count_fds(), n);
}

static void test_bad_descriptors(void) {
        struct curfew_ctx *ctx = NULL;
        int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        unsigned n = count_fds();

        assert_eq(curfew_ctx_with_fd(NULL, -1, POLLIN, &ctx), -EBADF);
        assert_eq(curfew_ctx_with_fd(NULL, 1 << 20, POLLIN, &ctx), -EBADF);
        assert_eq(curfew_ctx_with_fd(NULL, fd, POLLIN, &ctx), -EPERM);
        assert_eq(curfew_ctx_with_fd(NULL, 0, POLLNVAL, &ctx), -EINVAL);
        assert_eq(curfew_ctx_with_fd(NULL, 0, POLLIN, NULL), -EINVAL);
        assert_eq(curfew_ctx_with_pid(NULL, getpid(), NULL), -EINVAL);
        assert_eq(curfew_ctx_with_pid(NULL, 0, &ctx), -EINVAL);
        assert_eq(curfew_ctx_with_pid(NULL, -1, &ctx), -EINVAL);
        assert_eq(curfew_ctx_with_pid(NULL, INT32_MAX, &ctx), -ESRCH);
        assert_eq(curfew_ctx_with_ppid(NULL, 0, &ctx), -EINVAL);
        assert_null(ctx);
        assert_eq(count_fds(), n);
        close(fd);
}

/* A wait gives back what it has taken, however it ends. */
static void *write_to(void *fd) {
        assert_eq(write(*(int *)fd, &(uint64_t){ 1 }, 8), 8);
        return NULL;
}

static void *cancel_it(void *ctx) {
        curfew_ctx_cancel(ctx);
        return NULL;
}

static void test_wait(void) {
        int fd = eventfd(0, EFD_CLOEXEC);
        struct curfew_ctx *ctx = with_fd(fd, POLLIN);
        unsigned n = count_fds();
        pthread_t thread;

        assert_eq(curfew_ctx_wait(ctx, CURFEW_SEC / 100), -ETIMEDOUT);
        assert_eq(count_fds(), n);
        assert_eq(pthread_create(&thread, NULL, write_to, &fd), 0);
        assert_eq(curfew_ctx_wait(ctx, FAR), 0);
        assert_eq(pthread_join(thread, NULL), 0);
        curfew_ctx_unref(ctx);

        assert_eq(read(fd, &(uint64_t){ 0 }, 8), 8);
        ctx = with_fd(fd, POLLIN);
        assert_eq(pthread_create(&thread, NULL, cancel_it, ctx), 0);
        assert_eq(curfew_ctx_wait(ctx, FAR), 0);
        assert_eq(pthread_join(thread, NULL), 0);
        assert_eq(count_fds(), n);
        curfew_ctx_unref(ctx);
        close(fd);
}

static void count_call(void *arg) {
        ++*(int *)arg;
}

/* As with a deadline: whoever looks makes it so, for all. */
static void test_who_looks(void) {
        int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC), calls = 0;
        struct curfew_ctx *ctx = with_fd(fd, POLLIN), *second = with_fd(other, POLLIN),
                          *both = NULL;

        assert_eq(curfew_ctx_merge((struct curfew_ctx *[]){ second, ctx }, 2, &both), 0);
        assert_eq(curfew_ctx_after(ctx, count_call, &calls, NULL), 0);
        assert_live(both);
        assert_eq(write(fd, &(uint64_t){ 1 }, 8), 8);
        assert_eq(calls, 0);
        assert_cancelled(both, POLLIN, text_of(fd, "is ready"));
        assert_eq(calls, 1);
        assert_live(second);
        curfew_ctx_unref(both);
        curfew_ctx_unref(second);
        curfew_ctx_unref(ctx);
        close(fd);
        close(other);
}

/* Commands */

static int self_pipe[2], started[2];

static void write_self(int signal) {
        (void)signal;
        (void)!write(self_pipe[1], "x", 1);
}

static void *raise_once_it_runs(void *unused) {
        char c;

        (void)unused;
        assert_eq(read(started[0], &c, 1), 1);
        assert_eq(kill(getpid(), SIGUSR1), 0);
        return NULL;
}

/* How a blocking curfew_run() is left: the self-pipe of the host's own handler. */
static void test_run_is_left(void) {
        struct sigaction action = { .sa_handler = write_self }, old;
        struct curfew_result res;
        struct curfew_ctx *ctx;
        pthread_t thread;

        assert_eq(pipe2(self_pipe, O_CLOEXEC), 0);
        assert_eq(pipe2(started, O_CLOEXEC), 0);
        assert_eq(sigaction(SIGUSR1, &action, &old), 0);
        ctx = with_fd(self_pipe[0], POLLIN);
        assert_eq(pthread_create(&thread, NULL, raise_once_it_runs, NULL), 0);
        res = run_ctx(ctx, &(struct curfew_cmd){
                                   .argv = SH("echo >&3; sleep 300"),
                                   .fds = &(struct curfew_extra_fd){ 3, started[1] },
                                   .n_fds = 1,
                           });
        assert_eq(pthread_join(thread, NULL), 0);
        assert_signaled(res, SIGTERM);
        assert_eq(res.reason, CURFEW_REASON_CANCELLED);
        assert_eq(res.cause.code, POLLIN);
        curfew_result_deinit(&res);
        curfew_ctx_unref(ctx);
        assert_eq(sigaction(SIGUSR1, &old, NULL), 0);
        for (unsigned i = 0; i < 2; ++i) {
                close(self_pipe[i]);
                close(started[i]);
        }
}

/* The host's epoll has the supervisor's, which has the context's, which has the source's: the
 * kernel takes so many into each other. */
static void test_loops_in_loops(void) {
        int outer = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(0, EFD_CLOEXEC);
        struct epoll_event event = { .events = EPOLLIN };
        struct curfew_ctx *ctx = with_fd(fd, POLLIN);
        struct curfew *sup = NULL;
        struct curfew_run *run = NULL;

        assert_eq(curfew_new(&sup), 0);
        assert_eq(epoll_ctl(outer, EPOLL_CTL_ADD, curfew_fd(sup), &event), 0);
        assert_eq(
                curfew_start(sup, ctx, &(struct curfew_cmd){ .argv = SH("sleep 300") }, NULL, &run),
                0);
        curfew_dispatch(sup);
        assert_eq(write(fd, &(uint64_t){ 1 }, 8), 8);
        while (!curfew_run_result(run)) {
                assert_eq(epoll_wait(outer, &event, 1, 20000), 1);
                assert_eq(curfew_dispatch(sup), 0);
        }
        assert_eq(curfew_run_result(run)->reason, CURFEW_REASON_CANCELLED);
        curfew_free(sup);
        curfew_ctx_unref(ctx);
        close(fd);
        close(outer);
}

/* Processes */

static void test_process_ends(void) {
        struct curfew_ctx *ctx = NULL, *late = NULL;
        int hold[2], status;
        char text[64], c;
        pid_t pid;

        assert_eq(pipe(hold), 0);
        pid = fork();
        if (pid == 0) {
                close(hold[1]);
                _exit(read(hold[0], &c, 1) == 0 ? 3 : 4);
        }
        close(hold[0]);
        assert_eq(curfew_ctx_with_pid(NULL, pid, &ctx), 0);
        assert_live(ctx);
        close(hold[1]);
        snprintf(text, sizeof(text), "process %d ended", pid);
        assert_cancelled(ctx, pid, text);
        assert_eq(curfew_ctx_with_pid(NULL, pid, &late), 0); /* a zombie has ended */
        assert_eq(curfew_ctx_err(late), -ECANCELED);
        assert_eq(waitpid(pid, &status, 0), pid); /* its status is left to its parent */
        assert_eq(WEXITSTATUS(status), 3);
        curfew_ctx_unref(late);
        curfew_ctx_unref(ctx);
}

/* This process is the reaper of a grandchild that watches its parent, which has a thread start it.
 * That the thread ends means nothing; that the parent does is its end. A pipe says which is which.
 */
struct family {
        int says[2], thread_ended[2], hold[2];
        pid_t parent;
};

static void watch_parent(const struct family *family, bool late) {
        struct curfew_ctx *ctx = NULL;
        char c;

        close(family->hold[1]);
        if (late) /* the parent has ended before anybody looks */
                while (getppid() == family->parent)
                        ;
        assert_eq(curfew_ctx_with_ppid(NULL, family->parent, &ctx), 0);
        if (!late) {
                assert_eq(read(family->thread_ended[0], &c, 1), 1);
                assert_live(ctx);
                assert_eq(write(family->says[1], "l", 1), 1);
        }
        assert_eq(curfew_ctx_wait(ctx, late ? 0 : FAR), 0);
        assert_eq(curfew_ctx_err(ctx), -ECANCELED);
        assert_eq(write(family->says[1], "d", 1), 1);
        _exit(0);
}

static bool is_late;

static void *start_watcher(void *arg) {
        const struct family *family = arg;

        if (fork() == 0)
                watch_parent(family, is_late);
        return NULL;
}

static void be_parent(struct family *family) {
        pthread_t thread;
        char c;

        family->parent = getpid();
        assert_eq(pthread_create(&thread, NULL, start_watcher, family), 0);
        assert_eq(pthread_join(thread, NULL), 0);
        assert_eq(write(family->thread_ended[1], "x", 1), 1);
        if (!is_late)
                (void)!read(family->hold[0], &c, 1);
        _exit(0);
}

static void test_parent_ends(bool late) {
        struct family family;
        char c;

        is_late = late;
        assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        assert_eq(pipe(family.says), 0);
        assert_eq(pipe(family.thread_ended), 0);
        assert_eq(pipe(family.hold), 0);
        if (fork() == 0) {
                close(family.hold[1]);
                be_parent(&family);
        }
        if (!late) {
                assert_eq(read(family.says[0], &c, 1), 1);
                assert_eq(c, 'l');
        }
        close(family.hold[1]);
        assert_eq(read(family.says[0], &c, 1), 1);
        assert_eq(c, 'd');
        while (wait(NULL) > 0)
                ;
        assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
        close(family.hold[0]);
        for (unsigned i = 0; i < 2; ++i) {
                close(family.says[i]);
                close(family.thread_ended[i]);
        }
}

/* Signals */

static sigset_t set_of(int signal) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, signal);
        return set;
}

static bool is_blocked(int signal) {
        sigset_t mask;

        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        return sigismember(&mask, signal);
}

static struct curfew_signals *signals_open(struct curfew_ctx *parent, int signal) {
        struct curfew_signals *signals = NULL;
        sigset_t set = set_of(signal);

        assert_eq(curfew_signals_open(parent, &set, &signals), 0);
        assert_true(is_blocked(signal));
        return signals;
}

/* go 51: one signal or ten; a wait for it; two ways to the same signals. */
static void test_signals(void) {
        unsigned n_fds = count_fds();

        signal(SIGINT, SIG_DFL); /* whoever runs the tests may ignore it */
        for (unsigned n = 1; n <= 10; n += 9) {
                struct curfew_ctx *parent = cancel_ctx(), *ctx, *child = NULL, *merged = NULL;
                struct curfew_signals *signals = signals_open(parent, SIGINT);

                ctx = curfew_signals_ctx(signals);
                assert_eq(curfew_ctx_with_timeout(ctx, FAR, &child), 0);
                assert_eq(curfew_ctx_merge((struct curfew_ctx *[]){ ctx, child }, 2, &merged), 0);
                assert_live(child);
                assert_live(merged);
                for (unsigned i = 0; i < n; ++i)
                        assert_eq(kill(getpid(), SIGINT), 0);
                assert_eq(curfew_ctx_wait(merged, FAR), 0);
                assert_cancelled(merged, SIGINT, "SIGINT");
                assert_cancelled(child, SIGINT, "SIGINT");
                assert_eq(kill(getpid(), SIGINT), 0); /* swallowed */
                assert_live(parent);
                curfew_ctx_unref(merged);
                curfew_ctx_unref(child);
                assert_null(curfew_signals_close(signals));
                curfew_ctx_unref(parent);
                assert_false(is_blocked(SIGINT));
        }
        assert_null(curfew_signals_close(NULL));
        assert_eq(count_fds(), n_fds);
}

/* go 52: an ignored signal is received as well; closing ends the context, whoever keeps it. */
static void test_ignored_signal(void) {
        struct curfew_signals *signals;
        struct curfew_ctx *kept;

        signal(SIGINT, SIG_IGN);
        signals = signals_open(NULL, SIGINT);
        assert_eq(kill(getpid(), SIGINT), 0);
        assert_cancelled(curfew_signals_ctx(signals), SIGINT, "SIGINT");
        curfew_signals_close(signals);

        signals = signals_open(NULL, SIGINT);
        kept = curfew_ctx_ref(curfew_signals_ctx(signals));
        assert_live(kept);
        curfew_signals_close(signals);
        assert_false(is_blocked(SIGINT));
        assert_cancelled(kept, -ECANCELED, "cancelled");
        curfew_ctx_unref(kept);
        signal(SIGINT, SIG_DFL);
}

/* Exactly what was not blocked before is unblocked after; what was is left pending. */
static void test_mask_is_restored(void) {
        sigset_t set = set_of(SIGUSR1), own = set_of(SIGUSR1), pending;
        struct curfew_signals *signals = NULL;

        sigaddset(&set, SIGUSR2);
        sigaddset(&set, SIGRTMIN + 1);
        pthread_sigmask(SIG_BLOCK, &own, NULL);
        assert_eq(curfew_signals_open(NULL, &set, &signals), 0);
        assert_true(is_blocked(SIGUSR2));
        for (unsigned i = 0; i < 3; ++i)
                assert_eq(kill(getpid(), SIGRTMIN + 1), 0);
        assert_cancelled(curfew_signals_ctx(signals), SIGRTMIN + 1, "SIGRTMIN+1");
        assert_eq(kill(getpid(), SIGUSR1), 0);
        curfew_signals_close(signals);
        assert_true(is_blocked(SIGUSR1));
        assert_false(is_blocked(SIGUSR2));
        assert_false(is_blocked(SIGRTMIN + 1));
        sigpending(&pending);
        assert_true(sigismember(&pending, SIGUSR1));
        assert_eq(sigtimedwait(&own, NULL, &(struct timespec){ 0 }), SIGUSR1);
        pthread_sigmask(SIG_UNBLOCK, &own, NULL);
}

/* go 53: a cancelled parent needs no signal. */
static void test_cancelled_parent(void) {
        struct curfew_ctx *parent = cancel_ctx();
        struct curfew_signals *signals;

        curfew_ctx_cancel_cause(parent, 4, "before");
        signals = signals_open(parent, SIGUSR1);
        assert_cancelled(curfew_signals_ctx(signals), 4, "before");
        curfew_signals_close(signals);
        curfew_ctx_unref(parent);
}

/* Several for the same signal all hear of it. */
static void test_nested(void) {
        struct curfew_signals *outer = signals_open(NULL, SIGUSR1),
                              *inner = signals_open(NULL, SIGUSR1);

        assert_eq(kill(getpid(), SIGUSR1), 0);
        assert_cancelled(curfew_signals_ctx(inner), SIGUSR1, "SIGUSR1");
        curfew_signals_close(inner);
        assert_true(is_blocked(SIGUSR1));
        assert_cancelled(curfew_signals_ctx(outer), SIGUSR1, "SIGUSR1");
        curfew_signals_close(outer);
        assert_false(is_blocked(SIGUSR1));
}

/* Another thread frees the last reference, which is nobody's mask; and one looks. */
static void *look_and_let_go(void *ctx) {
        assert_eq(curfew_ctx_wait(ctx, FAR), 0);
        assert_true(is_blocked(SIGUSR1));
        curfew_ctx_unref(ctx);
        assert_true(is_blocked(SIGUSR1));
        return NULL;
}

static void test_other_thread(void) {
        struct curfew_signals *signals = signals_open(NULL, SIGUSR1);
        pthread_t thread;

        assert_eq(pthread_create(&thread, NULL, look_and_let_go,
                          curfew_ctx_ref(curfew_signals_ctx(signals))),
                0);
        assert_eq(kill(getpid(), SIGUSR1), 0);
        assert_eq(pthread_join(thread, NULL), 0);
        assert_cancelled(curfew_signals_ctx(signals), SIGUSR1, "SIGUSR1");
        curfew_signals_close(signals);
        assert_false(is_blocked(SIGUSR1));
}

int main(void) {
        test_bound(120);
        unsetenv("CURFEW_DEADLINE");

        test_readable();
        test_hang_up(false);
        test_hang_up(true);
        test_half_closed();
        test_broken_pipe();
        test_descriptor_is_the_callers();
        test_bad_descriptors();
        test_wait();
        test_who_looks();
        test_run_is_left();
        test_loops_in_loops();
        test_process_ends();
        test_parent_ends(false);
        test_parent_ends(true);
        test_signals();
        test_ignored_signal();
        test_mask_is_restored();
        test_cancelled_parent();
        test_nested();
        test_other_thread();
        return 0;
}
