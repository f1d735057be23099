// SPDX-License-Identifier: MIT

/*
 * How long it takes from a cancel until the command has ended and the caller knows; and how late
 * after a deadline the signal is sent. The floor of the first is pidfd_send_signal(2), epoll, and
 * waitid(2), of the second a timerfd in an epoll. What the goals are about are the percentiles of
 * the single ones, here those of a step to the leader.
 *
 *     cancel PROGRAM [PEER…]
 */

#include "bench.h"
#include "peer.h"
#include "raw.h"

#include <curfew.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MAX_PEERS   8
#define MAX_SAMPLES 20000
#define LEAD        (CURFEW_SEC / 500)

static const char *program;
static int null_fd = -1;
static struct raw_stack stack;
static struct curfew *sup;

/* What each single one took, for the percentiles. */
struct samples {
        int64_t times[MAX_SAMPLES];
        size_t n;
};

static void note_sample(struct samples *samples, int64_t time) {
        if (samples->n < MAX_SAMPLES)
                samples->times[samples->n++] = time;
}

static void wait_for_line(int fd) {
        char c = 0;

        while (c != '\n')
                if (read(fd, &c, 1) != 1)
                        bench_fail("read");
}

static int64_t cancel_raw_once(int epoll) {
        struct raw_plan plan = RAW_PLAN(program, null_fd);
        struct epoll_event event = { .events = EPOLLIN };
        struct raw_child child;
        int64_t before;
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                bench_fail("pipe2");
        plan.output = ends[1];
        child = raw_start(&plan, &stack);
        epoll_ctl(epoll, EPOLL_CTL_ADD, child.pidfd, &event);
        wait_for_line(ends[0]);

        before = bench_now();
        syscall(SYS_pidfd_send_signal, child.pidfd, SIGTERM, NULL, 0);
        epoll_wait(epoll, &event, 1, -1);
        raw_wait(&child);
        before = bench_now() - before;

        close(ends[0]);
        close(ends[1]);
        return before;
}

static int64_t cancel_raw(const struct bench_way *way, unsigned n) {
        int epoll = epoll_create1(EPOLL_CLOEXEC);
        int64_t took = 0;

        for (unsigned i = 0; i < n; ++i) {
                int64_t time = cancel_raw_once(epoll);

                note_sample((struct samples *)way->arg, time);
                took += time;
        }
        close(epoll);
        return took;
}

struct job {
        struct samples samples; /* first, so that it is found as the floor's is */
        enum curfew_backend backend;
        enum curfew_whom whom;
};

static int64_t cancel_once(const struct job *job) {
        const char *const argv[] = { program, NULL };
        const struct curfew_cmd cmd = {
                .argv = argv,
                .out = { .kind = CURFEW_PIPE },
                .backend = job->backend,
                .stop = { { .signal = SIGTERM, .whom = job->whom } },
        };
        struct curfew_ctx *ctx;
        struct curfew_run *run;
        int64_t before;
        int fd;

        if (curfew_ctx_with_cancel(NULL, &ctx) < 0)
                bench_fail("curfew_ctx_with_cancel");
        if (curfew_start(sup, ctx, &cmd, NULL, &run) < 0)
                return BENCH_MISSING;
        fd = curfew_run_take_fd(run, 1);
        wait_for_line(fd);

        before = bench_now();
        curfew_ctx_cancel(ctx);
        curfew_run_wait(run, CURFEW_FOREVER);
        before = bench_now() - before;

        curfew_run_free(run);
        curfew_ctx_unref(ctx);
        close(fd);
        return before;
}

static int64_t cancel_curfew(const struct bench_way *way, unsigned n) {
        struct job *job = (struct job *)way->arg;
        int64_t took = 0;

        for (unsigned i = 0; i < n; ++i) {
                int64_t time = cancel_once(job);

                if (time == BENCH_MISSING)
                        return time;
                note_sample(&job->samples, time);
                took += time;
        }
        return took;
}

static int64_t cancel_peer(const struct bench_way *way, unsigned n) {
        return peer_ask(way->arg, "cancel %u %s", n, program);
}

/* Deadlines */

static int64_t late_raw(const struct bench_way *way, unsigned n) {
        int epoll = epoll_create1(EPOLL_CLOEXEC);
        int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        struct epoll_event event = { .events = EPOLLIN };
        int64_t took = 0;

        epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
        for (unsigned i = 0; i < n; ++i) {
                int64_t deadline = bench_now() + LEAD;
                struct itimerspec spec = {
                        .it_value = { deadline / CURFEW_SEC, deadline % CURFEW_SEC },
                };
                int64_t time;

                timerfd_settime(timer, TFD_TIMER_ABSTIME, &spec, NULL);
                epoll_wait(epoll, &event, 1, -1);
                time = bench_now() - deadline;
                note_sample((struct samples *)way->arg, time);
                took += time;
        }
        close(timer);
        close(epoll);
        return took;
}

static int64_t late_once(const struct job *job) {
        const char *const argv[] = { program, NULL };
        const struct curfew_cmd cmd = {
                .argv = argv,
                .backend = job->backend,
                .stop = { { .signal = SIGTERM, .whom = job->whom } },
        };
        const struct curfew_result *result;
        struct curfew_ctx *ctx;
        struct curfew_run *run;
        int64_t deadline, late;

        if (curfew_ctx_with_timeout(NULL, LEAD, &ctx) < 0)
                bench_fail("curfew_ctx_with_timeout");
        deadline = curfew_ctx_deadline(ctx);
        if (curfew_start(sup, ctx, &cmd, NULL, &run) < 0)
                return BENCH_MISSING;
        curfew_run_wait(run, CURFEW_FOREVER);
        result = curfew_run_result(run);
        late = result->started + result->steps[0].at - deadline;
        curfew_run_free(run);
        curfew_ctx_unref(ctx);
        return late;
}

static int64_t late_curfew(const struct bench_way *way, unsigned n) {
        struct job *job = (struct job *)way->arg;
        int64_t took = 0;

        for (unsigned i = 0; i < n; ++i) {
                int64_t time = late_once(job);

                if (time == BENCH_MISSING)
                        return time;
                note_sample(&job->samples, time);
                took += time;
        }
        return took;
}

/* A row for each of both: of all that was taken, p is below this. */
static void add_percentile(struct samples *floor, struct samples *curfew, double p, double goal) {
        double least = (double)bench_percentile(floor->times, floor->n, p);
        double time = (double)bench_percentile(curfew->times, curfew->n, p);
        char name[64];

        if (floor->n == 0 || curfew->n == 0)
                return;
        snprintf(name, sizeof(name), "floor, p%.0f of %zu", 100 * p, floor->n);
        bench_row(name, least, 1, 0);
        snprintf(name, sizeof(name), "curfew, p%.0f of %zu", 100 * p, curfew->n);
        bench_row(name, time, time / least, goal);
}

int main(int argc, char **argv) {
        static struct samples raw, raw_late;
        static struct job leader = { .backend = CURFEW_BACKEND_GROUP, .whom = CURFEW_LEADER };
        static struct job group = { .backend = CURFEW_BACKEND_GROUP };
        static struct job cgroup = { .backend = CURFEW_BACKEND_CGROUP };
        static struct job keeper = { .backend = CURFEW_BACKEND_KEEPER };
        static struct job late = { .backend = CURFEW_BACKEND_GROUP };
        const struct bench_way deadlines[] = {
                { "floor: timerfd, epoll", late_raw, &raw_late },
                { "curfew", late_curfew, &late },
        };
        struct bench_way ways[5 + MAX_PEERS] = {
                { "floor: pidfd_send_signal, epoll, waitid", cancel_raw, &raw },
                { "curfew, no tree backend, its step to the leader", cancel_curfew, &leader },
                { "curfew, no tree backend, its step to the tree", cancel_curfew, &group },
                { "curfew, cgroup", cancel_curfew, &cgroup },
                { "curfew, keeper", cancel_curfew, &keeper },
        };
        struct peer peers[MAX_PEERS];
        size_t n_peers, n = 5;

        if (argc < 2) {
                fprintf(stderr, "usage: %s PROGRAM [PEER…]\n", argv[0]);
                return 2;
        }
        program = argv[1];
        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0 || curfew_new(&sup) < 0)
                bench_fail("curfew_new");
        n_peers = peers_open(peers, MAX_PEERS, argv + 2);
        for (size_t i = 0; i < n_peers; ++i)
                ways[n++] = (struct bench_way){ peers[i].name, cancel_peer, &peers[i] };

        bench_table("From a cancel to the end", ways, n, bench_rounds(100), 10);
        add_percentile(&raw, &leader.samples, 0.5, 1.1);
        add_percentile(&raw, &leader.samples, 0.99, 1.5);
        bench_table("From a deadline to the signal", deadlines, 2, bench_rounds(30), 10);
        add_percentile(&raw_late, &late.samples, 0.5, 0);
        add_percentile(&raw_late, &late.samples, 0.99, 1.2);

        for (size_t i = 0; i < n_peers; ++i)
                peer_close(&peers[i]);
        curfew_free(sup);
        return 0;
}
