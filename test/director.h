// SPDX-License-Identifier: MIT
#pragma once

/*
 * A director starts hosts, which are processes that start witnesses by way of curfew, and sees what
 * becomes of these when a host has come to an end.
 *
 * Nothing can hide from it: it is the subreaper of them all. So a scene is over when the director
 * has no child left, and everything that a host has left behind goes through its hands until then.
 */

#include "group.h"
#include "run.h"
#include "witness.h"

#include <grp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <time.h>

#define DIRECTOR_NOBODY 65534
#define DIRECTOR_BOUND  (40 * CURFEW_SEC) /* for milliseconds, on a machine with much else to do */

enum phase {
        PHASE_NEW,      /* making the supervisor, and starting */
        PHASE_STARTED,  /* the command runs, and has not been asked to stop */
        PHASE_STOPPING, /* from just before it is asked */
        PHASE_ENDED,    /* everything is freed */
};

#define N_PHASES (PHASE_ENDED + 1)

/* How far a host has come, and when, for both of them to see. */
struct director_shared {
        _Atomic int phase;
        _Atomic int64_t at[N_PHASES];
};

static struct director {
        struct director_shared *shared;
        char witness[64];     /* the program */
        char mark[64];        /* in the environment of all that is started */
        char group[PATH_MAX]; /* where the director is; or empty */
        enum curfew_backend backend;
        pid_t main;  /* who has made it */
        unsigned n;  /* of those that it has made */
        int ends[2]; /* of the log's pipe */
        struct witness_log log;
        char trying[256]; /* for when it fails */
} director;

__attribute__((format(printf, 1, 2))) static inline void director_try(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vsnprintf(director.trying, sizeof(director.trying), format, ap);
        va_end(ap);
}

static inline void director_on_abort(int signal) {
        (void)signal;
        fprintf(stderr, "uid %u, %s, phase %d: %s\n%s", (unsigned)geteuid(),
                curfew_backend_name(director.backend), director.shared->phase, director.trying,
                director.log.text);
}

static inline enum curfew_guarantee director_promise(void) {
        return director.backend == CURFEW_BACKEND_CGROUP ? CURFEW_GUARANTEE_SEALED
                                                         : CURFEW_GUARANTEE_TRACKED;
}

/* The host's side
 * --------------- */

static inline void host_reach(enum phase phase) {
        director.shared->at[phase] = curfew_now();
        director.shared->phase = phase;
}

static inline struct curfew_run *host_start(
        struct curfew *sup, const char *verb, struct curfew_cmd cmd) {
        struct curfew_extra_fd fd = { .target = WITNESS_LOG, .source = director.ends[1] };
        enum curfew_stage stage;
        struct curfew_run *ret;
        int r;

        cmd.path = director.witness;
        cmd.argv = (const char *[]){ "witness", verb, NULL };
        cmd.env_edit = (const char *[]){ director.mark, NULL };
        cmd.out = (struct curfew_stream){ CURFEW_PIPE };
        cmd.fds = &fd;
        cmd.n_fds = 1;
        cmd.backend = director.backend;
        cmd.guarantee = director_promise();
        r = curfew_start(sup, NULL, &cmd, &stage, &ret);
        if (r < 0)
                test_fail(__FILE__, __LINE__, "%s: %s", curfew_stage_name(stage), strerror(-r));
        return ret;
}

/* Until so many witnesses of it are up. */
static inline void host_await_up(struct curfew_run *run, unsigned n) {
        int fd = curfew_run_take_fd(run, 1);
        char c;

        assert_ge(fd, 0);
        while (n-- > 0)
                assert_eq(read(fd, &c, 1), 1);
        close(fd);
}

static inline void host_await_end(struct curfew_run *run) {
        const struct curfew_result *res;

        assert_eq(curfew_run_wait(run, DIRECTOR_BOUND), 0);
        res = curfew_run_result(run);
        assert_eq(res->end, CURFEW_END_EMPTY);
        assert_eq(res->backend, director.backend);
        assert_eq(res->guarantee, director_promise());
        curfew_run_free(run);
}

__attribute__((noreturn)) static inline void director_be_host(void (*fn)(struct curfew *sup)) {
        struct curfew *sup = NULL;
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        test_bound(2 * DIRECTOR_BOUND / CURFEW_SEC);
        close(director.ends[0]);
        assert_eq(curfew_new(&sup), 0);
        fn(sup);
        curfew_free(sup);
        host_reach(PHASE_ENDED);
        exit(0);
}

/* The director's side
 * ------------------- */

static inline pid_t director_fork(void (*fn)(struct curfew *sup)) {
        pid_t pid;

        assert_eq(pipe2(director.ends, O_CLOEXEC), 0);
        director.log = (struct witness_log){ 0 };
        host_reach(PHASE_NEW);
        pid = fork();
        assert_ge(pid, 0);
        if (pid == 0)
                director_be_host(fn);
        close(director.ends[1]);
        return pid;
}

/* A process as proc_pid_stat(5) has it; false if there is none. */
struct director_sight {
        char name[32], state;
        pid_t parent;
};

static inline bool director_look(pid_t pid, struct director_sight *ret) {
        char path[64];
        FILE *file;
        int n;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        file = fopen(path, "re");
        if (!file)
                return false;
        n = fscanf(file, "%*d (%31[^)]) %c %d", ret->name, &ret->state, &ret->parent);
        fclose(file);
        return n == 3;
}

/* The child of a process by that name, or the last one there is; 0 if there is none. */
static inline pid_t director_find_child(pid_t parent, const char *name) {
        DIR *dir = opendir("/proc");
        struct director_sight sight;
        struct dirent *entry;
        pid_t ret = 0;

        assert_true(dir);
        while ((entry = readdir(dir)))
                if (atoi(entry->d_name) > 0 && director_look(atoi(entry->d_name), &sight) &&
                        sight.parent == parent && (!name || strcmp(sight.name, name) == 0))
                        ret = atoi(entry->d_name);
        closedir(dir);
        return ret;
}

/* Neither gone nor a zombie. */
static inline bool director_sees(pid_t pid) {
        struct director_sight sight;

        return director_look(pid, &sight) && sight.state != 'Z' && sight.state != 'X';
}

__attribute__((noreturn)) static inline void director_fail_of_left(void) {
        pid_t pid = director_find_child(getpid(), NULL);
        struct director_sight sight = { .name = "?" };
        struct pollfd fd = { .fd = director.ends[0], .events = POLLIN };

        director_look(pid, &sight);
        while (poll(&fd, 1, 0) == 1 && witness_read(&director.log, fd.fd) > 0)
                ;
        test_fail(__FILE__, __LINE__, "left running: %d (%s), state %c", (int)pid, sight.name,
                sight.state);
}

/* Wait for a child, or any (-1): its number, 0 if there is none, within the bound. */
static inline pid_t director_await(pid_t which, int *ret_status) {
        const struct timespec bound = { .tv_sec = DIRECTOR_BOUND / CURFEW_SEC };
        sigset_t sigchld;
        pid_t pid;

        sigemptyset(&sigchld);
        sigaddset(&sigchld, SIGCHLD);
        while ((pid = waitpid(which, ret_status, WNOHANG | __WALL)) == 0) {
                if (sigtimedwait(&sigchld, NULL, &bound) == SIGCHLD)
                        continue;
                director_fail_of_left();
        }
        return pid < 0 ? 0 : pid;
}

static inline void director_await_success(pid_t pid) {
        int status = 0;

        assert_eq(director_await(pid, &status), pid);
        assert_eq(status, 0);
}

/* Who has not said that it is up was perhaps not there when the host was killed. */
static inline void director_kill(pid_t pid) {
        struct pollfd fd = { .fd = director.ends[0], .events = POLLIN };
        int status = 0;

        while (poll(&fd, 1, 0) == 1 && witness_read(&director.log, fd.fd) > 0)
                ;
        director.log.killed = true;
        assert_eq(kill(pid, SIGKILL), 0);
        assert_eq(director_await(pid, &status), pid);
        if (status != 0)
                assert_eq(status, SIGKILL);
}

/* Everything that is left ends, and has been seen to end; then this is what the witnesses say. */
static inline void director_collect(void) {
        int status;

        while (director_await(-1, &status) > 0)
                ;
        if (director.group[0])
                assert_eq(group_count(director.group), 0);
        witness_read_all(&director.log, director.ends[0]);
        close(director.ends[0]);
}

/* The keeper of a host, or the guard of its groups; 0 if there is none. It takes a moment to give
 * itself its name. */
static inline pid_t director_find_keeper(pid_t host) {
        int64_t until = curfew_now() + DIRECTOR_BOUND;
        pid_t keeper;

        while ((keeper = director_find_child(host, "tree-keeper")) == 0 && curfew_now() < until)
                sched_yield();
        return keeper;
}

/* All that has ever been started is gone, wherever it went. */
static inline void director_check_marks(void) {
        DIR *dir = opendir("/proc");
        struct dirent *entry;

        assert_true(dir);
        while ((entry = readdir(dir))) {
                char path[300], *text = NULL;
                size_t size = 0;
                FILE *file = NULL;

                snprintf(path, sizeof(path), "/proc/%s/environ", entry->d_name);
                if (atoi(entry->d_name) > 0)
                        file = fopen(path, "re");
                while (file && getdelim(&text, &size, 0, file) > 0)
                        if (strcmp(text, director.mark) == 0)
                                test_fail(__FILE__, __LINE__, "left running: %s", entry->d_name);
                if (file)
                        fclose(file);
                free(text);
        }
        closedir(dir);
}

static inline void director_become_nobody(void) {
        const uid_t nobody = DIRECTOR_NOBODY;

        assert_eq(setgroups(0, NULL), 0);
        assert_eq(setresgid(nobody, nobody, nobody), 0);
        assert_eq(setresuid(nobody, nobody, nobody), 0);
        assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

static inline void director_be(bool privileged, void (*fn)(void)) {
        sigset_t sigchld;

        test_bound(1200);
        director.shared = mmap(NULL, sizeof(*director.shared), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(director.shared != MAP_FAILED);
        signal(SIGABRT, director_on_abort);
        sigemptyset(&sigchld);
        sigaddset(&sigchld, SIGCHLD);
        assert_eq(sigprocmask(SIG_BLOCK, &sigchld, NULL), 0);
        assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        assert_eq(prctl(PR_SET_TIMERSLACK, 1), 0);
        if (!privileged)
                director_become_nobody();
        snprintf(director.mark, sizeof(director.mark), "CURFEW_TEST_MARK=%d", (int)getpid());

        fn();
        director_check_marks();
        assert_no_children();
}

static inline void director_name_group(bool privileged, char *name, size_t size) {
        snprintf(name, size, "test-%d-%d", (int)director.main, privileged);
}

/* As somebody, with a backend. Status 77: there can be no control groups. */
static inline pid_t director_begin(enum curfew_backend which, bool privileged, void (*fn)(void)) {
        bool grouped = which == CURFEW_BACKEND_CGROUP;
        char name[64];
        pid_t pid;

        director_name_group(privileged, name, sizeof(name));
        director.backend = which;
        pid = fork();
        assert_ge(pid, 0);
        if (pid > 0)
                return pid;

        if (grouped && group_make(name, director.group, sizeof(director.group)) < 0)
                _exit(77);
        if (grouped && !privileged)
                group_delegate(director.group, DIRECTOR_NOBODY, DIRECTOR_NOBODY);
        director_be(privileged, fn);
        _exit(0);
}

/* 0, or 77. */
static inline int director_end(pid_t pid, bool privileged) {
        char name[64], path[PATH_MAX * 2] = "";
        int status = 0;

        assert_eq(waitpid(pid, &status, 0), pid);
        director_name_group(privileged, name, sizeof(name));
        if (group_own(path, sizeof(path)) == 0) {
                strcat(strcat(path, "/"), name);
                rmdir(path);
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Anybody can execute this copy. */
static inline void director_copy_witness(void) {
        const char *source = getenv("WITNESS");
        int from, to;

        if (!source)
                test_fail(__FILE__, __LINE__, "%s", "WITNESS is not set: run this by meson test");
        strcpy(director.witness, "/tmp/curfew-witness-XXXXXX");
        from = open(source, O_RDONLY | O_CLOEXEC);
        to = mkostemp(director.witness, O_CLOEXEC);
        assert_ge(from, 0);
        assert_ge(to, 0);
        while (sendfile(to, from, NULL, 1 << 20) > 0)
                ;
        assert_eq(fchmod(to, 0755), 0);
        close(from);
        close(to);
}

/* As everybody who can be had here, with every backend that promises it, all at the same time. */
static inline void director_run_all(void (*fn)(void)) {
        unsigned n = geteuid() == 0 ? 4 : 2;
        int status[4] = { 0 };
        pid_t pids[4];

        director.n = n;
        director.main = getpid();
        director_copy_witness();
        for (unsigned i = 0; i < n; ++i)
                pids[i] = director_begin(
                        i % 2 ? CURFEW_BACKEND_CGROUP : CURFEW_BACKEND_KEEPER, i < 2, fn);
        for (unsigned i = 0; i < n; ++i)
                status[i] = director_end(pids[i], i < 2);
        unlink(director.witness);

        for (unsigned i = 0; i < n; ++i)
                if (status[i] != 77)
                        assert_eq(status[i], 0);
        if (status[1] == 77)
                test_skip("no control group can be made here; all else has been tried");
}
