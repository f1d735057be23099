// SPDX-License-Identifier: MIT

/*
 * Ten thousand children at once, on one thread: starting them, what that takes of memory and
 * descriptors here, and stopping all of them. The floor is one epoll with a pidfd for each, and a
 * loop of pidfd_send_signal(2).
 *
 *     many PROGRAM [PEER…]
 */

#include "bench.h"
#include "peer.h"
#include "raw.h"

#include <curfew.h>
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MANY       10000
#define MAX_PEERS  8
#define MAX_ROUNDS 32

static const char *program;
static int null_fd = -1;
static struct raw_stack stack;

/* A way starts them and stops them in one go; what the stop took is kept for the second table. */
struct crowd {
        int64_t (*start)(struct crowd *crowd, unsigned n);
        int64_t (*stop)(struct crowd *crowd, unsigned n);
        enum curfew_backend backend;
        enum curfew_whom whom;
        struct peer *peer;

        struct raw_child *children;
        int epoll;
        struct curfew *sup;
        struct curfew_run **runs;

        int64_t stops[MAX_ROUNDS];
        size_t n_stops, next_stop;
        double bytes, descriptors; /* for each */
};

static size_t count_descriptors(void) {
        DIR *dir = opendir("/proc/self/fd");
        size_t n = 0;

        while (dir && readdir(dir))
                ++n;
        if (dir)
                closedir(dir);
        return n;
}

/* As the peers measure it. */
static size_t resident(void) {
        FILE *file = fopen("/proc/self/statm", "re");
        size_t pages = 0;

        if (!file || fscanf(file, "%*s %zu", &pages) != 1)
                bench_fail("/proc/self/statm");
        fclose(file);
        return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int64_t start_raw(struct crowd *crowd, unsigned n) {
        struct raw_plan plan = RAW_PLAN(program, null_fd);
        int64_t before = bench_now();

        plan.in_child = raw_courtesy;
        crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
        crowd->children = calloc(n, sizeof(*crowd->children));
        if (!crowd->children)
                bench_fail("calloc");
        for (unsigned i = 0; i < n; ++i) {
                struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

                crowd->children[i] = raw_start(&plan, &stack);
                if (epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, crowd->children[i].pidfd, &event) < 0)
                        bench_fail("epoll_ctl");
        }
        return bench_now() - before;
}

static int64_t stop_raw(struct crowd *crowd, unsigned n) {
        struct epoll_event events[64];
        int64_t before = bench_now();

        for (unsigned i = 0; i < n; ++i)
                syscall(SYS_pidfd_send_signal, crowd->children[i].pidfd, SIGTERM, NULL, 0);
        for (unsigned left = n; left > 0;) {
                int ready = epoll_wait(crowd->epoll, events, BENCH_COUNT(events), -1);

                for (int i = 0; i < ready; ++i)
                        raw_wait(&crowd->children[events[i].data.u32]);
                left -= ready > 0 ? (unsigned)ready : 0;
        }
        close(crowd->epoll);
        free(crowd->children);
        return bench_now() - before;
}

static int64_t start_curfew(struct crowd *crowd, unsigned n) {
        const char *const argv[] = { program, NULL };
        const struct curfew_cmd cmd = {
                .argv = argv,
                .backend = crowd->backend,
                .stop = { { .signal = SIGTERM, .whom = crowd->whom } },
        };
        size_t descriptors = count_descriptors();
        size_t bytes;
        int64_t before;
        int r;

        crowd->runs = calloc(n, sizeof(struct curfew_run *));
        malloc_trim(0);
        bytes = resident();
        before = bench_now();
        if (!crowd->runs || curfew_new(&crowd->sup) < 0)
                bench_fail("curfew_new");
        for (unsigned i = 0; i < n; ++i) {
                r = curfew_start(crowd->sup, NULL, &cmd, NULL, &crowd->runs[i]);
                if (r < 0)
                        return BENCH_MISSING;
        }
        before = bench_now() - before;

        crowd->bytes = (double)(resident() - bytes) / n;
        crowd->descriptors = (double)(count_descriptors() - descriptors) / n;
        return before;
}

static int64_t stop_curfew(struct crowd *crowd, unsigned n) {
        int64_t before = bench_now();

        for (unsigned i = 0; i < n; ++i)
                curfew_run_stop(crowd->runs[i]);
        for (unsigned i = 0; i < n; ++i)
                curfew_run_wait(crowd->runs[i], CURFEW_FOREVER);
        before = bench_now() - before;

        curfew_free(crowd->sup);
        free(crowd->runs);
        return before;
}

static int64_t start_peer(struct crowd *crowd, unsigned n) {
        int64_t took = peer_ask(crowd->peer, "many %u %s", n, program);

        if (crowd->bytes <= 0)
                crowd->bytes = (double)peer_ask(crowd->peer, "memory") / n;
        return took;
}

static int64_t stop_peer(struct crowd *crowd, unsigned n) {
        (void)n;
        return peer_ask(crowd->peer, "end");
}

/* The first, with one of them, is not counted. */
static int64_t measure_start(const struct bench_way *way, unsigned n) {
        struct crowd *crowd = (struct crowd *)way->arg;
        int64_t start, stop;

        if (n == 1)
                return 0;
        start = crowd->start(crowd, n);
        if (start == BENCH_MISSING)
                return start;
        stop = crowd->stop(crowd, n);
        if (crowd->n_stops < MAX_ROUNDS)
                crowd->stops[crowd->n_stops++] = stop;
        return start;
}

static int64_t recall_stop(const struct bench_way *way, unsigned n) {
        struct crowd *crowd = (struct crowd *)way->arg;

        if (crowd->n_stops == 0)
                return BENCH_MISSING;
        return n == 1 ? 0 : crowd->stops[crowd->next_stop++ % crowd->n_stops];
}

/* Each takes some of it here, whatever the kernel takes. */
static void print_memory(const struct bench_way *ways, const struct crowd *crowds, size_t n) {
        double least = crowds[1].bytes;

        bench_note(
                "| own memory and descriptors of each live one | bytes | descriptors | × curfew | "
                "goal | |\n|---|---:|---:|---:|---:|---|");
        for (size_t i = 1; i < n; ++i) {
                double ratio = crowds[i].bytes / least;

                printf("| %s | %.0f | %.2f | %.1f |", ways[i].name, crowds[i].bytes,
                        crowds[i].descriptors, ratio);
                if (i == 1)
                        printf(" ≤ 512, ≤ 2 | %s |\n",
                                least <= 512 && crowds[i].descriptors <= 2 ? "met" : "missed");
                else if (strncmp(ways[i].name, "Go", 2) == 0)
                        printf(" ≥ 100 | %s |\n", ratio >= 100 ? "met" : "missed");
                else
                        printf(" | |\n");
        }
}

static void raise_limits(void) {
        struct rlimit limit;

        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
}

#define FLOOR  "floor: pidfds in an epoll"
#define PLAIN  "curfew, no tree backend, its step to the leader"
#define PLAIN2 "curfew, no tree backend, its step to the tree"

int main(int argc, char **argv) {
        struct crowd crowds[4 + MAX_PEERS] = {
                { start_raw, stop_raw },
                { start_curfew, stop_curfew, CURFEW_BACKEND_GROUP, CURFEW_LEADER },
                { start_curfew, stop_curfew, CURFEW_BACKEND_GROUP, CURFEW_TREE },
                { start_curfew, stop_curfew, CURFEW_BACKEND_CGROUP, CURFEW_TREE },
        };
        struct bench_way ways[4 + MAX_PEERS] = {
                { FLOOR, measure_start, &crowds[0] },
                { PLAIN, measure_start, &crowds[1], FLOOR, 1.1 },
                { PLAIN2, measure_start, &crowds[2] },
                { "curfew, cgroup", measure_start, &crowds[3] },
        };
        unsigned rounds = bench_rounds(2), n = MANY;
        struct peer peers[MAX_PEERS];
        const char *many = getenv("BENCH_MANY");
        size_t n_ways = 4, n_peers;

        if (argc < 2) {
                fprintf(stderr, "usage: %s PROGRAM [PEER…]\n", argv[0]);
                return 2;
        }
        program = argv[1];
        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        raise_limits();
        if (many)
                n = (unsigned)strtoul(many, NULL, 10);
        n_peers = peers_open(peers, MAX_PEERS, argv + 2);
        for (size_t i = 0; i < n_peers; ++i, ++n_ways) {
                crowds[n_ways] = (struct crowd){ start_peer, stop_peer, .peer = &peers[i] };
                ways[n_ways] = (struct bench_way){ peers[i].name, measure_start, &crowds[n_ways] };
        }

        bench_table("Start, each of them", ways, n_ways, rounds, n);
        for (size_t i = 0; i < n_ways; ++i) {
                ways[i].measure = recall_stop;
                ways[i].goal = i == 1 ? 1.2 : 0;
        }
        bench_table("Stop all by plan, each of them", ways, n_ways, rounds, n);

        print_memory(ways, crowds, n_ways);
        for (size_t i = 0; i < n_peers; ++i)
                peer_close(&peers[i]);
        return 0;
}
