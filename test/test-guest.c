// SPDX-License-Identifier: MIT

/* A perfect guest: whatever the host does with SIGCHLD, its threads and its waits, curfew works
 * beside it; and after any start, failed or not, the host is what it was before. The numbers are
 * rows of go-behaviours.md. */

#include "run.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static atomic_int sigchlds;

static void on_sigchld(int sig) {
        (void)sig;
        atomic_fetch_add(&sigchlds, 1);
}

static void set_sigchld(void (*handler)(int), int flags) {
        struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

        assert_eq(sigaction(SIGCHLD, &sa, NULL), 0);
}

static void run_some(int expect) {
        struct curfew_ctx *ctx;
        struct curfew_result res;

        res = run(&(struct curfew_cmd){
                .argv = SH("echo out; exit 7"),
                .out = { CURFEW_CAPTURE },
        });
        assert_str(res.out.data, "out\n");
        if (expect)
                assert_exited(res, 7);
        curfew_result_deinit(&res);

        ctx = timeout_ctx(CURFEW_SEC / 10);
        res = run_ctx(
                ctx, &(struct curfew_cmd){ .argv = (const char *[]){ "sleep", "300", NULL } });
        assert_eq(res.reason, CURFEW_REASON_DEADLINE);
        if (expect)
                assert_signaled(res, SIGTERM);
        curfew_result_deinit(&res);
        curfew_ctx_unref(ctx);
}

/* go 105: the host's handler is called once for each child, and takes nothing from us. */
static void test_own_handler(void) {
        atomic_store(&sigchlds, 0);
        set_sigchld(on_sigchld, SA_RESTART);
        for (int i = 1; i <= 5; ++i) {
                struct curfew_result res = run(&(struct curfew_cmd){
                        .argv = (const char *[]){ "true", NULL },
                        .backend = CURFEW_BACKEND_KEEPER,
                });

                assert_exited(res, 0);
                assert_eq(atomic_load(&sigchlds), i);
                curfew_result_deinit(&res);
        }
        run_some(true);
        set_sigchld(SIG_DFL, 0);
}

/* Whether the kernel can say how a process ended that somebody else has reaped (PIDFD_GET_INFO with
 * exit information, Linux 6.15). */
static bool kernel_remembers_status(void) {
        char release[64] = "";
        int major = 0, minor = 0;
        int fd = open("/proc/sys/kernel/osrelease", O_RDONLY | O_CLOEXEC);

        assert_ge(fd, 0);
        assert_gt(read(fd, release, sizeof(release) - 1), 0);
        close(fd);
        assert_eq(sscanf(release, "%d.%d", &major, &minor), 2);
        return major > 6 || (major == 6 && minor >= 15);
}

static void test_ignored_sigchld(void) {
        set_sigchld(SIG_IGN, 0);
        run_some(kernel_remembers_status());
        set_sigchld(SIG_DFL, 0);
}

static void test_nocldwait(void) {
        set_sigchld(on_sigchld, SA_NOCLDWAIT);
        run_some(kernel_remembers_status());
        set_sigchld(SIG_DFL, 0);
}

/* A status that is lost is unknown, and never made up: what is said is right or nothing. */
static void check_status(const struct curfew_result *res, int code) {
        if (res->status != CURFEW_STATUS_UNKNOWN)
                assert_exited(*res, code);
        else
                assert_false(kernel_remembers_status());
        assert_true(res->usage_known || res->usage.ru_maxrss == 0);
}

static void *wait_for_all(void *arg) {
        while (waitpid(-1, NULL, 0) >= 0 || errno == EINTR)
                ;
        return arg;
}

static void test_foreign_reaper(void) {
        pthread_t thread;
        pid_t anchor;

        /* Something to wait for, so that the reaper blocks instead of spinning. */
        anchor = fork();
        if (anchor == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* should this test fail */
                pause();
                _exit(0);
        }
        assert_eq(pthread_create(&thread, NULL, wait_for_all, NULL), 0);
        for (int code = 0; code < 100; ++code) {
                char script[16];
                struct curfew_result res;

                snprintf(script, sizeof(script), "exit %d", code);
                res = run(&(struct curfew_cmd){ .argv = SH(script) });
                check_status(&res, code);
                curfew_result_deinit(&res);
        }
        kill(anchor, SIGKILL);
        assert_eq(pthread_join(thread, NULL), 0);
        assert_no_children();
}

struct orphan {
        struct curfew *sup;
        struct curfew_run *run;
};

static void *start_and_leave(void *arg) {
        struct orphan *orphan = arg;

        assert_eq(
                curfew_start(orphan->sup, NULL,
                        &(struct curfew_cmd){ .argv = SH("read x; exit 3"), .in = { CURFEW_PIPE } },
                        NULL, &orphan->run),
                0);
        return NULL;
}

/* The thread that started it ends while the command runs. */
static void test_starting_thread_ends(void) {
        struct orphan orphan = { 0 };
        pthread_t thread;
        int fd;

        assert_eq(curfew_new(&orphan.sup), 0);
        assert_eq(pthread_create(&thread, NULL, start_and_leave, &orphan), 0);
        assert_eq(pthread_join(thread, NULL), 0);
        fd = curfew_run_take_fd(orphan.run, 0);
        assert_eq(curfew_run_wait(orphan.run, 0), -ETIMEDOUT);
        assert_eq(write(fd, "x\n", 2), 2);
        close(fd);
        assert_eq(curfew_run_wait(orphan.run, 20 * CURFEW_SEC), 0);
        assert_exited(*curfew_run_result(orphan.run), 3);
        curfew_free(orphan.sup);
}

/* All of the host that a start could disturb, as text. */
struct snapshot {
        char text[16384];
        size_t size;
};

__attribute__((format(printf, 2, 3))) static void note(
        struct snapshot *s, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        s->size += (size_t)vsnprintf(s->text + s->size, sizeof(s->text) - s->size, format, ap);
        va_end(ap);
        assert_lt(s->size, sizeof(s->text));
}

static void take_snapshot(struct snapshot *s) {
        char cwd[256];
        sigset_t mask, pending;
        mode_t old;

        s->size = 0;
        for (int sig = 1; sig <= SIGRTMAX; ++sig) {
                struct sigaction sa;

                if (sigaction(sig, NULL, &sa) < 0)
                        continue;
                note(s, "%d: %p %x\n", sig, (void *)(uintptr_t)sa.sa_handler,
                        (unsigned)sa.sa_flags);
        }
        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        sigpending(&pending);
        for (int sig = 1; sig <= SIGRTMAX; ++sig)
                note(s, "%d", sigismember(&mask, sig) + 2 * sigismember(&pending, sig));

        old = umask(0);
        umask(old);
        note(s, "\numask %o cwd %s pgrp %d nice %d\n", old, getcwd(cwd, sizeof(cwd)), getpgrp(),
                getpriority(PRIO_PROCESS, 0));

        for (int fd = 0; fd < 1024; ++fd) {
                struct stat st;

                if (fstat(fd, &st) == 0)
                        note(s, "fd %d: %llx %x %x\n", fd, (unsigned long long)st.st_ino,
                                (unsigned)fcntl(fd, F_GETFD), (unsigned)fcntl(fd, F_GETFL));
        }
}

static void check_untouched(const struct curfew_cmd *cmd, bool starts) {
        static struct snapshot before, after;
        struct curfew_result res;

        take_snapshot(&before);
        assert_eq(curfew_run(NULL, cmd, &res) == 0, starts);
        curfew_result_deinit(&res);
        take_snapshot(&after);
        assert_str(after.text, before.text);
        assert_no_children();
}

static int ignore_output(void *arg, const void *data, size_t size) {
        (void)arg, (void)data, (void)size;
        return 0;
}

static void test_host_is_untouched(void) {
        const char *const ok[] = { "true", NULL }, *const missing[] = { "/no/such", NULL };
        const char *const script[] = { "/proc/self/status", NULL };
        const uid_t nobody = 65534;
        const mode_t mask = 077;
        const struct curfew_rlimit limit = { RLIMIT_NOFILE, { 10, 10 } };
        const struct curfew_rlimit bad_limit = { 12345, { 1, 1 } };
        sigset_t blocked;

        /* A host with habits of its own. */
        signal(SIGPIPE, SIG_IGN);
        signal(SIGRTMIN + 3, SIG_IGN);
        signal(SIGUSR1, on_sigchld);
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGUSR2);
        sigaddset(&blocked, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &blocked, NULL);
        raise(SIGUSR2);

        check_untouched(&(struct curfew_cmd){ .argv = ok }, true);
        check_untouched(&(struct curfew_cmd){ .argv = ok,
                                .in = { CURFEW_INHERIT },
                                .out = { CURFEW_INHERIT },
                                .err = { CURFEW_INHERIT },
                                .umask = &mask,
                                .dir = "/",
                                .rlimits = &limit,
                                .n_rlimits = 1,
                                .nice = 1,
                                .setsid = true,
                                .no_new_privs = true },
                true);
        check_untouched(&(struct curfew_cmd){ .argv = ok,
                                .in = { CURFEW_FEED, .data = "unread", .size = 6 },
                                .out = { CURFEW_CAPTURE },
                                .err = { CURFEW_CALLBACK, .fn = ignore_output } },
                true);
        check_untouched(&(struct curfew_cmd){ .argv = missing }, false);
        check_untouched(&(struct curfew_cmd){ .argv = script }, false);
        check_untouched(&(struct curfew_cmd){ .argv = ok, .dir = "/no/such" }, false);
        check_untouched(
                &(struct curfew_cmd){ .argv = ok, .rlimits = &bad_limit, .n_rlimits = 1 }, false);
        check_untouched(&(struct curfew_cmd){ .argv = ok, .pgid = 1 }, false);
        check_untouched(&(struct curfew_cmd){ 0 }, false);
        check_untouched(&(struct curfew_cmd){ .argv = missing,
                                .in = { CURFEW_FEED, .data = "x", .size = 1 },
                                .out = { CURFEW_CAPTURE },
                                .err = { CURFEW_TO_STDOUT } },
                false);
        if (geteuid() != 0)
                check_untouched(&(struct curfew_cmd){ .argv = ok, .uid = &(uid_t){ 0 } }, false);
        else
                check_untouched(&(struct curfew_cmd){ .argv = ok, .uid = &nobody }, true);

        signal(SIGUSR2, SIG_IGN); /* drops the pending one */
        pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
        signal(SIGPIPE, SIG_DFL);
        signal(SIGUSR1, SIG_DFL);
}

/* The child gets default dispositions and an empty mask, whatever the host has. */
static void test_child_signals_are_default(void) {
        struct curfew_result res;
        sigset_t all;

        signal(SIGPIPE, SIG_IGN);
        signal(SIGRTMAX, SIG_IGN);
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        res = run(&(struct curfew_cmd){
                .argv = (const char *[]){ "cat", "/proc/self/status", NULL },
                .out = { CURFEW_CAPTURE },
        });
        assert_true(strstr(res.out.data, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
                                         "SigCgt:\t0000000000000000\n"));
        curfew_result_deinit(&res);
        pthread_sigmask(SIG_UNBLOCK, &all, NULL);
        signal(SIGPIPE, SIG_DFL);
        signal(SIGRTMAX, SIG_DFL);
}

/* go 106, 107, 108: a run's process after its end, and its pidfd in the caller's hands. */
static void test_after_the_end(void) {
        struct curfew *sup = NULL;
        struct curfew_run *child = NULL;
        int pidfd;

        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, NULL,
                          &(struct curfew_cmd){ .argv = SH("read x"), .in = { CURFEW_PIPE } }, NULL,
                          &child),
                0);
        assert_eq(curfew_run_signal(child, CURFEW_LEADER, 0), 1);
        assert_eq(curfew_run_signal(child, CURFEW_LEADER, -1), -EINVAL);
        assert_eq(curfew_run_signal(child, CURFEW_LEADER, 65), -EINVAL);
        pidfd = fcntl(curfew_run_pidfd(child), F_DUPFD_CLOEXEC, 3);
        assert_ge(pidfd, 3);

        close(curfew_run_take_fd(child, 0));
        assert_eq(curfew_run_wait(child, 20 * CURFEW_SEC), 0);
        assert_eq(curfew_run_wait(child, 0), 0);
        assert_eq(curfew_run_signal(child, CURFEW_LEADER, 0), -ESRCH);
        assert_eq(curfew_run_signal(child, CURFEW_LEADER, SIGKILL), -ESRCH);
        assert_eq(curfew_run_pidfd(child), -ESRCH);
        assert_eq(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0), -1);
        assert_eq(errno, ESRCH);
        close(pidfd);

        assert_null(curfew_run_free(child));
        assert_null(curfew_run_free(NULL));
        assert_null(curfew_free(sup));
        assert_null(curfew_free(NULL));
        assert_no_children();
}

/* A child that exits before anybody looks gives -ESRCH too, though it is a zombie. */
static void test_signal_to_a_zombie(void) {
        struct curfew *sup = NULL;
        struct curfew_run *child = NULL;
        struct pollfd fd = { .events = POLLIN };

        assert_eq(curfew_new(&sup), 0);
        assert_eq(
                curfew_start(sup, NULL, &(struct curfew_cmd){ .argv = SH("exit 0") }, NULL, &child),
                0);
        fd.fd = curfew_run_pidfd(child);
        assert_eq(poll(&fd, 1, 20000), 1);
        assert_eq(curfew_run_signal(child, CURFEW_LEADER, SIGTERM), -ESRCH);
        curfew_free(sup);
        assert_no_children();
}

/* What is let go of is stopped, by its plan, and nothing remains. */
static void test_letting_go(void) {
        unsigned fds = count_fds();
        struct curfew *sup = NULL;
        struct curfew_run *a = NULL, *b = NULL;
        struct curfew_event event;

        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, NULL,
                          &(struct curfew_cmd){ .argv = SH("sleep 300 & sleep 300") }, NULL, &a),
                0);
        assert_eq(
                curfew_start(sup, NULL, &(struct curfew_cmd){ .argv = SH("sleep 300") }, NULL, &b),
                0);
        curfew_run_free(a);
        assert_eq(curfew_next_event(sup, &event), 0);
        curfew_free(sup);
        assert_no_children();
        assert_eq(count_fds(), fds);
}

/* A host without standard streams: what is opened here takes none of their numbers, and so a child
 * that inherits them gets /dev/null. */
static void test_closed_standard_streams(void) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                struct curfew_ctx *ctx;
                struct curfew_result res;

                for (int fd = 0; fd < 3; ++fd)
                        close(fd);
                ctx = timeout_ctx(20 * CURFEW_SEC);
                res = run_ctx(ctx, &(struct curfew_cmd){
                                           .argv = SH("readlink /proc/self/fd/0 /proc/self/fd/2"),
                                           .in = { CURFEW_INHERIT },
                                           .out = { CURFEW_CAPTURE },
                                           .err = { CURFEW_INHERIT },
                                   });
                for (int fd = 0; fd < 3; ++fd)
                        if (fcntl(fd, F_GETFD) >= 0)
                                _exit(1);
                _exit(strcmp(res.out.data, "/dev/null\n/dev/null\n") ? 2 : 0);
        }
        assert_eq(waitpid(pid, &status, 0), pid);
        assert_eq(status, 0);
}

int main(void) {
        unsigned fds;

        test_bound(120);
        fds = count_fds();

        test_own_handler();
        test_ignored_sigchld();
        test_nocldwait();
        test_foreign_reaper();
        test_starting_thread_ends();
        test_host_is_untouched();
        test_child_signals_are_default();
        test_closed_standard_streams();
        test_after_the_end();
        test_signal_to_a_zombie();
        test_letting_go();
        assert_eq(count_fds(), fds);
        return 0;
}
