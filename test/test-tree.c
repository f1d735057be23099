// SPDX-License-Identifier: MIT

/* Looking at a tree and signalling it without asking it to stop, whoever holds it: three processes,
 * one of them in another session. */

#include "run.h"

#include <sys/resource.h>

static const enum curfew_backend backends[] = {
        CURFEW_BACKEND_CGROUP,
        CURFEW_BACKEND_KEEPER,
        CURFEW_BACKEND_GROUP,
};

static struct curfew_run *start_three(struct curfew *sup, enum curfew_backend backend) {
        struct curfew_cmd cmd = {
                .argv = SH("sh -c 'echo ready; exec sleep 300' &"
                           "setsid sh -c 'echo ready; exec sleep 300' & wait"),
                .out = { CURFEW_PIPE },
                .backend = backend,
        };
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        struct curfew_run *run = NULL;
        char line[16];
        int fd;

        if (curfew_start(sup, NULL, &cmd, &stage, &run) < 0) {
                assert_eq(stage, CURFEW_STAGE_TREE);
                return NULL;
        }
        fd = curfew_run_take_fd(run, 1);
        for (int i = 0; i < 2; ++i) {
                read_line(fd, line, sizeof(line));
                assert_str(line, "ready");
        }
        close(fd);
        return run;
}

static void check_processes(struct curfew_run *run, int64_t before) {
        struct curfew_process processes[4] = { 0 };
        pid_t leader = curfew_run_pid(run);
        unsigned leaders = 0;

        assert_eq(curfew_run_processes(run, NULL, 0), 3);
        assert_eq(curfew_run_processes(run, processes, 2), 3);
        assert_ne(processes[1].pid, 0);
        assert_eq(processes[2].pid, 0);

        assert_eq(curfew_run_processes(run, processes, 4), 3);
        for (int i = 0; i < 3; ++i) {
                const struct curfew_process *process = &processes[i];

                leaders += process->pid == leader;
                assert_true(process->pid == leader || process->parent == leader);
                assert_true(strchr("RSD", process->state));
                assert_true(
                        strcmp(process->name, "sh") == 0 || strcmp(process->name, "sleep") == 0);
                assert_ge(process->started, before - 20 * CURFEW_MSEC);
                assert_le(process->started, curfew_now());
        }
        assert_eq(leaders, 1);
}

/* Nobody has asked it to stop: it has ended by itself, as far as the result goes. */
static void check_signals(struct curfew_run *run) {
        const struct curfew_result *result;

        assert_eq(curfew_run_signal(run, CURFEW_TREE, 0), 3);
        assert_eq(curfew_run_signal(run, CURFEW_GROUP, 0), 2);
        assert_eq(curfew_run_signal(run, CURFEW_LEADER, 0), 1);
        assert_eq(curfew_run_signal(run, CURFEW_TREE + 3, 0), -EINVAL);
        assert_eq(curfew_run_signal(run, CURFEW_TREE, SIGTERM), 3);

        assert_eq(curfew_run_wait(run, 20 * CURFEW_SEC), 0);
        result = curfew_run_result(run);
        assert_signaled(*result, SIGTERM);
        assert_eq(result->reason, CURFEW_REASON_NONE);
        assert_eq(result->n_steps, 0);
        assert_eq(result->end, CURFEW_END_EMPTY);
        assert_eq(curfew_run_signal(run, CURFEW_TREE, 0), -ESRCH);
        assert_eq(curfew_run_processes(run, NULL, 0), -ESRCH);
}

static void test_backend(enum curfew_backend backend) {
        int64_t before = curfew_now();
        struct curfew *sup = NULL;
        struct curfew_run *run;

        assert_eq(curfew_new(&sup), 0);
        run = start_three(sup, backend);
        if (run) {
                check_processes(run, before);
                check_signals(run);
        }
        curfew_free(sup);
        assert_no_children();
}

/* In the caller's group there is none of its own to signal. */
static void test_same_group(void) {
        struct curfew_cmd cmd = { .argv = SH("exec sleep 300"), .pgid = CURFEW_SAME_GROUP };
        struct curfew *sup = NULL;
        struct curfew_run *run = NULL;

        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, NULL, &cmd, NULL, &run), 0);
        assert_eq(curfew_run_signal(run, CURFEW_GROUP, SIGTERM), -EINVAL);
        assert_eq(curfew_run_signal(run, CURFEW_TREE, SIGKILL), 1);
        assert_eq(curfew_run_wait(run, 20 * CURFEW_SEC), 0);
        assert_signaled(*curfew_run_result(run), SIGKILL);
        curfew_free(sup);
}

/* Leave this process as many free descriptors, and no more. */
static struct rlimit leave_free(rlim_t n, int fds[64]) {
        struct rlimit old, few;
        int n_fds = 0;

        assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
        few = old;
        few.rlim_cur = 63;
        assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        while ((fds[n_fds] = fcntl(2, F_DUPFD_CLOEXEC, 0)) >= 0)
                ++n_fds;
        assert_eq(errno, EMFILE);
        assert_ge(n_fds, n);
        while (n-- > 0)
                close(fds[--n_fds]);
        fds[n_fds] = -1;
        return old;
}

static void give_back(const struct rlimit *old, const int fds[64]) {
        for (int i = 0; fds[i] >= 0; ++i)
                close(fds[i]);
        assert_eq(setrlimit(RLIMIT_NOFILE, old), 0);
}

/* To look into a process takes a descriptor. Where there is none, it is not overlooked. */
static void test_not_overlooked(void) {
        struct curfew_cmd cmd = {
                .argv = SH("sh -c 'echo ready; exec sleep 300' &"),
                .out = { CURFEW_PIPE },
                .backend = CURFEW_BACKEND_GROUP,
                .linger = CURFEW_FOREVER,
        };
        struct curfew *sup = NULL;
        struct curfew_run *run = NULL;
        const struct curfew_result *result;
        struct rlimit old;
        char line[16];
        int fds[64], out;

        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, NULL, &cmd, NULL, &run), 0);
        out = curfew_run_take_fd(run, 1);
        read_line(out, line, sizeof(line));

        old = leave_free(1, fds);
        assert_eq(curfew_run_wait(run, CURFEW_SEC / 2), -ETIMEDOUT);
        give_back(&old, fds);

        curfew_run_stop(run);
        assert_eq(curfew_run_wait(run, 20 * CURFEW_SEC), 0);
        result = curfew_run_result(run);
        assert_exited(*result, 0);
        assert_eq(result->n_steps, 1);
        assert_eq(result->steps[0].reached, 1);
        assert_eq(read(out, line, 1), 0);
        close(out);
        curfew_free(sup);
        assert_no_children();
}

/* … and not left out of what is counted: with the fewest descriptors it is all of them, or an
 * error. */
static void test_all_or_error(enum curfew_backend backend) {
        struct curfew *sup = NULL;
        struct curfew_run *run;
        struct rlimit old, few;

        assert_eq(curfew_new(&sup), 0);
        run = start_three(sup, backend);
        assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
        few = old;
        for (few.rlim_cur = 0; run && few.rlim_cur < 64; ++few.rlim_cur) {
                int n, reached;

                assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
                n = curfew_run_processes(run, NULL, 0);
                reached = curfew_run_signal(run, CURFEW_TREE, 0);
                assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
                assert_true(n == 3 || n == -EMFILE);
                assert_true(reached > 0);
        }
        curfew_free(sup);
        assert_no_children();
}

/* Its parent is its keeper, which tells of its end. */
static void test_stopped_keeper(void) {
        struct curfew_cmd exits = { .argv = SH("kill -STOP $PPID; exit 3"),
                .backend = CURFEW_BACKEND_KEEPER };
        struct curfew_cmd stays = { .argv = SH("kill -STOP $PPID; echo; exec sleep 100"),
                .backend = CURFEW_BACKEND_KEEPER,
                .out = { CURFEW_PIPE } };
        struct curfew_result res = run(&exits);
        struct curfew *sup = NULL;
        struct curfew_run *stopped;
        char line[16];
        int fd;

        assert_exited(res, 3);
        assert_eq(res.end, CURFEW_END_EMPTY);
        curfew_result_deinit(&res);

        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, NULL, &stays, NULL, &stopped), 0);
        fd = curfew_run_take_fd(stopped, 1);
        read_line(fd, line, sizeof(line));
        curfew_run_stop(stopped);
        assert_eq(curfew_run_wait(stopped, 20 * CURFEW_SEC), 0);
        assert_signaled(*curfew_run_result(stopped), SIGTERM);
        assert_eq(curfew_run_result(stopped)->n_steps, 1);
        close(fd);
        curfew_free(sup);
        assert_no_children();
}

/* Who has been put into another's group is not the other's. */
static void test_joined_group(enum curfew_backend backend) {
        struct curfew_cmd cmd = {
                .argv = SH("trap 'echo asked; exit' TERM; echo; while :; do read x; done"),
                .in = { CURFEW_PIPE },
                .out = { CURFEW_PIPE },
                .backend = backend
        };
        struct curfew *sup = NULL;
        struct curfew_run *runs[2];
        char line[16];
        int fds[2], ins[2];

        assert_eq(curfew_new(&sup), 0);
        for (int i = 0; i < 2; ++i) {
                if (curfew_start(sup, NULL, &cmd, NULL, &runs[i]) < 0) {
                        printf("skipped: joined group: %s\n", curfew_backend_name(backend));
                        curfew_free(sup);
                        return;
                }
                fds[i] = curfew_run_take_fd(runs[i], 1);
                ins[i] = curfew_run_take_fd(runs[i], 0);
                read_line(fds[i], line, sizeof(line));
                cmd.pgid = curfew_run_pid(runs[0]);
        }
        curfew_run_stop(runs[0]);
        assert_eq(curfew_run_wait(runs[0], 20 * CURFEW_SEC), 0);
        read_line(fds[0], line, sizeof(line));
        assert_str(line, "asked");
        assert_null(curfew_run_result(runs[1]));
        curfew_run_stop(runs[1]);
        assert_eq(curfew_run_wait(runs[1], 20 * CURFEW_SEC), 0);
        read_line(fds[1], line, sizeof(line));
        assert_str(line, "asked");
        read_line(fds[1], line, sizeof(line));
        assert_str(line, ""); /* once */
        assert_eq(curfew_run_result(runs[0])->steps[0].reached, 1);
        for (int i = 0; i < 2; ++i) {
                close(fds[i]);
                close(ins[i]);
        }
        curfew_free(sup);
}

/* "…/curfew-ID-N": without the N. */
static bool read_group(pid_t pid, char *ret, size_t size) {
        char path[64], line[4096];
        bool found = false;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
        file = fopen(path, "re");
        assert_true(file);
        while (!found && fgets(line, sizeof(line), file))
                found = strncmp(line, "0::", 3) == 0;
        fclose(file);
        if (!found || !strstr(line, "/curfew-"))
                return false;
        *strrchr(line, '-') = 0;
        snprintf(ret, size, "%s", strstr(line, "/curfew-"));
        return true;
}

/* A name that two supervisors could choose would be one that a guard could mistake for its own. */
static void test_names_of_groups(void) {
        struct curfew_cmd cmd = { .argv = SH("exec sleep 100"), .backend = CURFEW_BACKEND_CGROUP };
        struct curfew *sups[2] = { NULL };
        struct curfew_run *runs[2];
        char groups[2][128];

        for (int i = 0; i < 2; ++i) {
                assert_eq(curfew_new(&sups[i]), 0);
                if (curfew_start(sups[i], NULL, &cmd, NULL, &runs[i]) < 0) {
                        printf("skipped: names: no control group can be made\n");
                        curfew_free(sups[i]);
                        return;
                }
                assert_true(read_group(curfew_run_pid(runs[i]), groups[i], sizeof(groups[i])));
        }
        assert_ne(strcmp(groups[0], groups[1]), 0);
        curfew_free(sups[0]);
        curfew_free(sups[1]);
        assert_no_children();
}

int main(void) {
        test_bound(50);
        for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); ++i)
                test_backend(backends[i]);
        test_same_group();
        test_not_overlooked();
        for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); ++i)
                test_all_or_error(backends[i]);
        test_joined_group(CURFEW_BACKEND_CGROUP);
        test_joined_group(CURFEW_BACKEND_KEEPER);
        test_names_of_groups();
        test_stopped_keeper();
        return 0;
}
