// SPDX-License-Identifier: MIT
#include "trial.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>

/* Starts that fail: each says where and why, and leaves its host as it was. */

static void append_file(const char *path, const char *prefix, FILE *out) {
        FILE *file = fopen(path, "re");
        char line[512];

        assert_true(file);
        while (fgets(line, sizeof(line), file))
                if (strncmp(line, prefix, strlen(prefix)) == 0)
                        fputs(line, out);
        fclose(file);
}

static void append_descriptors(FILE *out) {
        DIR *dir = opendir("/proc/self/fd");
        struct dirent *entry;

        assert_true(dir);
        while ((entry = readdir(dir))) {
                char link[256];
                ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link));
                int flags = fcntl(atoi(entry->d_name), F_GETFD);

                if (n > 0)
                        fprintf(out, "%s %.*s %d\n", entry->d_name, (int)n, link, flags);
        }
        closedir(dir);
}

/* All that a start could leave changed, as text. Where no descriptor is left to look with, what
 * can be seen without. */
static char *describe_host(bool full) {
        char *text = NULL, cwd[4096];
        size_t size;
        FILE *out = open_memstream(&text, &size);
        struct rlimit limit;
        sigset_t mask;

        assert_true(out);
        if (full) {
                append_file("/proc/self/status", "SigBlk", out);
                append_file("/proc/self/status", "SigIgn", out);
                append_file("/proc/self/status", "SigCgt", out);
                append_file("/proc/self/status", "SigPnd", out);
                append_file("/proc/self/status", "ShdPnd", out);
                append_file("/proc/self/status", "Umask", out);
                append_file("/proc/self/status", "NoNewPrivs", out);
                append_descriptors(out);
        }
        assert_eq(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
        for (int i = 1; i < _NSIG; ++i)
                fputc(sigismember(&mask, i) == 1 ? '1' : '0', out);
        getrlimit(RLIMIT_NOFILE, &limit);
        fprintf(out, "\n%ju %d %d %d %d\n", (uintmax_t)limit.rlim_cur, getpriority(PRIO_PROCESS, 0),
                prctl(PR_GET_DUMPABLE), (int)getpgrp(), (int)getsid(0));
        fprintf(out, "%s %u %u\n", getcwd(cwd, sizeof(cwd)), geteuid(), getegid());
        fclose(out);
        return text;
}

static volatile sig_atomic_t n_sigchld;

static void on_sigchld(int number _unused_) {
        ++n_sigchld;
}

/* The host hears nothing of the child and has nothing to reap. */
static void expect_seen(struct trial *trial, enum curfew_stage stage, int error, bool full) {
        struct child child = CHILD_NULL;
        char *before, *after;
        int r;

        n_sigchld = 0;
        errno = ELOOP;
        before = describe_host(full);
        errno = ELOOP;
        r = trial_spawn(trial, &child);
        assert_eq(errno, ELOOP);
        after = describe_host(full);

        assert_eq(r, -error);
        assert_eq(trial->stage, stage);
        assert_eq(child.pidfd, -1);
        assert_str(after, before);
        assert_eq(n_sigchld, 0);
        assert_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
        assert_eq(errno, ECHILD);
        free(before);
        free(after);
}

static void expect(struct trial *trial, enum curfew_stage stage, int error) {
        expect_seen(trial, stage, error, true);
}

static void expect_program(const char *path, int error) {
        struct trial trial = TRIAL("exit");

        trial.path = path;
        expect(&trial, CURFEW_STAGE_EXEC, error);
}

static void test_exec(void) {
        char path[] = "/tmp/curfew-spawn-XXXXXX";
        int fd = mkostemp(path, O_CLOEXEC);

        assert_ge(fd, 0);
        expect_program("/nonexistent", ENOENT);
        expect_program("/dev/null/x", ENOTDIR);
        expect_program("/", EACCES);
        expect_program("", ENOENT);
        expect_program(path, EACCES);

        /* No "#!", no ELF: a shell would take it for a script, curfew says what it is. */
        assert_eq(write(fd, "exit 0\n", 7), 7);
        assert_eq(fchmod(fd, 0700), 0);
        expect_program(path, ETXTBSY);
        close(fd);
        expect_program(path, ENOEXEC);
        unlink(path);
}

static void test_too_large(void) {
        struct trial trial = TRIAL("exit");
        const size_t size = 4 << 20;
        char *text = malloc(size);

        assert_true(text);
        memset(text, 'x', size - 1);
        text[size - 1] = 0;
        trial.env = (const char *const[]){ text, NULL };
        expect(&trial, CURFEW_STAGE_EXEC, E2BIG);
        trial.env = NULL;
        trial.cmd.argv = PROBE(text);
        expect(&trial, CURFEW_STAGE_EXEC, E2BIG);
        free(text);
}

static void test_attributes(void) {
        struct curfew_rlimit bad_limit = { 1000, { 0, 0 } };
        struct trial trial;

        trial = (struct trial)TRIAL("exit");
        trial.cmd.dir = "/nonexistent";
        expect(&trial, CURFEW_STAGE_CHDIR, ENOENT);
        trial.cmd.dir = "/dev/null";
        expect(&trial, CURFEW_STAGE_CHDIR, ENOTDIR);

        trial = (struct trial)TRIAL("exit");
        trial.cmd.pgid = INT32_MAX;
        expect(&trial, CURFEW_STAGE_SETPGID, EPERM);

        trial = (struct trial)TRIAL("exit");
        trial.cmd.rlimits = &bad_limit;
        trial.cmd.n_rlimits = 1;
        expect(&trial, CURFEW_STAGE_RLIMIT, EINVAL);

        trial = (struct trial)TRIAL("exit");
        trial.cmd.parent_death_signal = 1000;
        expect(&trial, CURFEW_STAGE_PDEATHSIG, EINVAL);

        trial = (struct trial)TRIAL("exit");
        trial.cmd.setsid = true;
        trial.cmd.terminal = CURFEW_TERMINAL_CONTROL;
        trial.fds[0].source = open("/dev/null", O_RDWR | O_CLOEXEC);
        expect(&trial, CURFEW_STAGE_TERMINAL, ENOTTY);
        trial.cmd.setsid = false;
        trial.cmd.terminal = CURFEW_TERMINAL_FOREGROUND;
        expect(&trial, CURFEW_STAGE_TERMINAL, ENOTTY);
        close(trial.fds[0].source);
}

static void test_descriptors(void) {
        struct trial trial = TRIAL("exit");

        trial.n_fds = 4;
        trial.fds[3] = (struct curfew_extra_fd){ 7, 999 };
        expect(&trial, CURFEW_STAGE_DESCRIPTORS, EBADF);
        trial.fds[3] = (struct curfew_extra_fd){ 999, 999 };
        expect(&trial, CURFEW_STAGE_DESCRIPTORS, EBADF);
        trial.fds[3] = (struct curfew_extra_fd){ INT32_MAX, 1 };
        expect(&trial, CURFEW_STAGE_DESCRIPTORS, EBADF);
        trial.fds[0].source = -1;
        expect(&trial, CURFEW_STAGE_DESCRIPTORS, EBADF);

        /* 1 has to make way, and its duplicate, on 5, must not be taken for the source of 4. */
        assert_eq(fcntl(5, F_GETFD), -1);
        trial.n_fds = 5;
        trial.fds[0] = (struct curfew_extra_fd){ 0, 0 };
        trial.fds[1] = (struct curfew_extra_fd){ 1, 0 };
        trial.fds[2] = (struct curfew_extra_fd){ 2, 1 };
        trial.fds[3] = (struct curfew_extra_fd){ 3, 1 };
        trial.fds[4] = (struct curfew_extra_fd){ 4, 5 };
        expect(&trial, CURFEW_STAGE_DESCRIPTORS, EBADF);
}

/* -1 is no identity, although the kernel would take it for "no change". */
static void test_identity(void) {
        uid_t no_uid = (uid_t)-1, root = 0;
        gid_t no_gid = (gid_t)-1;
        struct trial trial = TRIAL("exit");

        trial.cmd.gid = &no_gid;
        expect(&trial, CURFEW_STAGE_GID, EINVAL);
        trial.cmd.gid = NULL;
        trial.cmd.uid = &no_uid;
        if (geteuid() == 0) {
                expect(&trial, CURFEW_STAGE_UID, EINVAL);
                return;
        }

        /* Without privileges it ends at the groups, before anything is changed. */
        trial.cmd.uid = &root;
        expect(&trial, CURFEW_STAGE_GROUPS, EPERM);
        trial.cmd.uid = NULL;
        trial.cmd.gid = &root;
        expect(&trial, CURFEW_STAGE_GID, EPERM);
        trial.cmd.gid = NULL;
        trial.cmd.nice = -5;
        expect(&trial, CURFEW_STAGE_NICE, EACCES);
}

/* Not one descriptor left for the pidfd. */
static void no_descriptor(void) {
        struct trial trial = TRIAL("exit");
        struct rlimit limit = { 32, 32 };

        assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        while (dup(0) >= 0)
                ;
        assert_eq(errno, EMFILE);
        expect_seen(&trial, CURFEW_STAGE_CLONE, EMFILE, false);
        close(31); /* a leak check at the exit needs one */
}

static void no_process(void) {
        struct trial trial = TRIAL("exit");
        struct rlimit limit;
        rlim_t before;

        if (geteuid() == 0)
                trial_become_nobody();
        assert_eq(getrlimit(RLIMIT_NPROC, &limit), 0);
        before = limit.rlim_cur;
        limit.rlim_cur = 1;
        assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
        expect(&trial, CURFEW_STAGE_CLONE, EAGAIN);
        limit.rlim_cur = before;
        assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
}

/* A child that is killed before it has executed has not been started. */
static void killed(void) {
        struct trial trial = TRIAL("exit");

        trial.cmd.dir = "/";
        assert_eq(prctl(PR_SET_DUMPABLE, 0), 0); /* and so no core dump either */
        trial_forbid(SYS_chdir, 0);
        expect_seen(&trial, CURFEW_STAGE_CHDIR, ECHILD, false);
        assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

/* A host that ignores SIGCHLD has nothing reaped that is not its own, and learns the reason. */
static void sigchld_ignored(void) {
        signal(SIGCHLD, SIG_IGN);
        expect_program("/nonexistent", ENOENT);
}

static void run_all(void) {
        signal(SIGCHLD, on_sigchld);
        test_exec();
        test_too_large();
        test_attributes();
        test_descriptors();
        test_identity();
        signal(SIGCHLD, SIG_DFL);
        trial_apart(no_descriptor);
        trial_apart(no_process);
        trial_apart(killed);
        trial_apart(sigchld_ignored);
}

static void as_nobody(void) {
        trial_become_nobody();
        run_all();
}

static void without_clone3(void) {
        trial_forbid(SYS_clone3, ENOSYS);
        run_all();
}

static void without_close_range(void) {
        trial_forbid(SYS_close_range, ENOSYS);
        run_all();
}

int main(void) {
        test_bound(60);
        assert_eq(syscall(SYS_close_range, 3, ~0U, 0), 0);
        run_all();
        trial_apart(without_clone3);
        trial_apart(without_close_range);
        if (geteuid() == 0)
                trial_apart(as_nobody);
        return 0;
}
