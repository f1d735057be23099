// SPDX-License-Identifier: MIT

/*
 * What starting a command and waiting for it costs, beside the system calls that it can't do
 * without (raw.c) and the others who do it.
 *
 *     start PROGRAM [PEER…]
 */

#include "bench.h"
#include "peer.h"
#include "raw.h"

#include <curfew.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIG_HOST  ((size_t)4096) /* MiB */
#define MAX_PEERS 8
#define N_FDS     8
#define NOBODY    65534

static const char *program;
static int null_fd = -1;
static struct curfew *sup;
static struct raw_stack stack;
static struct peer peers[MAX_PEERS];
static size_t n_peers;

/* The floor, and each option's own system calls */

static int64_t by_raw(const struct bench_way *way, unsigned n) {
        struct raw_plan plan = RAW_PLAN(program, null_fd);
        int64_t before = bench_now();

        plan.in_child = (void (*)(const void *))way->arg;
        for (unsigned i = 0; i < n; ++i) {
                struct raw_child child = raw_start(&plan, &stack);

                raw_wait(&child);
        }
        return bench_now() - before;
}

static void with_directory(const void *arg) {
        raw_courtesy(arg);
        syscall(SYS_chdir, "/tmp");
}

static void with_uid(const void *arg) {
        raw_courtesy(arg);
        syscall(SYS_setgroups, 0, NULL);
        syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY);
        syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY);
}

static void with_session(const void *arg) {
        syscall(SYS_setsid);
        raw_courtesy(arg); /* its setpgid() fails, and costs what it costs */
}

static void with_rlimits(const void *arg) {
        static const struct rlimit core = { 0, 0 }, stack_size = { 1 << 20, 1 << 20 };

        raw_courtesy(arg);
        syscall(SYS_prlimit64, 0, RLIMIT_CORE, &core, NULL);
        syscall(SYS_prlimit64, 0, RLIMIT_STACK, &stack_size, NULL);
}

static void with_fds(const void *arg) {
        for (int i = 0; i < N_FDS; ++i)
                syscall(SYS_dup3, null_fd, 100 + i, 0);
        syscall(SYS_close_range, 108, ~0U, 0);
        raw_courtesy(arg);
}

static int64_t by_raw_capture(const struct bench_way *way, unsigned n) {
        int64_t before = bench_now();

        for (unsigned i = 0; i < n; ++i) {
                struct raw_plan plan = RAW_PLAN(program, null_fd);
                struct raw_child child;
                int ends[2];
                char buf[64];

                if (pipe2(ends, O_CLOEXEC) < 0)
                        bench_fail("pipe2");
                plan.output = ends[1];
                plan.in_child = (void (*)(const void *))way->arg;
                child = raw_start(&plan, &stack);
                close(ends[1]);
                while (read(ends[0], buf, sizeof(buf)) > 0)
                        continue;
                close(ends[0]);
                raw_wait(&child);
        }
        return bench_now() - before;
}

static int64_t by_raw_cgroup(const struct bench_way *way, unsigned n) {
        const char *parent = way->arg;
        int64_t before = bench_now();

        if (!parent || !raw_has_cgroup())
                return BENCH_MISSING;
        for (unsigned i = 0; i < n; ++i) {
                struct raw_plan plan = RAW_PLAN(program, null_fd);
                struct raw_child child;
                char path[512];

                snprintf(path, sizeof(path), "%s/bench-%u", parent, i);
                if (mkdir(path, 0755) < 0)
                        bench_fail(path);
                plan.cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                child = raw_start(&plan, &stack);
                close(plan.cgroup);
                raw_wait(&child);
                if (rmdir(path) < 0)
                        bench_fail(path);
        }
        return bench_now() - before;
}

/* The keeper must execute a program, too. */
static int64_t by_raw_twice(const struct bench_way *way, unsigned n) {
        return by_raw(way, 2 * n);
}

/* The C library */

static int64_t by_vfork(const struct bench_way *way, unsigned n) {
        char *const argv[] = { (char *)program, NULL };
        int64_t before = bench_now();

        (void)way;
        for (unsigned i = 0; i < n; ++i) {
                pid_t pid = vfork();

                if (pid == 0) {
                        execve(program, argv, environ);
                        _exit(127);
                }
                if (pid < 0 || waitpid(pid, NULL, 0) != pid)
                        bench_fail("vfork");
        }
        return bench_now() - before;
}

static int64_t by_posix_spawn(const struct bench_way *way, unsigned n) {
        posix_spawn_file_actions_t actions;
        char *const argv[] = { (char *)program, NULL };
        int64_t before = bench_now();

        (void)way;
        for (unsigned i = 0; i < n; ++i) {
                pid_t pid;

                posix_spawn_file_actions_init(&actions);
                for (int fd = 0; fd < 3; ++fd)
                        posix_spawn_file_actions_adddup2(&actions, null_fd, fd);
                if (posix_spawn(&pid, program, &actions, NULL, argv, environ) != 0 ||
                        waitpid(pid, NULL, 0) != pid)
                        bench_fail("posix_spawn");
                posix_spawn_file_actions_destroy(&actions);
        }
        return bench_now() - before;
}

static int64_t by_fork(const struct bench_way *way, unsigned n) {
        char *const argv[] = { (char *)program, NULL };
        int64_t before = bench_now();

        (void)way;
        for (unsigned i = 0; i < n; ++i) {
                pid_t pid = fork();

                if (pid == 0) {
                        for (int fd = 0; fd < 3; ++fd)
                                dup2(null_fd, fd);
                        execve(program, argv, environ);
                        _exit(127);
                }
                if (pid < 0 || waitpid(pid, NULL, 0) != pid)
                        bench_fail("fork");
        }
        return bench_now() - before;
}

/* Curfew */

struct job {
        enum curfew_backend backend;
        void (*option)(struct curfew_cmd *cmd);
};

static const struct job in_group = { .backend = CURFEW_BACKEND_GROUP };
static const struct job in_cgroup = { .backend = CURFEW_BACKEND_CGROUP };
static const struct job with_keeper = { .backend = CURFEW_BACKEND_KEEPER };
static const struct job in_namespace = { .backend = CURFEW_BACKEND_PID_NAMESPACE };

static void set_directory(struct curfew_cmd *cmd) {
        cmd->dir = "/tmp";
}

static void set_uid(struct curfew_cmd *cmd) {
        static const uid_t uid = NOBODY;
        static const gid_t gid = NOBODY;

        cmd->uid = &uid;
        cmd->gid = &gid;
}

static void set_session(struct curfew_cmd *cmd) {
        cmd->setsid = true;
}

static void set_rlimits(struct curfew_cmd *cmd) {
        static const struct curfew_rlimit rlimits[] = {
                { RLIMIT_CORE, { 0, 0 } },
                { RLIMIT_STACK, { 1 << 20, 1 << 20 } },
        };

        cmd->rlimits = rlimits;
        cmd->n_rlimits = BENCH_COUNT(rlimits);
}

static void set_fds(struct curfew_cmd *cmd) {
        static struct curfew_extra_fd fds[N_FDS];

        for (int i = 0; i < N_FDS; ++i)
                fds[i] = (struct curfew_extra_fd){ .target = 3 + i, .source = null_fd };
        cmd->fds = fds;
        cmd->n_fds = N_FDS;
}

static void set_capture(struct curfew_cmd *cmd) {
        cmd->out.kind = CURFEW_CAPTURE;
}

static const struct job directory = { CURFEW_BACKEND_GROUP, set_directory };
static const struct job uid = { CURFEW_BACKEND_GROUP, set_uid };
static const struct job session = { CURFEW_BACKEND_GROUP, set_session };
static const struct job rlimits = { CURFEW_BACKEND_GROUP, set_rlimits };
static const struct job fds = { CURFEW_BACKEND_GROUP, set_fds };
static const struct job capture = { CURFEW_BACKEND_GROUP, set_capture };

static int64_t by_curfew(const struct bench_way *way, unsigned n) {
        const char *const argv[] = { program, NULL };
        const struct job *job = way->arg;
        struct curfew_cmd cmd = { .argv = argv, .backend = job->backend };
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        int64_t before = bench_now();

        if (job->option)
                job->option(&cmd);
        for (unsigned i = 0; i < n; ++i) {
                struct curfew_run *run;

                if (curfew_start(sup, NULL, &cmd, &stage, &run) < 0) {
                        if (stage == CURFEW_STAGE_TREE)
                                return BENCH_MISSING;
                        bench_fail(curfew_stage_name(stage));
                }
                if (curfew_run_wait(run, CURFEW_FOREVER) < 0)
                        bench_fail("curfew_run_wait");
                curfew_run_free(run);
        }
        return bench_now() - before;
}

static int64_t by_curfew_run(const struct bench_way *way, unsigned n) {
        const char *const argv[] = { program, NULL };
        const struct job *job = way->arg;
        const struct curfew_cmd cmd = { .argv = argv, .backend = job->backend };
        int64_t before = bench_now();

        for (unsigned i = 0; i < n; ++i) {
                struct curfew_result result;

                if (curfew_run(NULL, &cmd, &result) < 0)
                        return BENCH_MISSING;
                curfew_result_deinit(&result);
        }
        return bench_now() - before;
}

/* Peers */

static int64_t by_peer(const struct bench_way *way, unsigned n) {
        return peer_ask(way->arg, "start %u %s", n, program);
}

static double peer_goal(const struct peer *peer) {
        return strncmp(peer->name, "Go", 2) == 0 ? -1.3 : -3;
}

static size_t add_peers(struct bench_way *ways, size_t n, const char *floor) {
        for (size_t i = 0; i < n_peers; ++i)
                ways[n++] = (struct bench_way){
                        .name = peers[i].name,
                        .measure = by_peer,
                        .arg = &peers[i],
                        .floor = floor,
                        .goal = floor ? peer_goal(&peers[i]) : 0,
                };
        return n;
}

/* Tables */

#define FLOOR "floor: clone3, execve, waitid"
#define SAME  "the same with all that a start does for its caller"
#define PLAIN "curfew, no tree backend"

static void table_plain(void) {
        struct bench_way ways[16 + MAX_PEERS] = {
                { FLOOR, by_raw },
                { SAME, by_raw, raw_courtesy },
                { PLAIN, by_curfew, &in_group, .goal = 1.05 },
                { "curfew, beside the second line", by_curfew, &in_group, SAME, 1.05 },
                { "curfew_run(), no tree backend", by_curfew_run, &in_group },
                { "curfew_run(), the best backend here", by_curfew_run, &(struct job){ 0 } },
                { "vfork", by_vfork },
                { "posix_spawn", by_posix_spawn },
                { "fork", by_fork },
        };
        size_t n = add_peers(ways, 9, PLAIN);

        bench_table("Start and wait; peers beside curfew", ways, n, bench_rounds(200), 20);
}

static void table_trees(const char *cgroup) {
        const struct bench_way ways[] = {
                { FLOOR, by_raw },
                { "floor, mkdir, clone into, rmdir", by_raw_cgroup, cgroup },
                { "curfew, cgroup", by_curfew, &in_cgroup, "floor, mkdir, clone into, rmdir",
                        1.15 },
                { "floor, twice", by_raw_twice },
                { "curfew, keeper", by_curfew, &with_keeper, "floor, twice", 1.15 },
                { "curfew, PID namespace", by_curfew, &in_namespace, "floor, twice", 0 },
        };

        bench_table("The tree owned", ways, BENCH_COUNT(ways), bench_rounds(200), 20);
}

static void table_options(void) {
        const struct bench_way ways[] = {
                { "floor: all that a start does", by_raw, raw_courtesy },
                { "floor, directory", by_raw, with_directory },
                { "curfew, directory", by_curfew, &directory, "floor, directory", 1.1 },
                { "floor, uid", by_raw, with_uid },
                { "curfew, uid", by_curfew, &uid, "floor, uid", 1.1 },
                { "floor, session", by_raw, with_session },
                { "curfew, session", by_curfew, &session, "floor, session", 1.1 },
                { "floor, 2 limits", by_raw, with_rlimits },
                { "curfew, 2 limits", by_curfew, &rlimits, "floor, 2 limits", 1.1 },
                { "floor, 8 descriptors", by_raw, with_fds },
                { "curfew, 8 descriptors", by_curfew, &fds, "floor, 8 descriptors", 1.1 },
                { "floor, capture", by_raw_capture, raw_courtesy },
                { "curfew, capture", by_curfew, &capture, "floor, capture", 1.1 },
        };

        if (geteuid() != 0)
                bench_note(
                        "The uid can't be changed by this user: these lines are of failed calls.");
        bench_table("Each option", ways, BENCH_COUNT(ways), bench_rounds(200), 20);
}

static void table_host(const char *title, unsigned rounds, unsigned count) {
        struct bench_way ways[8 + MAX_PEERS] = {
                { FLOOR, by_raw },
                { SAME, by_raw, raw_courtesy },
                { PLAIN, by_curfew, &in_group, .goal = 1.05 },
                { "curfew, cgroup", by_curfew, &in_cgroup },
                { "curfew, keeper", by_curfew, &with_keeper },
                { "fork", by_fork },
        };
        size_t n = add_peers(ways, 6, NULL);

        bench_table(title, ways, n, bench_rounds(rounds), count);
}

static void grow(size_t mib) {
        char *memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

        if (memory == MAP_FAILED)
                bench_fail("mmap");
        for (size_t i = 0; i < n_peers; ++i)
                peer_ask(&peers[i], "grow %zu", mib);
}

/* Some of the peers must do: each has the memory for itself. */
static void table_big_host(void) {
        size_t mib = (size_t)sysconf(_SC_AVPHYS_PAGES) /
                     ((1 << 20) / (size_t)sysconf(_SC_PAGESIZE));
        size_t hosts = mib / BIG_HOST;

        if (hosts < 2) {
                bench_note("A host of 4 GiB: not here, there are %zu MiB.", mib);
                return;
        }
        while (n_peers > hosts - 2)
                peer_close(&peers[--n_peers]);
        grow(BIG_HOST);
        table_host("A host with 4 GiB of touched memory as well; the peers have the memory", 10, 3);
}

static void open_many(int n) {
        const struct rlimit limit = { (rlim_t)n + 100, (rlim_t)n + 100 };
        int first = -1;

        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                bench_fail("setrlimit");
        for (int i = 0; i < n; ++i) {
                int fd = fcntl(null_fd, F_DUPFD_CLOEXEC, 3);

                first = first < 0 ? fd : first;
        }
        if (first < 0)
                bench_fail("fcntl");
}

/* The control group that this process is in, below a cgroup v2 mount; NULL: it may not make any. */
static const char *own_cgroup(void) {
        static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
        static char path[400];
        char line[256], own[256] = "";
        FILE *file = fopen("/proc/self/cgroup", "re");

        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "0::%255s", own) == 1)
                        break;
        if (file)
                fclose(file);
        for (size_t i = 0; i < BENCH_COUNT(mounts) && own[0]; ++i) {
                snprintf(path, sizeof(path), "%s%s/cgroup.procs", mounts[i], own);
                if (access(path, W_OK) < 0)
                        continue;
                *strrchr(path, '/') = '\0';
                return path;
        }
        return NULL;
}

int main(int argc, char **argv) {
        if (argc < 2) {
                fprintf(stderr, "usage: %s PROGRAM [PEER…]\n", argv[0]);
                return 2;
        }
        program = argv[1];
        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0 || curfew_new(&sup) < 0)
                bench_fail("curfew_new");
        n_peers = peers_open(peers, MAX_PEERS, argv + 2);

        table_plain();
        table_trees(own_cgroup());
        table_options();
        open_many(10000);
        table_host("A host with 10,000 open descriptors; the peers have none", 40, 5);
        table_big_host();

        for (size_t i = 0; i < n_peers; ++i)
                peer_close(&peers[i]);
        curfew_free(sup);
        return 0;
}
