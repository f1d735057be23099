// SPDX-License-Identifier: MIT
#include "trial.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>

/* How a child ended is told truly, whoever else waits for it, and nobody else is hit. */

static void start(struct trial *trial, struct child *ret) {
        assert_eq(trial_spawn(trial, ret), 0);
        assert_gt(ret->pid, 0);
        assert_eq(fcntl(ret->pidfd, F_GETFD), FD_CLOEXEC);
}

static struct child_exit end_of(struct child *child) {
        struct child_exit how;

        trial_wait(child);
        assert_eq(child_peek(child, &how), 1);
        return how;
}

/* One that lives until the returned end of a pipe is closed. */
static int start_waiting(const char *verb, struct child *ret) {
        struct trial trial = TRIAL(verb, "3");
        int ends[2];

        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        trial.fds[0].source = ends[0];
        start(&trial, ret);
        close(ends[0]);
        return ends[1];
}

static void test_codes(void) {
        const char *const codes[] = { "0", "1", "42", "127", "255" };

        for (size_t i = 0; i < ARRAY_SIZE(codes); ++i) {
                struct trial trial = TRIAL("exit", codes[i]);
                struct child child = CHILD_NULL;
                struct child_exit how;

                start(&trial, &child);
                how = end_of(&child);
                assert_eq(how.status, CURFEW_STATUS_EXITED);
                assert_eq(how.code, atoi(codes[i]));
                assert_false(how.core_dumped);
                assert_true(how.usage_known);
                child_deinit(&child);
        }
}

static void test_signals(void) {
        const char *const signals[] = { "9", "15", "2", "64" };

        for (size_t i = 0; i < ARRAY_SIZE(signals); ++i) {
                struct trial trial = TRIAL("die", signals[i]);
                struct child child = CHILD_NULL;
                struct child_exit how;

                start(&trial, &child);
                how = end_of(&child);
                assert_eq(how.status, CURFEW_STATUS_SIGNALED);
                assert_eq(how.code, atoi(signals[i]));
                assert_false(how.core_dumped);
                child_deinit(&child);
        }
}

/* Where the machine writes core files at all: a wait of our own says whether it does. */
static void test_core(void) {
        struct curfew_rlimit rlimit = { RLIMIT_CORE, { RLIM_INFINITY, RLIM_INFINITY } };
        struct trial trial = TRIAL("die", "6");
        struct child child = CHILD_NULL;
        struct child_exit how;
        char dir[] = "/tmp/curfew-child-XXXXXX", path[64];
        struct rlimit limit;
        int status;

        assert_eq(getrlimit(RLIMIT_CORE, &limit), 0);
        rlimit.limit = (struct rlimit){ limit.rlim_max, limit.rlim_max };
        assert_true(mkdtemp(dir));
        trial.cmd.rlimits = &rlimit;
        trial.cmd.n_rlimits = 1;
        trial.cmd.dir = dir;
        start(&trial, &child);
        how = end_of(&child);
        assert_eq(how.status, CURFEW_STATUS_SIGNALED);
        assert_eq(how.code, SIGABRT);
        assert_eq(waitpid(child.pid, &status, 0), child.pid);
        assert_eq(how.core_dumped, !!WCOREDUMP(status));
        child_deinit(&child);

        snprintf(path, sizeof(path), "%s/core", dir);
        unlink(path);
        snprintf(path, sizeof(path), "%s/core.%d", dir, (int)child.pid);
        unlink(path);
        rmdir(dir);
}

/* Looking takes nothing: the number stays taken until the reaping. */
static void test_peek(void) {
        struct child child = CHILD_NULL;
        struct child_exit how = { .code = 77 };
        int fd = start_waiting("wait", &child);

        assert_eq(child_peek(&child, &how), 0);
        assert_eq(how.code, 77);
        assert_eq(child_reap(&child), -EAGAIN);
        close(fd);
        for (int i = 0; i < 3; ++i)
                assert_eq(end_of(&child).code, 3);
        assert_eq(kill(child.pid, 0), 0);
        assert_eq(child_reap(&child), 0);
        assert_eq(child_reap(&child), 0);
        assert_eq(kill(child.pid, 0), -1);
        assert_eq(waitpid(-1, NULL, WNOHANG), -1);
        child_deinit(&child);
        child_deinit(&child);
}

static void test_usage(void) {
        struct trial trial = TRIAL("burn");
        struct child child = CHILD_NULL;
        struct child_exit how;
        struct rusage seen, usage;

        start(&trial, &child);
        how = end_of(&child);
        assert_true(how.usage_known);
        seen = child_rusage(&how.usage);
        assert_ge(seen.ru_utime.tv_usec + seen.ru_stime.tv_usec +
                          1000000 * (seen.ru_utime.tv_sec + seen.ru_stime.tv_sec),
                50000);

        assert_eq(wait4(child.pid, NULL, 0, &usage), child.pid);
        /* The fields are where wait4() has them. What the last instants of an exit still add to,
         * times and switches, may have grown. */
        assert_eq(seen.ru_maxrss, usage.ru_maxrss);
        assert_eq(seen.ru_minflt, usage.ru_minflt);
        assert_eq(seen.ru_majflt, usage.ru_majflt);
        assert_le(seen.ru_nvcsw, usage.ru_nvcsw);
        assert_le(seen.ru_nivcsw, usage.ru_nivcsw);
        child_deinit(&child);
}

static void test_signal(void) {
        struct child child = CHILD_NULL;
        struct child_exit how;
        int fd = start_waiting("wait", &child);

        assert_eq(child_signal(&child, 0), 0);
        assert_eq(child_signal(&child, 1000), -EINVAL);
        assert_eq(child_signal(&child, SIGTERM), 0);
        how = end_of(&child);
        assert_eq(how.status, CURFEW_STATUS_SIGNALED);
        assert_eq(how.code, SIGTERM);

        /* A zombie could be signalled, to no effect. */
        assert_eq(child_signal(&child, 0), -ESRCH);
        assert_eq(child_signal(&child, SIGKILL), -ESRCH);
        assert_eq(child_reap(&child), 0);
        assert_eq(child_signal(&child, SIGKILL), -ESRCH);
        child_deinit(&child);
        close(fd);
}

/* Letting go of a child ends it. */
static void test_deinit(void) {
        struct child child = CHILD_NULL;
        int fd = start_waiting("wait", &child), copy = dup(child.pidfd);
        struct child observer = { .pid = child.pid, .pidfd = copy };

        assert_ge(copy, 0);
        child_deinit(&child);
        assert_eq(child.pidfd, -1);
        assert_eq(child_signal(&observer, 0), -ESRCH);
        assert_eq(waitpid(-1, NULL, WNOHANG), -1);
        close(copy);
        close(fd);
        child_deinit(&(struct child)CHILD_NULL);
}

/* Whether the kernel tells through a pidfd how a process that somebody else has reaped has ended.
 */
static bool pidfd_tells(void) {
        uint64_t info[8] = { 1 << 3 };
        struct trial trial = TRIAL("exit");
        struct child child = CHILD_NULL;
        bool tells;

        start(&trial, &child);
        trial_wait(&child);
        assert_eq(waitpid(child.pid, NULL, 0), child.pid);
        tells = ioctl(child.pidfd, _IOWR(0xFF, 11, uint64_t[8]), info) == 0 && (info[0] & 1 << 3);
        child_deinit(&child);
        return tells;
}

static void expect_taken(struct child *child, enum curfew_status status, int code) {
        struct child_exit how = end_of(child);

        if (pidfd_tells()) {
                assert_eq(how.status, status);
                assert_eq(how.code, code);
        } else {
                assert_eq(how.status, CURFEW_STATUS_UNKNOWN);
        }
        assert_false(how.usage_known);
        assert_eq(child_reap(child), 0);
        assert_eq(end_of(child).status, how.status);
        child_deinit(child);
}

/* Somebody who can't wait for it at all, since it is the child of another, learns of its exit only
 * once that one has waited for it. */
static void test_not_ours(void) {
        struct child child = CHILD_NULL;
        struct child_exit how;
        int fd = start_waiting("wait", &child), status;
        pid_t pid = fork();

        if (pid == 0) {
                assert_eq(child_peek(&child, &how), 0);
                assert_eq(child_reap(&child), -EAGAIN);
                close(fd);
                _exit(0);
        }
        close(fd);
        assert_eq(waitpid(pid, &status, 0), pid);
        assert_eq(status, 0);

        trial_wait(&child);
        pid = fork();
        if (pid == 0) {
                assert_eq(child_peek(&child, &how), pidfd_tells() ? 0 : 1);
                _exit(0);
        }
        assert_eq(waitpid(pid, &status, 0), pid);
        assert_eq(status, 0);
        child_deinit(&child);
}

/* The host has waited for it. */
static void test_reaped_by_host(void) {
        struct trial exits = TRIAL("exit", "42"), dies = TRIAL("die", "15");
        struct child child = CHILD_NULL;

        start(&exits, &child);
        assert_eq(waitpid(-1, NULL, 0), child.pid);
        expect_taken(&child, CURFEW_STATUS_EXITED, 42);

        start(&dies, &child);
        assert_eq(waitpid(-1, NULL, 0), child.pid);
        expect_taken(&child, CURFEW_STATUS_SIGNALED, 15);
}

/* The host's children are reaped by the kernel; but not before they have exited. */
static void expect_autoreaped(void) {
        struct child child = CHILD_NULL;
        struct child_exit how;
        int fd = start_waiting("wait", &child);

        assert_eq(child_peek(&child, &how), 0);
        assert_eq(child_reap(&child), -EAGAIN);
        assert_eq(child_signal(&child, 0), 0);
        close(fd);

        trial_wait(&child);
        while (child_peek(&child, &how) == 0)
                ;
        assert_true(how.status == CURFEW_STATUS_UNKNOWN || how.code == 3);
        child_deinit(&child);

        fd = start_waiting("wait", &child);
        child_deinit(&child);
        close(fd);
}

static void test_sigchld_ignored(void) {
        struct trial trial = TRIAL("state");
        struct child child = CHILD_NULL;
        char state[8192];
        int ends[2];

        signal(SIGCHLD, SIG_IGN);
        expect_autoreaped();

        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        trial.fds[1].source = ends[1];
        start(&trial, &child);
        close(ends[1]);
        trial_drain(ends[0], state, sizeof(state));
        close(ends[0]);
        assert_str(trial_field(state, "SigIgn"), "0000000000000000");
        child_deinit(&child);
        signal(SIGCHLD, SIG_DFL);

        assert_eq(sigaction(SIGCHLD, &(struct sigaction){ .sa_flags = SA_NOCLDWAIT }, NULL), 0);
        expect_autoreaped();
        signal(SIGCHLD, SIG_DFL);
}

/* The first thread has exited: /proc calls that a zombie, but the process lives. */
static void test_leader_thread_gone(void) {
        struct trial trial = TRIAL("outlive");
        struct child child = CHILD_NULL;
        struct child_exit how;
        int in[2], out[2];
        char line[8];

        assert_eq(pipe2(in, O_CLOEXEC), 0);
        assert_eq(pipe2(out, O_CLOEXEC), 0);
        trial.fds[0].source = in[0];
        trial.fds[1].source = out[1];
        start(&trial, &child);
        assert_eq(read(out[0], line, sizeof(line)), 5);

        assert_eq(child_peek(&child, &how), 0);
        assert_eq(child_signal(&child, 0), 0);
        assert_eq(child_reap(&child), -EAGAIN);
        close(in[1]);
        trial_wait(&child);
        assert_eq(child_take(&child, &how), 1);
        assert_eq(how.code, 7);
        child_deinit(&child);
        close(in[0]);
        close(out[0]);
        close(out[1]);
}

/* Stopped, continued and traced are not exited. */
static void test_stopped(void) {
        struct child child = CHILD_NULL;
        struct child_exit how;
        int fd = start_waiting("wait", &child), status;

        assert_eq(child_signal(&child, SIGSTOP), 0);
        assert_eq(waitpid(child.pid, &status, WUNTRACED), child.pid);
        assert_eq(child_peek(&child, &how), 0);
        assert_eq(child_signal(&child, SIGCONT), 0);
        assert_eq(child_peek(&child, &how), 0);

        if (ptrace(PTRACE_SEIZE, child.pid, NULL, NULL) == 0) {
                assert_eq(ptrace(PTRACE_INTERRUPT, child.pid, NULL, NULL), 0);
                assert_eq(waitpid(child.pid, &status, __WALL), child.pid);
                assert_true(WIFSTOPPED(status));
                assert_eq(child_peek(&child, &how), 0);
                assert_eq(child_reap(&child), -EAGAIN);
                assert_eq(ptrace(PTRACE_DETACH, child.pid, NULL, NULL), 0);
        }
        close(fd);
        assert_eq(end_of(&child).code, 3);
        child_deinit(&child);
}

static volatile sig_atomic_t n_sigchld;

static void on_sigchld(int number _unused_) {
        ++n_sigchld;
}

/* The host gets the SIGCHLD that it would get of any child: one. */
static void test_sigchld(void) {
        struct trial trial = TRIAL("exit");
        struct child child = CHILD_NULL;

        signal(SIGCHLD, on_sigchld);
        for (int i = 1; i <= 10; ++i) {
                start(&trial, &child);
                end_of(&child);
                assert_eq(n_sigchld, i);
                child_deinit(&child);
                assert_eq(n_sigchld, i);
        }
        signal(SIGCHLD, SIG_DFL);
}

/* As before Linux 6.13. */
static void without_pidfd_info(void) {
        trial_forbid(SYS_ioctl, ENOTTY);
        test_not_ours();
        test_reaped_by_host();
        test_sigchld_ignored();
}

int main(void) {
        test_bound(60);
        test_codes();
        test_signals();
        test_core();
        test_peek();
        test_usage();
        test_signal();
        test_deinit();
        test_not_ours();
        test_reaped_by_host();
        test_sigchld_ignored();
        test_leader_thread_gone();
        test_stopped();
        test_sigchld();
        trial_apart(without_pidfd_info);
        return 0;
}
