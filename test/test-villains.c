// SPDX-License-Identifier: MIT

/*
 * Every villain, in the hands of every backend that promises to lose no process: as root and as
 * somebody who is not. A round is a run that is cancelled once the villain has set itself up, and
 * afterwards there is no process, child, descriptor or control group more than before.
 */

#include "villains.h"

#include <sys/syscall.h>

/* For a failure, and for a report. */
static char which[128];
static unsigned round_number;
static unsigned n_spared; /* in all of the rounds */

/* Villains */

struct villain {
        const char *name;
        const char *args[5]; /* after argv[0]; "MOUNT" is that of the control groups */
        int64_t grace;       /* of each step */
        unsigned rounds;
        unsigned asks;  /* how many steps, if more than one */
        unsigned ready; /* how many say that they are, if more than one */
        bool root, storm;
};

#define MORTAL (20 * CURFEW_SEC)  /* the first signal ends it, ... */
#define DEAF   (5 * CURFEW_MSEC)  /* ... or no signal but SIGKILL, ... */
#define STORM  (20 * CURFEW_MSEC) /* ... or it depends */

static const struct villain villains[] = {
        { "daemon", { "daemon" }, MORTAL, 200 },
        { "chain of 50 daemons", { "chain", "50" }, MORTAL, 5 },
        { "families", { "families", "40" }, MORTAL, 10, .ready = 40 },
        { "daemon that comes again", { "phoenix" }, DEAF, 20, .asks = 3 },
        { "deaf child", { "deaf" }, DEAF, 20 },
        { "stopped child", { "stopped" }, MORTAL, 50 },
        { "stopped grandchild", { "stopped-grandchild" }, MORTAL, 50 },
        { "traced child", { "traced" }, MORTAL, 50 },
        { "seized grandchild", { "seized" }, DEAF, 20 },
        { "vfork", { "vfork" }, DEAF, 20 },
        { "session", { "session" }, MORTAL, 50 },
        { "process group", { "group" }, MORTAL, 50 },
        { "namespaces", { "namespace" }, DEAF, 20 },
        { "control group", { "cgroup", "MOUNT" }, MORTAL, 20 },
        { "another uid", { "uid" }, MORTAL, 50, .root = true },
        { "headless leader", { "headless", "leader" }, MORTAL, 50 },
        { "headless child", { "headless", "child" }, MORTAL, 50 },
        { "exponential storm", { "storm-exponential", "mortal" }, STORM, 4, .ready = 100,
                .storm = true },
        { "deaf exponential storm", { "storm-exponential", "deaf" }, STORM, 4, .ready = 100,
                .storm = true },
        { "chain in a group", { "storm-chain", "mortal", "group", "1" }, STORM, 10, .ready = 50,
                .storm = true },
        { "chain of sessions", { "storm-chain", "mortal", "session", "1" }, STORM, 10, .ready = 50,
                .storm = true },
        { "deaf chain in a group", { "storm-chain", "deaf", "group", "1" }, STORM, 10, .ready = 50,
                .storm = true },
        { "deaf chain of sessions", { "storm-chain", "deaf", "session", "1" }, STORM, 10,
                .ready = 50, .storm = true },
        { "8 deaf chains in a group", { "storm-chain", "deaf", "group", "8" }, STORM, 5,
                .ready = 100, .storm = true },
        { "8 deaf chains of sessions", { "storm-chain", "deaf", "session", "8" }, STORM, 5,
                .ready = 100, .storm = true },
        { "64 deaf chains of sessions", { "storm-chain", "deaf", "session", "64" }, STORM, 2,
                .ready = 500, .storm = true },
        { "forks from its handler", { "storm-handler", "20" }, STORM, 4, .asks = 3, .ready = 20,
                .storm = true },
};

/* What a storm is held by, should nothing else hold it. The limit counts threads of the user's that
 * are none of ours, unless the storm has a user of its own. */
static void limit_storm(struct curfew_rlimit ret[2], const struct place *place) {
        unsigned long long others = 0;
        FILE *file = NULL;

        if (place->storm_uid == 0)
                file = fopen("/proc/loadavg", "re");
        if (file) {
                assert_eq(fscanf(file, "%*f %*f %*f %*d/%llu", &others), 1);
                fclose(file);
        }
        ret[0] = (struct curfew_rlimit){ RLIMIT_NPROC, { others + 250, others + 250 } };
        ret[1] = (struct curfew_rlimit){ RLIMIT_CPU, { 10, 10 } };
}

/* No more was done than had to be, and no less. */
static void assert_effort(const struct curfew_result *res, const struct villain *villain) {
        assert_eq(res->reason, CURFEW_REASON_CANCELLED);
        assert_eq(res->ended_by, res->n_steps);
        if (villain->grace == MORTAL) {
                assert_eq(res->n_steps, 1);
                assert_eq(res->killed, 0);
        }
        if (villain->grace == DEAF) {
                assert_gt(res->n_steps, 1);
                assert_eq(res->steps[res->n_steps - 1].signal, SIGKILL);
                if (villain->asks == 0) /* what comes again can be between two lives when counted */
                        assert_gt(res->killed, 0);
        }
}

/* false: the villain can't do it here. */
static bool villain_round(const struct villain *villain, const struct place *place) {
        const char *argv[8] = { "villain" };
        struct curfew_cmd cmd = { .argv = argv };
        struct curfew_rlimit limits[2];
        const struct curfew_result *res;
        struct round round;
        bool is_cgroup = strcmp(villain->args[0], "cgroup") == 0, can = true;

        for (size_t i = 0; i < 5 && villain->args[i]; ++i)
                argv[i + 1] = strcmp(villain->args[i], "MOUNT") == 0 ? place->mount
                                                                     : villain->args[i];
        for (unsigned i = 0; i == 0 || i < villain->asks; ++i)
                cmd.stop[i] = (struct curfew_step){ SIGTERM, CURFEW_TREE, villain->grace };
        if (villain->storm) {
                limit_storm(limits, place);
                cmd.rlimits = limits;
                cmd.n_rlimits = 2;
                cmd.uid = place->root ? &place->storm_uid : NULL;
                cmd.gid = place->root ? &place->storm_uid : NULL;
        }

        round_start(&round, place, cmd);
        for (unsigned i = 0; can && (i == 0 || i < villain->ready); ++i)
                can = round_ready(&round) > 0;
        res = round_cancel(&round);
        assert_emptied(res, place);
        assert_nobody(&round);
        assert_eq(lseek(round.notes, 0, SEEK_END), 0); /* by what it has outlived */
        if (can)
                assert_effort(res, villain);
        round_end(&round, place, is_cgroup && can && place->backend != CURFEW_BACKEND_CGROUP);
        return can;
}

static void begin(const struct place *place, const char *what) {
        snprintf(which, sizeof(which), "%s, %s: %s", place->user,
                curfew_backend_name(place->backend), what);
        round_number = 0;
}

/* A control group takes the kernel more time than all the rest of a round. */
static unsigned rounds_at(const struct place *place, unsigned rounds) {
        return villain_rounds(place->backend == CURFEW_BACKEND_CGROUP ? rounds / 4 : rounds);
}

static void skip_this(const char *why) {
        printf("skipped: %s: %s\n", which, why);
}

static void say_which(int signal_number) {
        dprintf(2, "%s: %s in round %u\n", which, signal_number == SIGALRM ? "hangs" : "fails",
                round_number);
        signal(signal_number, SIG_DFL);
        raise(signal_number);
}

static void test_villain(const struct villain *villain, const struct place *place) {
        unsigned rounds = rounds_at(place, villain->rounds);
        int64_t started = curfew_now();

        begin(place, villain->name);
        if (villain->root && !place->root) {
                skip_this("only root can do it");
                return;
        }
        while (round_number < rounds) {
                ++round_number;
                if (!villain_round(villain, place)) {
                        skip_this("it can't be done here");
                        return;
                }
        }
        printf("%s: %u rounds, %.1f ms each\n", which, rounds,
                (double)(curfew_now() - started) / CURFEW_MSEC / rounds);
}

/* Each is asked once */

struct noted {
        pid_t pid;
        unsigned started, asked, done, spared;
        bool free; /* it came when the others were asked, and was not in the leader's group */
};

static struct noted *noted_find(struct noted *all, size_t *n, size_t max, pid_t pid) {
        for (size_t i = 0; i < *n; ++i)
                if (all[i].pid == pid)
                        return &all[i];
        assert_lt(*n, max);
        all[*n] = (struct noted){ .pid = pid };
        return &all[(*n)++];
}

static void noted_take_line(struct noted *noted, const char *word, bool late) {
        bool away = strncmp(word, " free\n", 6) == 0;

        noted->started += away || strncmp(word, " start\n", 7) == 0;
        noted->free = noted->free || (away && late);
        noted->asked += strncmp(word, " asked\n", 7) == 0;
        noted->done += strncmp(word, " done\n", 6) == 0;
        noted->spared += strncmp(word, " spared\n", 8) == 0;
}

static void noted_check(const struct noted *noted) {
        bool once = noted->started == 1 && noted->asked == 1 && noted->done == 1;
        bool spared = noted->free && noted->asked == 0 && noted->spared == 1;

        if (!once && !spared)
                test_fail(__FILE__, __LINE__, "%d started %u%s, was asked %u, done %u, spared %u",
                        (int)noted->pid, noted->started, noted->free ? " late" : "", noted->asked,
                        noted->done, noted->spared);
}

/* Whoever has started was asked once and could finish. (Who was born of one that was asked already
 * doesn't say that it has started.) What was written before there were `early` bytes was written
 * before anybody was asked. */
static unsigned assert_once(int fd, off_t early, unsigned *ret_spared) {
        static char text[1 << 16];
        static struct noted all[1000];
        ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
        size_t n = 0;
        unsigned started = 0;

        assert_gt(size, 0);
        text[size] = 0;
        *ret_spared = 0;
        for (char *line = text; *line; line += strcspn(line, "\n") + 1) {
                char *word;
                pid_t pid = (pid_t)strtol(line, &word, 10);

                noted_take_line(noted_find(all, &n, 1000, pid), word, line - text >= early);
        }
        for (size_t i = 0; i < n; ++i) {
                if (all[i].started == 0)
                        continue;
                noted_check(&all[i]);
                *ret_spared += all[i].spared;
                ++started;
        }
        return started;
}

static void wait_for_exit(struct round *round) {
        struct curfew_event event = { 0 };

        while (event.type != CURFEW_EVENT_EXIT) {
                assert_eq(curfew_wait(round->sup, 40 * CURFEW_SEC), 0);
                while (event.type != CURFEW_EVENT_EXIT && curfew_next_event(round->sup, &event) > 0)
                        ;
        }
}

/* The second step is for who has been spared; a frozen group spares nobody. */
static void end_politely(struct round *round, const struct place *place, unsigned least) {
        off_t early = lseek(round->notes, 0, SEEK_END);
        const struct curfew_result *res = round_cancel(round);
        unsigned spared;

        assert_ge(assert_once(round->notes, early, &spared), least);
        if (place->backend == CURFEW_BACKEND_CGROUP)
                assert_eq(spared, 0);
        assert_emptied(res, place);
        assert_exited(*res, 0);
        assert_eq(res->reason, CURFEW_REASON_CANCELLED);
        assert_le(res->n_steps, 2); /* who is asked may take longer, on a busy machine */
        assert_eq(res->killed, 0);
        assert_nobody(round);
        round_end(round, place, false);
        n_spared += spared;
}

/* How long the leader takes to clean up: it exits before the others, or even before it is asked. */
static void once_round(const struct place *place, int signal_number, int msec) {
        char number[16], time[16];
        struct round round;

        snprintf(number, sizeof(number), "%d", signal_number);
        snprintf(time, sizeof(time), "%d", msec);
        round_start(&round, place,
                (struct curfew_cmd){
                        .argv = VILLAIN("polite", number, time),
                        .stop = { { signal_number, CURFEW_TREE, CURFEW_SEC },
                                { SIGHUP, CURFEW_TREE, 10 * CURFEW_SEC } },
                        .linger = CURFEW_FOREVER,
                });
        for (int i = msec < 0 ? 1 : 0; i < 5; ++i)
                assert_gt(round_ready(&round), 0);
        if (msec < 0)
                wait_for_exit(&round);
        end_politely(&round, place, 44);
}

/* It forks for the first time when it is asked, or a little before or after. */
static void alone_round(const struct place *place, int signal_number) {
        struct round round;
        char number[16];

        snprintf(number, sizeof(number), "%d", signal_number);
        round_start(&round, place,
                (struct curfew_cmd){
                        .argv = VILLAIN("breeder", number),
                        .stop = { { signal_number, CURFEW_TREE, CURFEW_SEC },
                                { SIGHUP, CURFEW_TREE, 10 * CURFEW_SEC } },
                });
        assert_gt(round_ready(&round), 0);
        end_politely(&round, place, 1);
}

/* Signals of one kind that wait are one signal, but not those of real time: these count. */
static void test_once(const struct place *place) {
        static const int times[] = { 500, 0, -1 };
        unsigned rounds = rounds_at(place, 1);

        begin(place, "asked once");
        n_spared = 0;
        for (unsigned i = 0; i < rounds; ++i)
                for (size_t t = 0; t < 3; ++t) {
                        round_number = i + 1;
                        once_round(place, SIGTERM, times[t]);
                        once_round(place, SIGRTMIN + 1, times[t]);
                }
        printf("%s: %u rounds, %u spared\n", which, 6 * rounds, n_spared);
}

static void test_alone(const struct place *place) {
        unsigned rounds = rounds_at(place, 40);

        begin(place, "asked as it forks for the first time");
        n_spared = 0;
        while (round_number < rounds)
                alone_round(place, ++round_number % 2 == 0 ? SIGTERM : SIGRTMIN + 1);
        printf("%s: %u rounds, %u spared\n", which, rounds, n_spared);
}

/* Leftovers */

static void test_leftovers_are_stopped(const struct place *place) {
        const struct curfew_result *res;
        struct round round;

        round_start(&round, place,
                (struct curfew_cmd){
                        .argv = VILLAIN("leave"),
                        .stop = { { SIGTERM, CURFEW_TREE, 10 * CURFEW_SEC } },
                        .linger = CURFEW_MSEC,
                });
        assert_gt(round_ready(&round), 0);
        res = round_wait(&round);
        assert_emptied(res, place);
        assert_exited(*res, 0);
        assert_eq(res->reason, CURFEW_REASON_LEFTOVERS);
        assert_eq(res->n_steps, 1);
        assert_eq(res->ended_by, 1);
        assert_eq(res->killed, 0);
        assert_nobody(&round);
        round_end(&round, place, false);
}

/* Its init is the keeper. */
static void test_nothing_leaves_a_namespace(const struct place *place) {
        struct curfew_cmd cmd = {
                .argv = SH("exit 0"),
                .until = CURFEW_UNTIL_EXIT,
                .backend = place->backend,
        };
        struct curfew_result res;

        assert_eq(curfew_run(NULL, &cmd, &res), -EINVAL);
        assert_eq(res.stage, CURFEW_STAGE_COMMAND);
}

/* It is the test's to end now. */
static void test_leftovers_are_left_alone(const struct place *place) {
        const struct curfew_result *res;
        struct pollfd fd = { .events = POLLIN };
        struct round round;
        pid_t pid;

        round_start(&round, place,
                (struct curfew_cmd){ .argv = VILLAIN("leave"), .until = CURFEW_UNTIL_EXIT });
        pid = round_ready(&round);
        res = round_wait(&round);
        assert_exited(*res, 0);
        assert_eq(res->end, CURFEW_END_EXIT);
        assert_eq(res->reason, CURFEW_REASON_NONE);
        assert_eq(res->n_steps, 0);
        assert_eq(res->left, 1);
        assert_str(res->left_by_name[0].name, "villain");
        assert_eq(res->left_by_name[0].pid, pid);
        assert_eq(find_process(round.mark, strlen(round.mark) + 1, 0), pid);

        fd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
        assert_ge(fd.fd, 0);
        assert_eq(kill(pid, SIGKILL), 0);
        assert_eq(poll(&fd, 1, 20000), 1);
        close(fd.fd);
        assert_nobody(&round);
        round_end(&round, place, false);
}

static void test_killed_are_named(const struct place *place) {
        const struct curfew_result *res;
        struct round round;
        pid_t pid;

        round_start(&round, place,
                (struct curfew_cmd){
                        .argv = VILLAIN("deaf", "cannot hear"),
                        .stop = { { SIGTERM, CURFEW_TREE, CURFEW_FOREVER } },
                });
        pid = round_ready(&round);
        curfew_ctx_cancel(round.ctx);
        wait_for_exit(&round);
        curfew_run_skip(round.run);
        res = round_wait(&round);
        assert_emptied(res, place);
        assert_signaled(*res, SIGTERM);
        assert_eq(res->n_steps, 2);
        assert_eq(res->steps[1].signal, SIGKILL);
        assert_eq(res->ended_by, 2);
        assert_eq(res->killed, 1);
        assert_str(res->killed_by_name[0].name, "cannot hear");
        if (place->backend != CURFEW_BACKEND_PID_NAMESPACE)
                assert_eq(res->killed_by_name[0].pid, pid);
        assert_nobody(&round);
        round_end(&round, place, false);
}

static void test_leftovers(const struct place *place) {
        unsigned rounds = rounds_at(place, 10);

        begin(place, "leftovers");
        while (round_number < rounds) {
                ++round_number;
                test_leftovers_are_stopped(place);
                if (place->backend == CURFEW_BACKEND_PID_NAMESPACE)
                        test_nothing_leaves_a_namespace(place);
                else
                        test_leftovers_are_left_alone(place);
                test_killed_are_named(place);
        }
        printf("%s: %u rounds\n", which, rounds);
}

/* Backends */

/* Only a control group or a namespace may not be had, and then that is what fails. */
static bool can_start(const struct place *place) {
        struct curfew_cmd cmd = {
                .argv = SH("exit 0"),
                .backend = place->backend,
                .guarantee = place->guarantee,
        };
        struct curfew_result res;
        int r = curfew_run(NULL, &cmd, &res);

        if (r < 0) {
                assert_eq(res.stage, CURFEW_STAGE_TREE);
                skip_this(strerror(-r));
                return false;
        }
        curfew_result_deinit(&res);
        return true;
}

static void test_backend(
        struct place *place, enum curfew_backend backend, enum curfew_guarantee guarantee) {
        place->backend = backend;
        place->guarantee = guarantee;
        begin(place, "start");
        if (backend == CURFEW_BACKEND_CGROUP && !place->cgroup[0]) {
                skip_this("no control group can be made");
                return;
        }
        if (!can_start(place)) {
                assert_eq(backend, CURFEW_BACKEND_PID_NAMESPACE);
                return;
        }
        for (size_t i = 0; i < sizeof(villains) / sizeof(villains[0]); ++i)
                test_villain(&villains[i], place);
        test_once(place);
        test_alone(place);
        test_leftovers(place);
}

static void test_backends(struct place *place) {
        signal(SIGABRT, say_which);
        signal(SIGALRM, say_which);
        test_backend(place, CURFEW_BACKEND_CGROUP, CURFEW_GUARANTEE_SEALED);
        test_backend(place, CURFEW_BACKEND_KEEPER, CURFEW_GUARANTEE_TRACKED);
        test_backend(place, CURFEW_BACKEND_PID_NAMESPACE, CURFEW_GUARANTEE_SEALED);
}

int main(void) {
        char dir[] = "/tmp/curfew-villains-XXXXXX";
        uid_t uid = 30000 + 2 * ((uid_t)getpid() % 15000); /* nobody else's, we hope */
        struct part parts[2];
        bool good;

        setvbuf(stdout, NULL, _IOLBF, 0);
        unsetenv("CURFEW_DEADLINE");
        assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        if (getuid() != 0) {
                printf("skipped: root: this isn't\n");
                part_start(parts, "nobody", getuid(), 0, test_backends);
                parts_wait(parts, 1);
                return parts_end(parts, 1) ? 0 : 1;
        }
        copy_villain(dir);
        part_start(&parts[0], "root", 0, uid, test_backends);
        part_start(&parts[1], "nobody", uid + 1, uid + 1, test_backends);
        parts_wait(parts, 2);
        good = parts_end(parts, 2);
        unlink(villain_path());
        rmdir(dir);
        return good ? 0 : 1;
}
