// SPDX-License-Identifier: MIT

/*
 * What starting a command and waiting for it costs, beside the system calls that it can't do
 * without. All ways are taken in turn, round by round, so that a change of the machine's speed
 * meets them alike; the ratios are those of the medians to vfork's in the same run.
 *
 *     spawn PROGRAM [ROUNDS]
 */

#include <curfew.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_ROUNDS 2000

static struct curfew *sup;

static void fail(const char *what) {
        perror(what);
        exit(1);
}

static bool by_vfork(const char *program) {
        pid_t pid = vfork();

        if (pid == 0) {
                execve(program, (char *const[]){ (char *)program, NULL }, environ);
                _exit(127);
        }
        if (pid < 0 || waitpid(pid, NULL, 0) != pid)
                fail("vfork");
        return true;
}

static bool by_posix_spawn(const char *program) {
        pid_t pid;

        if (posix_spawn(&pid, program, NULL, NULL, (char *const[]){ (char *)program, NULL },
                    environ) != 0 ||
                waitpid(pid, NULL, 0) != pid)
                fail("posix_spawn");
        return true;
}

static bool by_fork(const char *program) {
        pid_t pid = fork();

        if (pid == 0) {
                execve(program, (char *const[]){ (char *)program, NULL }, environ);
                _exit(127);
        }
        if (pid < 0 || waitpid(pid, NULL, 0) != pid)
                fail("fork");
        return true;
}

static bool by_curfew_run(const char *program) {
        struct curfew_result res;

        if (curfew_run(NULL, &(struct curfew_cmd){ .argv = (const char *[]){ program, NULL } },
                    &res) < 0)
                fail("curfew_run");
        curfew_result_deinit(&res);
        return true;
}

/* False: it doesn't work here. */
static bool by_backend(const char *program, enum curfew_backend backend) {
        const struct curfew_cmd cmd = {
                .argv = (const char *[]){ program, NULL },
                .backend = backend,
        };
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        struct curfew_run *run;

        if (curfew_start(sup, NULL, &cmd, &stage, &run) < 0) {
                if (stage == CURFEW_STAGE_TREE)
                        return false;
                fail("curfew_start");
        }
        if (curfew_run_wait(run, CURFEW_FOREVER) < 0)
                fail("curfew_run_wait");
        curfew_run_free(run);
        return true;
}

static bool by_group(const char *program) {
        return by_backend(program, CURFEW_BACKEND_GROUP);
}

static bool by_cgroup(const char *program) {
        return by_backend(program, CURFEW_BACKEND_CGROUP);
}

static bool by_keeper(const char *program) {
        return by_backend(program, CURFEW_BACKEND_KEEPER);
}

static bool by_namespace(const char *program) {
        return by_backend(program, CURFEW_BACKEND_PID_NAMESPACE);
}

static const struct {
        const char *name;
        bool (*start)(const char *program);
} ways[] = {
        { "vfork + execve + waitpid", by_vfork },
        { "posix_spawn + waitpid", by_posix_spawn },
        { "fork + execve + waitpid", by_fork },
        { "curfew_run", by_curfew_run },
        { "curfew_start and wait, group", by_group },
        { "  cgroup", by_cgroup },
        { "  keeper", by_keeper },
        { "  PID namespace", by_namespace },
};

#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

static int compare(const void *a, const void *b) {
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static int64_t median(int64_t *values, size_t n) {
        qsort(values, n, sizeof(*values), compare);
        return values[n / 2];
}

int main(int argc, char **argv) {
        size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : DEFAULT_ROUNDS;
        int64_t *times[N_WAYS], floor_time = 0;
        bool works[N_WAYS];

        if (argc < 2 || rounds == 0) {
                fprintf(stderr, "usage: %s PROGRAM [ROUNDS]\n", argv[0]);
                return 2;
        }
        if (curfew_new(&sup) < 0)
                fail("curfew_new");
        for (size_t i = 0; i < N_WAYS; ++i)
                if (!(times[i] = calloc(rounds, sizeof(int64_t))))
                        fail("calloc");

        for (size_t round = 0; round < rounds; ++round) {
                for (size_t i = 0; i < N_WAYS; ++i) {
                        int64_t before = curfew_now();

                        works[i] = ways[i].start(argv[1]);
                        times[i][round] = curfew_now() - before;
                }
        }

        printf("%zu rounds, median\n", rounds);
        for (size_t i = 0; i < N_WAYS; ++i) {
                int64_t m = median(times[i], rounds);

                if (i == 0)
                        floor_time = m;
                if (works[i])
                        printf("%-32s %8.1f us  %5.2f\n", ways[i].name, (double)m / 1e3,
                                (double)m / (double)floor_time);
                else
                        printf("%-32s does not work here\n", ways[i].name);
                free(times[i]);
        }
        curfew_free(sup);
        return 0;
}
