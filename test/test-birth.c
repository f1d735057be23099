// SPDX-License-Identifier: MIT

/*
 * A start that takes long: the program can't be executed yet (slow.h). It ends when its context
 * does, and when its caller wants it to; whoever stops the child only delays it; and nothing of one
 * that was given up is left. As root, if that is who runs this, and as nobody, with every backend
 * that works here.
 */

#include "group.h"
#include "run.h"
#include "slow.h"
#include "trial.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define NOBODY 65534
#define SHORT  (CURFEW_SEC / 5)
#define BOUND  (10 * CURFEW_SEC) /* on a machine with much else to do */

static struct slow slow;
static char group[PATH_MAX]; /* of this process, below which others are made; or empty */

/* A start on a thread of its own. */
struct start {
        struct curfew *sup;
        struct curfew_ctx *ctx;
        struct curfew_cmd cmd;
        pthread_t thread;
        struct curfew_run *run;
        enum curfew_stage stage;
        int r;
        int64_t took;
        unsigned fds;  /* before */
        int input[2];  /* at its end the program exits */
        bool is_short; /* there is a deadline, so soon that it passes meanwhile */
};

static void *start_on_thread(void *arg) {
        struct start *start = arg;
        int64_t before = curfew_now();

        start->r = curfew_start(start->sup, start->ctx, &start->cmd, &start->stage, &start->run);
        start->took = curfew_now() - before;
        return NULL;
}

/* The first start of a supervisor makes some things that stay, and so does a context's. Returns
 * false if the backend doesn't work here. */
static bool warm_up(struct start *start) {
        static const char *const argv[] = { "true", NULL };
        struct curfew_cmd cmd = { .argv = argv, .backend = start->cmd.backend };
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        struct curfew_run *run = NULL;
        struct curfew_ctx *ctx = cancel_ctx();
        int r = curfew_start(start->sup, ctx, &cmd, &stage, &run);

        curfew_ctx_unref(ctx);
        if (start->ctx)
                curfew_ctx_fd(start->ctx);
        if (r < 0) {
                assert_eq(stage, CURFEW_STAGE_TREE);
                return false;
        }
        assert_eq(curfew_run_wait(run, BOUND), 0);
        curfew_run_free(run);
        return true;
}

/* Returns once the program is about to be executed, and can't. */
static bool begin(struct start *start, enum curfew_backend backend, struct curfew_ctx *ctx) {
        static const char *const argv[] = { "probe", "wait", NULL };
        int64_t before = curfew_now();

        start->cmd.argv = argv;
        start->cmd.path = slow.path;
        start->cmd.backend = backend;
        start->ctx = ctx;
        assert_eq(curfew_new(&start->sup), 0);
        if (!warm_up(start)) {
                curfew_free(start->sup);
                return false;
        }
        if (start->is_short) { /* but not sooner than a start takes here */
                start->ctx = timeout_ctx(SHORT + 4 * (curfew_now() - before));
                curfew_ctx_fd(start->ctx);
        }
        start->fds = count_fds();
        assert_eq(pipe2(start->input, O_CLOEXEC), 0);
        start->cmd.in = (struct curfew_stream){ CURFEW_FD, .fd = start->input[0] };
        slow_hold(&slow);
        assert_eq(pthread_create(&start->thread, NULL, start_on_thread, start), 0);
        slow_await();
        return true;
}

static void close_input(const struct start *start) {
        close(start->input[0]);
        close(start->input[1]);
}

static void assert_nothing_left(const struct start *start) {
        assert_eq(count_fds(), start->fds);
        if (group[0] && start->cmd.backend == CURFEW_BACKEND_CGROUP)
                assert_eq(group_count(group), 0);
}

static void expect_given_up(struct start *start, int error) {
        assert_eq(pthread_join(start->thread, NULL), 0);
        assert_eq(start->r, error);
        assert_eq(start->stage, CURFEW_STAGE_EXEC);
        assert_lt(start->took, BOUND);
        assert_null(start->run);
        close_input(start);
        assert_nothing_left(start);
        slow_let_go(&slow);
        curfew_free(start->sup);
        assert_no_children();
        curfew_ctx_unref(start->ctx);
}

static void expect_started(struct start *start) {
        const struct curfew_result *result;

        assert_eq(pthread_join(start->thread, NULL), 0);
        assert_eq(start->r, 0);
        close_input(start);
        assert_eq(curfew_run_wait(start->run, BOUND), 0);
        result = curfew_run_result(start->run);
        assert_exited(*result, 0);
        assert_eq(result->end, CURFEW_END_EMPTY);
        curfew_run_free(start->run);
        assert_nothing_left(start);
        curfew_free(start->sup);
        assert_no_children();
        curfew_ctx_unref(start->ctx);
}

/* What ends it */

static void test_deadline(enum curfew_backend backend) {
        struct start start = { .is_short = true };

        if (begin(&start, backend, NULL))
                expect_given_up(&start, -ETIMEDOUT);
}

static void test_cancel(enum curfew_backend backend) {
        struct start start = { 0 };

        if (!begin(&start, backend, cancel_ctx()))
                return;
        curfew_ctx_cancel(start.ctx);
        expect_given_up(&start, -ECANCELED);
}

static void test_signal(enum curfew_backend backend) {
        struct start start = { 0 };
        struct curfew_signals *signals = NULL;
        struct curfew_cause cause;
        struct curfew_ctx *ctx;
        sigset_t term;

        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        assert_eq(curfew_signals_open(NULL, &term, &signals), 0);
        ctx = curfew_ctx_ref(curfew_signals_ctx(signals));
        if (!begin(&start, backend, curfew_ctx_ref(ctx))) {
                curfew_ctx_unref(ctx);
                curfew_signals_close(signals);
                return;
        }
        assert_eq(kill(getpid(), SIGTERM), 0);
        expect_given_up(&start, -ECANCELED);
        assert_eq(curfew_ctx_cause(ctx, &cause), -ECANCELED);
        assert_eq(cause.code, SIGTERM);
        curfew_ctx_unref(ctx);
        curfew_signals_close(signals);
}

static _Atomic int wishes;

static int wish(void *data) {
        return atomic_fetch_add((_Atomic int *)data, 1) >= 2;
}

static void test_caller(enum curfew_backend backend) {
        struct start start = { .cmd = { .data = &wishes, .give_up = wish } };

        wishes = 0;
        if (!begin(&start, backend, NULL))
                return;
        expect_given_up(&start, -ECANCELED);
        assert_eq(wishes, 3);
}

/* What doesn't */

static void test_patience(enum curfew_backend backend) {
        struct start start = { .cmd = { .data = &wishes, .give_up = wish } };

        wishes = -1000000;
        if (!begin(&start, backend, timeout_ctx(CURFEW_FOREVER)))
                return;
        while (wishes < -999995)
                sched_yield();
        slow_let_go(&slow);
        expect_started(&start);
}

static int handler_ends[2];

static void on_usr1(int number _unused_) {
        assert_eq(write(handler_ends[1], "h", 1), 1);
}

/* The host's handlers are called meanwhile. */
static void test_handler(enum curfew_backend backend) {
        struct start start = { 0 };
        char c;

        assert_eq(pipe2(handler_ends, O_CLOEXEC), 0);
        signal(SIGUSR1, on_usr1);
        if (begin(&start, backend, cancel_ctx())) {
                assert_eq(pthread_kill(start.thread, SIGUSR1), 0);
                assert_eq(read(handler_ends[0], &c, 1), 1);
                curfew_ctx_cancel(start.ctx);
                expect_given_up(&start, -ECANCELED);
        }
        signal(SIGUSR1, SIG_DFL);
        close(handler_ends[0]);
        close(handler_ends[1]);
}

/* Who is on the way */

static void read_text(const char *path, char *ret, size_t size) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, ret, size - 1);

        ret[n > 0 ? n : 0] = 0;
        if (fd >= 0)
                close(fd);
}

/* As in proc_pid_stat(5). */
static char state_of(pid_t pid) {
        char path[64], text[512];
        const char *end;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        read_text(path, text, sizeof(text));
        end = strrchr(text, ')');
        return end ? end[2] : (char)0;
}

/* Whoever still goes by our name, below a process. */
static pid_t find_newborn(pid_t parent) {
        char path[300], text[4096], own[32], name[32];
        DIR *dir;
        struct dirent *entry;
        pid_t ret = 0;

        read_text("/proc/self/comm", own, sizeof(own));
        snprintf(path, sizeof(path), "/proc/%d/task", (int)parent);
        dir = opendir(path);
        while (dir && ret == 0 && (entry = readdir(dir))) {
                snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)parent,
                        entry->d_name);
                read_text(path, text, sizeof(text));
                for (char *p = text; *p && ret == 0;) {
                        pid_t pid = (pid_t)strtol(p, &p, 10);

                        p += strspn(p, " ");
                        snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
                        read_text(path, name, sizeof(name));
                        ret = strcmp(name, own) == 0 ? pid : find_newborn(pid);
                }
        }
        if (dir)
                closedir(dir);
        return ret;
}

static void await_state(pid_t pid, char state) {
        while (state_of(pid) != state)
                sched_yield();
}

/* It is continued, so that the start ends; and stopped again when it is the program. (Of a keeper's
 * child it is not known that it wasn't the terminal's signal, which is not meant for it.) */
static void test_stop(enum curfew_backend backend) {
        struct start start = { .cmd = { .data = &wishes, .give_up = wish } };
        pid_t pid;

        wishes = -1000000;
        if (!begin(&start, backend, NULL))
                return;
        pid = find_newborn(getpid());
        assert_gt(pid, 0);
        for (int i = 0; i < 3; ++i) {
                int before = wishes;

                assert_eq(kill(pid, SIGSTOP), 0);
                while (wishes < before + 4)
                        sched_yield();
                assert_ne(state_of(pid), 'T');
        }
        slow_let_go(&slow);
        if (backend == CURFEW_BACKEND_GROUP || backend == CURFEW_BACKEND_CGROUP) {
                await_state(pid, 'T');
                assert_eq(kill(pid, SIGCONT), 0);
        }
        expect_started(&start);
}

/* One that nothing ends */

static char freezer[512];

static void write_freezer(const char *file, const char *text) {
        char path[600];
        int fd;

        snprintf(path, sizeof(path), "%s/%s", freezer, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_ge(fd, 0);
        assert_eq(write(fd, text, strlen(text)), strlen(text));
        close(fd);
}

/* In a hierarchy of cgroup v1; "" if there is none. */
static void make_group_v1(const char *controller, char *ret, size_t size) {
        char line[4096], mount[256] = "", wanted[64];
        FILE *file = fopen("/proc/self/mountinfo", "re");

        snprintf(wanted, sizeof(wanted), "rw,%s", controller);
        assert_true(file);
        while (fgets(line, sizeof(line), file))
                if (strstr(line, " - cgroup ") && strstr(line, wanted))
                        sscanf(line, "%*d %*d %*s / %255s", mount);
        fclose(file);
        snprintf(ret, size, "%s/test-birth-%d", mount, (int)getpid());
        if (!mount[0] || mkdir(ret, 0755) < 0)
                ret[0] = 0;
}

static void freeze(pid_t pid) {
        char number[16], path[600], state[32];

        snprintf(number, sizeof(number), "%d", (int)pid);
        write_freezer("cgroup.procs", number);
        write_freezer("freezer.state", "FROZEN");
        snprintf(path, sizeof(path), "%s/freezer.state", freezer);
        do
                read_text(path, state, sizeof(state));
        while (strcmp(state, "FROZEN\n") != 0);
}

static void run_something(struct start *start) {
        static const char *const argv[] = { "true", NULL };
        struct curfew_cmd cmd = { .argv = argv, .backend = start->cmd.backend };
        struct curfew_run *run = NULL;

        assert_eq(curfew_start(start->sup, NULL, &cmd, NULL, &run), 0);
        assert_eq(curfew_run_wait(run, BOUND), 0);
        assert_exited(*curfew_run_result(run), 0);
        curfew_run_free(run);
}

/* It is left behind, with what it needs, and the host's memory stays hidden from who it has become;
 * when it has ended after all nothing is left of it. */
static void test_lost(enum curfew_backend backend) {
        const uid_t uid = 1234;
        struct start start = { .cmd = { .uid = &uid } };
        struct pollfd end = { .events = POLLIN };
        pid_t pid;

        make_group_v1("freezer", freezer, sizeof(freezer));
        if (geteuid() != 0 || !freezer[0] || !begin(&start, backend, cancel_ctx()))
                return;
        assert_eq(prctl(PR_GET_DUMPABLE), 0);
        pid = find_newborn(getpid());
        end.fd = (int)syscall(SYS_pidfd_open, pid, 0);
        assert_ge(end.fd, 0);
        freeze(pid);
        curfew_ctx_cancel(start.ctx);
        assert_eq(pthread_join(start.thread, NULL), 0);
        assert_eq(start.r, -ECANCELED);
        assert_eq(start.stage, CURFEW_STAGE_EXEC);
        assert_lt(start.took, BOUND);

        run_something(&start);
        assert_eq(prctl(PR_GET_DUMPABLE), 0);
        assert_eq(poll(&end, 1, 0), 0);
        write_freezer("freezer.state", "THAWED");
        assert_eq(poll(&end, 1, (int)(BOUND / CURFEW_MSEC)), 1);
        close(end.fd);
        run_something(&start);
        assert_eq(prctl(PR_GET_DUMPABLE), 1);

        close_input(&start);
        assert_eq(count_fds(), start.fds);
        slow_let_go(&slow);
        curfew_free(start.sup);
        assert_no_children();
        curfew_ctx_unref(start.ctx);
        while (rmdir(freezer) < 0) /* with the last zombie in it */
                assert_eq(errno, EBUSY);
}

/* Places */

/* Start a command where there are so many places for processes left. */
static void expect_places(enum curfew_backend backend, unsigned n, unsigned wanted) {
        static const char *const argv[] = { "true", NULL };
        struct curfew_cmd cmd = { .argv = argv, .backend = backend };
        struct curfew_result res;
        int r = curfew_run(NULL, &cmd, &res);

        if (n >= wanted) {
                assert_eq(r, 0);
                assert_exited(res, 0);
        } else {
                assert_eq(r, -EAGAIN);
                assert_eq(res.stage, CURFEW_STAGE_CLONE);
        }
        curfew_result_deinit(&res);
        assert_no_children();
}

static unsigned places;

static void expect_all_places(void) {
        expect_places(CURFEW_BACKEND_GROUP, places, 1);
        expect_places(CURFEW_BACKEND_KEEPER, places, 2);
        expect_places(CURFEW_BACKEND_ANY, places, 2);
}

/* A user with nobody else's processes. */
static void become_somebody(void) {
        const uid_t uid = 100000 + (uid_t)getpid();

        assert_eq(setgroups(0, NULL), 0);
        assert_eq(setresgid(uid, uid, uid), 0);
        assert_eq(setresuid(uid, uid, uid), 0);
        assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

static void limited_by_user(void) {
        const struct rlimit limit = { 1 + places, 1 + places };

        become_somebody();
        assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
        expect_all_places();
        _exit(0); /* a leak check would need one */
}

static char pids[512];

static void limited_by_group(void) {
        char path[600];
        FILE *file;

        snprintf(path, sizeof(path), "%s/pids.max", pids);
        file = fopen(path, "we");
        assert_true(file);
        fprintf(file, "%u\n", 1 + places);
        assert_eq(fclose(file), 0);
        assert_eq(group_enter(pids), 0);
        become_somebody();
        expect_all_places();
        _exit(0);
}

/* A keeper takes one, and its leader another: with one alone it is an error, at once. */
static void test_places(void) {
        if (geteuid() != 0)
                return;
        make_group_v1("pids", pids, sizeof(pids));
        for (places = 0; places <= 2; ++places) {
                trial_apart(limited_by_user);
                if (pids[0])
                        trial_apart(limited_by_group);
        }
        if (pids[0])
                assert_eq(rmdir(pids), 0);
}

/* Filters */

static int refusal;

/* A daemon that a keeper ends. */
static void without_clone3(void) {
        struct curfew_cmd cmd = {
                .argv = SH("setsid sh -c 'sleep 300 & exit' & wait"),
                .backend = CURFEW_BACKEND_KEEPER,
                .linger = CURFEW_NO_LINGER,
        };
        struct curfew_result res;

        trial_forbid(SYS_clone3, refusal);
        assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        res = run(&cmd);
        assert_exited(res, 0);
        assert_eq(res.guarantee, CURFEW_GUARANTEE_TRACKED);
        assert_eq(res.end, CURFEW_END_EMPTY);
        assert_eq(res.reason, CURFEW_REASON_LEFTOVERS);
        assert_eq(res.left, 0);
        curfew_result_deinit(&res);
        assert_no_children();
}

/* … and the program knows that it would. */
static void doctor_without_clone3(void) {
        const char *curfew = getenv("CURFEW");
        char text[4096];
        int ends[2];
        pid_t pid;

        assert_true(curfew);
        if (access(curfew, X_OK) < 0) {
                fprintf(stderr, "skipped: who isn't root can't execute the program: %s\n", curfew);
                return;
        }
        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        trial_forbid(SYS_clone3, refusal);
        pid = fork();
        assert_ge(pid, 0);
        if (pid == 0) {
                dup2(ends[1], 1);
                execl(curfew, "curfew", "doctor", NULL);
                _exit(127);
        }
        close(ends[1]);
        trial_drain(ends[0], text, sizeof(text));
        close(ends[0]);
        assert_eq(waitpid(pid, NULL, 0), pid);
        if (!strstr(text, "\nkeeper         tracked: "))
                test_fail(__FILE__, __LINE__, "%s", text);
}

/* Docker's answers the one, others the other. */
static void test_filters(void) {
        static const int refusals[] = { ENOSYS, EPERM };

        for (size_t i = 0; i < ARRAY_SIZE(refusals); ++i) {
                refusal = refusals[i];
                trial_apart(without_clone3);
                trial_apart(doctor_without_clone3);
        }
}

/* Threads */

static void *start_many(void *arg) {
        static const char *const argv[] = { "probe", "exit", NULL };
        struct curfew_cmd cmd = { .argv = argv, .path = trial_probe() };
        struct curfew *sup = NULL;

        (void)arg;
        assert_eq(curfew_new(&sup), 0);
        for (int i = 0; i < 250; ++i) {
                struct curfew_run *run = NULL;

                assert_eq(curfew_start(sup, NULL, &cmd, NULL, &run), 0);
                assert_eq(curfew_run_wait(run, CURFEW_FOREVER), 0);
                assert_exited(*curfew_run_result(run), 0);
                curfew_run_free(run);
        }
        curfew_free(sup);
        return NULL;
}

static void test_threads(void) {
        pthread_t threads[4];

        for (size_t i = 0; i < ARRAY_SIZE(threads); ++i)
                assert_eq(pthread_create(&threads[i], NULL, start_many, NULL), 0);
        for (size_t i = 0; i < ARRAY_SIZE(threads); ++i)
                assert_eq(pthread_join(threads[i], NULL), 0);
        assert_no_children();
}

static void test_backend(enum curfew_backend backend) {
        test_deadline(backend);
        test_cancel(backend);
        test_signal(backend);
        test_caller(backend);
        test_patience(backend);
        test_handler(backend);
        test_stop(backend);
        if (backend != CURFEW_BACKEND_PID_NAMESPACE) /* whose init waits for what can't be ended */
                test_lost(backend);
}

static void run_all(void) {
        slow_make(&slow, trial_probe());
        test_backend(CURFEW_BACKEND_GROUP);
        test_backend(CURFEW_BACKEND_KEEPER);
        test_backend(CURFEW_BACKEND_CGROUP);
        test_backend(CURFEW_BACKEND_PID_NAMESPACE);
        slow_remove(&slow);
        test_filters();
        test_threads();
}

static void as_nobody(void) {
        trial_become_nobody();
        run_all();
}

/* Where that is possible, below a group of our own. */
int main(void) {
        char above[PATH_MAX], name[64];

        test_bound(600);
        slow_block_signal();
        snprintf(name, sizeof(name), "test-birth-%d", (int)getpid());
        if (geteuid() == 0 && group_own(above, sizeof(above)) == 0 &&
                group_make(name, group, sizeof(group)) == 0)
                group_delegate(group, NOBODY, NOBODY);

        test_places();
        if (geteuid() == 0)
                trial_apart(as_nobody);
        run_all();

        if (group[0]) {
                assert_eq(group_enter(above), 0);
                assert_eq(rmdir(group), 0);
        }
        return 0;
}
