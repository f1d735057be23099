// SPDX-License-Identifier: MIT

/* Starts where something is short or refused: places for processes, and clone3(2). As root, if that
 * is who runs this, and as nobody; and on several threads. */

#include "group.h"
#include "run.h"
#include "trial.h"

#include <pthread.h>

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

static void as_nobody(void) {
        trial_become_nobody();
        test_filters();
        test_threads();
}

int main(void) {
        test_bound(300);
        test_places();
        if (geteuid() == 0)
                trial_apart(as_nobody);
        test_filters();
        test_threads();
        return 0;
}
