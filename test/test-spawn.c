// SPDX-License-Identifier: MIT
#include "trial.h"

#include <dirent.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* The attributes of a child. Everything is tried as root, if that is who runs this, and as nobody,
 * and where a seccomp filter has taken clone3(2) away. */

static void state_of(struct trial *trial, char *ret, size_t size) {
        trial->cmd.argv = PROBE("state");
        trial_output(trial, ret, size);
}

/* Every attribute has a trial of its own, so that no default is covered up. */
static const char *state_with(const struct curfew_cmd *cmd, const char *key) {
        struct trial trial = TRIAL("state");
        char state[8192];

        trial.cmd = *cmd;
        state_of(&trial, state, sizeof(state));
        return trial_field(state, key);
}

static void test_defaults(void) {
        struct trial trial = TRIAL("state");
        char state[8192], expected[64];
        mode_t mask = umask(0);

        umask(mask);
        state_of(&trial, state, sizeof(state));
        assert_str(trial_field(state, "descriptors"), "0,1,2");
        assert_str(trial_field(state, "SigBlk"), "0000000000000000");
        assert_str(trial_field(state, "SigIgn"), "0000000000000000");
        assert_str(trial_field(state, "group"), "own");
        assert_str(trial_field(state, "session"), "other");
        assert_str(trial_field(state, "deathsig"), "0");
        assert_str(trial_field(state, "name"), "probe");
        snprintf(expected, sizeof(expected), "%04o", (unsigned)mask);
        assert_str(trial_field(state, "umask"), expected);
        snprintf(expected, sizeof(expected), "%d", getpriority(PRIO_PROCESS, 0));
        assert_str(trial_field(state, "nice"), expected);
        snprintf(expected, sizeof(expected), "%d", (int)getpid());
        assert_str(trial_field(state, "parent"), expected);
}

static void test_group_and_session(void) {
        char expected[16];

        snprintf(expected, sizeof(expected), "%d", (int)getpgrp());
        assert_str(state_with(&(struct curfew_cmd){ .pgid = CURFEW_SAME_GROUP }, "pgrp"), expected);
        assert_str(state_with(&(struct curfew_cmd){ .pgid = getpgrp() }, "pgrp"), expected);
        assert_str(state_with(&(struct curfew_cmd){ .setsid = true }, "session"), "own");
        assert_str(state_with(&(struct curfew_cmd){ .setsid = true }, "group"), "own");
        assert_str(state_with(&(struct curfew_cmd){ .setsid = true }, "terminal"), "none");
}

static void test_limits(void) {
        struct curfew_rlimit rlimits[] = {
                { RLIMIT_NOFILE, { 17, 19 } },
                { RLIMIT_CORE, { 0, 0 } },
        };
        mode_t mask = 0123;

        assert_str(state_with(&(struct curfew_cmd){ .umask = &mask }, "umask"), "0123");
        assert_str(state_with(&(struct curfew_cmd){ .rlimits = rlimits, .n_rlimits = 2 }, "nofile"),
                "17,19");
        assert_str(state_with(&(struct curfew_cmd){ .rlimits = rlimits, .n_rlimits = 2 }, "core"),
                "0,0");
        assert_str(state_with(&(struct curfew_cmd){ .no_new_privs = true }, "no_new_privs"), "1");
        assert_str(state_with(&(struct curfew_cmd){ .parent_death_signal = 10 }, "deathsig"), "10");
}

/* Whatever the host ignores and blocks, the child does what the command says; nobody can have it
 * ignore SIGKILL, and a real-time signal is one like the others. */
static void signal_host(void) {
        sigset_t ignored, blocked;

        signal(SIGHUP, SIG_IGN);
        sigemptyset(&ignored);
        sigaddset(&ignored, SIGINT);
        sigaddset(&ignored, SIGKILL);
        sigaddset(&ignored, 64);
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGALRM);
        sigprocmask(SIG_BLOCK, &ignored, NULL);

        assert_str(state_with(&(struct curfew_cmd){ .sigignore = &ignored }, "SigIgn"),
                "8000000000000002");
        assert_str(state_with(&(struct curfew_cmd){ .sigignore = &ignored }, "SigBlk"),
                "0000000000000000");
        assert_str(state_with(&(struct curfew_cmd){ .sigmask = &blocked }, "SigIgn"),
                "0000000000000000");
        assert_str(state_with(&(struct curfew_cmd){ .sigmask = &blocked }, "SigBlk"),
                "0000000000002000");
}

static void test_chosen_signals(void) {
        trial_apart(signal_host);
}

/* It is added to the host's own, and never wraps. */
static void nice_host(void) {
        int own = getpriority(PRIO_PROCESS, 0); /* packages are built with 10, and more */

        own = own < 5 ? 5 : own;
        assert_eq(setpriority(PRIO_PROCESS, 0, own), 0);
        assert_eq(atoi(state_with(&(struct curfew_cmd){ 0 }, "nice")), own);
        assert_eq(atoi(state_with(&(struct curfew_cmd){ .nice = 3 }, "nice")),
                own < 16 ? own + 3 : 19);
        assert_str(state_with(&(struct curfew_cmd){ .nice = INT32_MAX }, "nice"), "19");
}

static void test_nice(void) {
        trial_apart(nice_host);
}

static void test_directory(void) {
        struct trial trial = { .path = "./program", .fds = { { 1, 1 } }, .n_fds = 1 };
        char dir[] = "/tmp/curfew-spawn-XXXXXX", path[64], state[8192];

        assert_str(state_with(&(struct curfew_cmd){ .dir = "/proc/../proc" }, "cwd"), "/proc");

        /* A relative program is one of that directory. */
        assert_true(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/program", dir);
        assert_eq(symlink(trial_probe(), path), 0);
        trial.cmd.dir = dir;
        state_of(&trial, state, sizeof(state));
        assert_str(trial_field(state, "cwd"), dir);
        unlink(path);
        rmdir(dir);
}

/* The program and its arguments, environment and name are three different things. */
static void test_arguments(void) {
        struct trial trial = TRIAL("environment");
        char output[256];

        trial.env = (const char *const[]){ "A=1", "odd", "A=2", NULL };
        trial_output(&trial, output, sizeof(output));
        assert_str(output, "A=1\nodd\nA=2\n");
}

static void test_identity(void) {
        uid_t uid = 1234;
        gid_t gid = 2345, groups[] = { 7, 9 };
        struct curfew_cmd cmd = { .uid = &uid };
        int own = getpriority(PRIO_PROCESS, 0);

        if (geteuid() != 0)
                return;
        assert_eq(setgroups(2, (gid_t[]){ 5, 6 }), 0);
        assert_str(state_with(&(struct curfew_cmd){ 0 }, "groups"), "5,6");
        assert_str(state_with(&cmd, "uid"), "1234,1234,1234");
        assert_str(state_with(&cmd, "groups"), "");
        cmd.parent_death_signal = SIGTERM;
        assert_str(state_with(&cmd, "deathsig"), "15");

        cmd = (struct curfew_cmd){ .gid = &gid };
        assert_str(state_with(&cmd, "gid"), "2345,2345,2345");
        assert_str(state_with(&cmd, "groups"), "5,6");

        cmd = (struct curfew_cmd){ .uid = &uid, .gid = &gid, .groups = groups, .n_groups = 2 };
        cmd.nice = -3;
        assert_str(state_with(&cmd, "groups"), "7,9");
        assert_eq(atoi(state_with(&cmd, "nice")), own - 3);
        assert_eq(setgroups(0, NULL), 0);
}

static void *spawn_others(void *arg) {
        for (int i = 0; i < 20; ++i) {
                struct trial trial = TRIAL("exit");
                struct child child = CHILD_NULL;

                trial.cmd.uid = arg;
                assert_eq(trial_spawn(&trial, &child), 0);
                child_deinit(&child);
        }
        return NULL;
}

/* A child of another identity hides the host's memory; when all have executed it is as before. */
static void test_dumpable(void) {
        pthread_t threads[8];
        uid_t uid = 1234;

        if (geteuid() != 0)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(threads); ++i)
                assert_eq(pthread_create(&threads[i], NULL, spawn_others, &uid), 0);
        for (size_t i = 0; i < ARRAY_SIZE(threads); ++i)
                assert_eq(pthread_join(threads[i], NULL), 0);
        assert_eq(prctl(PR_GET_DUMPABLE), 1);

        assert_eq(prctl(PR_SET_DUMPABLE, 0), 0);
        spawn_others(&uid);
        assert_eq(prctl(PR_GET_DUMPABLE), 0);
        assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

static void *spawn_held(void *arg) {
        struct trial trial = TRIAL("exit");
        struct child child = CHILD_NULL;
        mode_t mask = 0;

        trial.cmd.uid = arg;
        trial.cmd.umask = &mask;
        assert_eq(trial_spawn(&trial, &child), 0);
        child_deinit(&child);
        return NULL;
}

/* While a child has another identity, and our memory, nothing else may show that memory. */
static void hidden_memory(void) {
        uid_t uid = 1234;
        int listener = trial_hold(SYS_umask);
        struct seccomp_notif held;
        pthread_t thread;

        assert_eq(prctl(PR_GET_DUMPABLE), 1);
        assert_eq(pthread_create(&thread, NULL, spawn_held, &uid), 0);
        held = trial_held(listener);
        assert_eq(prctl(PR_GET_DUMPABLE), 0);
        spawn_others(&uid);
        assert_eq(prctl(PR_GET_DUMPABLE), 0);
        trial_go_on(listener, &held);
        assert_eq(pthread_join(thread, NULL), 0);
        assert_eq(prctl(PR_GET_DUMPABLE), 1);
}

static void test_hidden_memory(void) {
        if (geteuid() == 0)
                trial_apart(hidden_memory);
}

/* One's own uid takes nothing, and needs no privilege. */
static void test_own_identity(void) {
        uid_t uid = geteuid();
        gid_t gid = getegid();
        char expected[64];

        snprintf(expected, sizeof(expected), "%u,%u,%u", uid, uid, uid);
        assert_str(state_with(&(struct curfew_cmd){ .uid = &uid, .gid = &gid }, "uid"), expected);
}

static int open_terminal(int *ret_controller) {
        char name[64];

        *ret_controller = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_ge(*ret_controller, 0);
        assert_eq(grantpt(*ret_controller), 0);
        assert_eq(unlockpt(*ret_controller), 0);
        assert_eq(ptsname_r(*ret_controller, name, sizeof(name)), 0);
        return open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static void test_controlling_terminal(void) {
        struct trial trial = TRIAL("state");
        char state[8192];
        int controller, tty = open_terminal(&controller);

        assert_ge(tty, 0);
        trial.fds[3] = (struct curfew_extra_fd){ 5, tty };
        trial.n_fds = 4;
        trial.cmd.setsid = true;
        trial.cmd.terminal = CURFEW_TERMINAL_CONTROL;
        trial.cmd.tty = 5;
        state_of(&trial, state, sizeof(state));
        assert_str(trial_field(state, "terminal"), "fg");
        assert_str(trial_field(state, "session"), "own");
        close(tty);
        close(controller);
}

/* The terminal's session gives its foreground to the child, also from the background, where that
 * stops who doesn't block or ignore SIGTTOU. */
static void foreground(void) {
        struct trial trial = TRIAL("state");
        char state[8192];
        int controller, tty = open_terminal(&controller);

        assert_ge(setsid(), 0);
        assert_eq(ioctl(tty, TIOCSCTTY, 0), 0);
        signal(SIGHUP, SIG_IGN);
        trial.fds[0].source = tty;
        trial.cmd.terminal = CURFEW_TERMINAL_FOREGROUND;
        for (int i = 0; i < 2; ++i) {
                state_of(&trial, state, sizeof(state));
                assert_str(trial_field(state, "terminal"), "fg");
                assert_str(trial_field(state, "group"), "own");
                assert_ne(tcgetpgrp(tty), getpgrp());
        }
}

static void test_foreground(void) {
        trial_apart(foreground);
}

static void on_signal(int number _unused_) {
}

/* A host that ignores, blocks and handles signals, the C library's own included. */
static void test_signals(void) {
        struct trial trial = TRIAL("state");
        const unsigned long ignore[8] = { (unsigned long)SIG_IGN }, dfl[8] = { 0 };
        const int ignored[] = { SIGPIPE, SIGTTOU, 32, 34, SIGRTMAX };
        char state[8192];
        sigset_t mask, old, now;

        sigemptyset(&mask);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGRTMIN + 1);
        assert_eq(sigprocmask(SIG_BLOCK, &mask, &old), 0);
        signal(SIGUSR1, on_signal);
        for (size_t i = 0; i < ARRAY_SIZE(ignored); ++i)
                syscall(SYS_rt_sigaction, ignored[i], ignore, NULL, 8);

        state_of(&trial, state, sizeof(state));
        assert_str(trial_field(state, "SigBlk"), "0000000000000000");
        assert_str(trial_field(state, "SigIgn"), "0000000000000000");

        assert_eq(sigprocmask(SIG_SETMASK, &old, &now), 0);
        assert_eq(sigismember(&now, SIGINT), 1);
        assert_eq(sigismember(&now, SIGRTMIN + 1), 1);
        assert_eq(sigismember(&now, SIGTERM), 0);
        assert_true(signal(SIGUSR1, SIG_DFL) == on_signal);
        for (size_t i = 0; i < ARRAY_SIZE(ignored); ++i)
                syscall(SYS_rt_sigaction, ignored[i], dfl, NULL, 8);
}

static pid_t host;
static volatile sig_atomic_t handled_elsewhere;

static void on_storm(int number _unused_) {
        if (getpid() != host)
                handled_elsewhere = 1;
}

/* The memory is the host's, so its variable would show a handler that ran in a child. */
static void handlers_stay(void) {
        struct trial trial = TRIAL("exit");
        pid_t storm;

        assert_eq(setpgid(0, 0), 0);
        host = getpid();
        signal(SIGUSR1, on_storm);
        storm = fork();
        while (storm == 0 && getppid() == host)
                kill(0, SIGUSR1);
        if (storm == 0)
                _exit(0);

        trial.cmd.pgid = CURFEW_SAME_GROUP;
        for (int i = 0; i < 300; ++i) {
                struct child child = CHILD_NULL;

                assert_eq(trial_spawn(&trial, &child), 0);
                child_deinit(&child);
        }
        assert_eq(handled_elsewhere, 0);
        kill(storm, SIGKILL);
        waitpid(storm, NULL, 0);
}

static void test_handlers_stay(void) {
        trial_apart(handlers_stay);
}

/* A failed start closes the pidfd, a cancellation point: what is pending has to wait. */
static void *spawn_cancelled(void *arg) {
        struct trial trial = TRIAL("exit");
        int state;

        trial.path = "/nonexistent";
        pthread_cancel(pthread_self());
        assert_eq(trial_spawn(&trial, arg), -ENOENT);
        assert_eq(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state), 0);
        assert_eq(state, PTHREAD_CANCEL_ENABLE);
        return NULL;
}

static void test_cancellation(void) {
        struct child child = CHILD_NULL;
        pthread_t thread;
        void *result;

        assert_eq(pthread_create(&thread, NULL, spawn_cancelled, &child), 0);
        assert_eq(pthread_join(thread, &result), 0);
        assert_null(result);
}

/* A parent that dies before the child has asked to be told of it: the child ends by itself. It is
 * our child then, since we reap what is orphaned. */
static void parent_dies(void) {
        struct trial trial = TRIAL("exit");
        struct child child = CHILD_NULL;
        struct seccomp_notif held;
        int listener, status;
        pid_t parent;

        assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        trial.cmd.parent_death_signal = SIGUSR1;
        listener = trial_hold(SYS_prctl);
        parent = fork();
        if (parent == 0) {
                trial_spawn(&trial, &child);
                _exit(0);
        }

        held = trial_held(listener);
        assert_ne(held.pid, parent);
        assert_eq(kill(parent, SIGKILL), 0);
        assert_eq(waitpid(parent, &status, 0), parent);
        trial_go_on(listener, &held);
        assert_eq(waitpid((pid_t)held.pid, &status, __WALL), held.pid);
        assert_true(WIFEXITED(status));
        assert_eq(WEXITSTATUS(status), 127);
        _exit(0); /* a leak check at the exit would be held, too */
}

static void test_parent_dies(void) {
        trial_apart(parent_dies);
}

static void run_all(void) {
        test_defaults();
        test_group_and_session();
        test_limits();
        test_chosen_signals();
        test_nice();
        test_directory();
        test_arguments();
        test_identity();
        test_dumpable();
        test_hidden_memory();
        test_own_identity();
        test_controlling_terminal();
        test_foreground();
        test_signals();
        test_handlers_stay();
        test_cancellation();
        test_parent_dies();
}

static void as_nobody(void) {
        trial_become_nobody();
        run_all();
}

static void without_clone3(void) {
        trial_forbid(SYS_clone3, ENOSYS);
        run_all();
}

/* That leaves no threads either: the C library takes only ENOSYS for an answer. */
static void with_clone3_refused(void) {
        trial_forbid(SYS_clone3, EPERM);
        test_defaults();
        test_signals();
}

int main(void) {
        test_bound(120);
        trial_share_probe();
        run_all();
        trial_apart(without_clone3);
        trial_apart(with_clone3_refused);
        if (geteuid() == 0)
                trial_apart(as_nobody);
        return 0;
}
