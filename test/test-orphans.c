// SPDX-License-Identifier: MIT

/*
 * The host is killed, at any moment there is: what it has started gets its stop plan all the same,
 * and then nothing is left of it: no process, no keeper, no control group. What the command made of
 * it stands in its log, see witness.c; how far the host had come, in memory that it shares with the
 * director, see director.h.
 *
 * The moment is a random time after the fork of the host, up to somewhat more than what such a host
 * takes when it is let live; the seed is printed where a round fails. CURFEW_ROUNDS is the number
 * of rounds, of which each backend gets its part; CURFEW_SEED the seed.
 */

#include "director.h"

#define ROUNDS 1000

/* Random numbers
 * -------------- */

static uint64_t seed;
static unsigned rounds;

/* splitmix64 */
static uint64_t random_below(uint64_t bound) {
        uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return (z ^ (z >> 31)) % bound;
}

/* The host's side
 * --------------- */

/* Ends by itself. */
static void host_brief(struct curfew *sup) {
        struct curfew_run *run = host_start(sup, "brief", (struct curfew_cmd){ 0 });

        host_reach(PHASE_STARTED);
        host_await_end(run);
}

/* Leaves something behind, which is then asked to stop at once. */
static void host_leave(struct curfew *sup) {
        struct curfew_run *run = host_start(
                sup, "leave", (struct curfew_cmd){ .linger = CURFEW_NO_LINGER });

        host_reach(PHASE_STARTED);
        host_reach(PHASE_STOPPING);
        host_await_end(run);
}

/* Is being waited for when the host dies. */
static void host_stay(struct curfew *sup) {
        host_start(sup, "stay", (struct curfew_cmd){ 0 });
        host_reach(PHASE_STARTED);
        curfew_wait(sup, DIRECTOR_BOUND);
        pause();
}

static void host_stop(struct curfew *sup) {
        struct curfew_run *run = host_start(sup, "stay", (struct curfew_cmd){ 0 });

        host_reach(PHASE_STARTED);
        host_await_up(run, WITNESS_STAY);
        host_reach(PHASE_STOPPING);
        curfew_run_stop(run);
        host_await_end(run);
}

/* The first step ends nobody. */
static void host_two_steps(struct curfew *sup) {
        struct curfew_run *run = host_start(sup, "stay",
                (struct curfew_cmd){ .stop = { { SIGUSR1, CURFEW_TREE, 3 * CURFEW_MSEC },
                                             { SIGTERM, CURFEW_TREE, 0 } } });

        host_reach(PHASE_STARTED);
        host_await_up(run, WITNESS_STAY);
        host_reach(PHASE_STOPPING);
        curfew_run_stop(run);
        host_await_end(run);
}

/* The others are asked by a step that nobody has written. */
static void host_leader(struct curfew *sup) {
        struct curfew_run *run = host_start(sup, "stay",
                (struct curfew_cmd){ .stop = { { SIGTERM, CURFEW_LEADER, CURFEW_SEC } },
                        .linger = CURFEW_NO_LINGER });

        host_reach(PHASE_STARTED);
        host_await_up(run, WITNESS_STAY);
        host_reach(PHASE_STOPPING);
        curfew_run_stop(run);
        host_await_end(run);
}

/* Two at the same time, one of them let go of, and the supervisor is freed around the other. */
static void host_several(struct curfew *sup) {
        struct curfew_run *a = host_start(sup, "alone", (struct curfew_cmd){ 0 });
        struct curfew_run *b = host_start(sup, "pair", (struct curfew_cmd){ 0 });

        host_reach(PHASE_STARTED);
        host_await_up(a, 1);
        host_await_up(b, 2);
        host_reach(PHASE_STOPPING);
        curfew_run_free(a);
}

static const struct scene {
        const char *name;
        void (*host)(struct curfew *sup);
        bool two_steps;
        bool ends; /* if it is let live */
} scenes[] = {
        { "brief", host_brief, .ends = true },
        { "leave", host_leave, .ends = true },
        { "stay", host_stay },
        { "stop", host_stop, .ends = true },
        { "two steps", host_two_steps, .two_steps = true, .ends = true },
        { "leader", host_leader, .ends = true },
        { "several", host_several, .ends = true },
};

#define N_SCENES (sizeof(scenes) / sizeof(scenes[0]))

/* The director's side
 * ------------------- */

static void check_witness(const struct witness *w, const struct scene *scene, int phase) {
        bool exact = phase < PHASE_STOPPING && !w->exit;

        assert_eq(w->done, w->term > 0);
        if (w->up && !w->exit && !w->late)
                assert_ge(w->term, 1);
        if (!exact)
                return;
        assert_le(w->term, 1);
        assert_le(w->usr1, scene->two_steps);
}

static void check_log(const struct scene *scene, int phase) {
        const struct witness_log *log = &director.log;

        for (size_t i = 0; i < log->n; ++i)
                check_witness(&log->items[i], scene, phase);

        /* The leader was there at the first step; what it forked after that was not. */
        if (scene->two_steps && log->n > 0)
                assert_ge(log->items[0].usr1, 1);
}

/* The times within which a host is killed: somewhat more than what one that nobody kills takes to
 * start its command, and to come to its end. Half of the moments are in either. */
struct range {
        int64_t started, ended;
};

static void stretch(int64_t *range, int64_t time) {
        time += time / 4;
        *range = time > *range ? time : *range;
}

static struct range measure(const struct scene *scene) {
        struct range ret = { CURFEW_MSEC / 2, 3 * CURFEW_MSEC };

        for (int i = 0; i < 5 && scene->ends; ++i) {
                const struct director_shared *shared = director.shared;

                director_await_success(director_fork(scene->host));
                stretch(&ret.started, shared->at[PHASE_STARTED] - shared->at[PHASE_NEW]);
                stretch(&ret.ended, shared->at[PHASE_ENDED] - shared->at[PHASE_NEW]);
                director_collect();
                check_log(scene, PHASE_ENDED);
        }
        return ret;
}

static int64_t choose_moment(const struct range *range) {
        bool early = random_below(2) == 0;

        return (int64_t)random_below((uint64_t)(early ? range->started : range->ended));
}

/* Not a wait for anything: the moment is what is tried. */
static void let_live(pid_t host, int64_t time) {
        struct pollfd fd = { .fd = (int)syscall(SYS_pidfd_open, host, 0), .events = POLLIN };
        struct timespec timeout = { .tv_sec = time / CURFEW_SEC, .tv_nsec = time % CURFEW_SEC };

        assert_ge(fd.fd, 0);
        assert_ge(ppoll(&fd, 1, &timeout, NULL), 0);
        close(fd.fd);
}

static void play(const struct scene *scene, int64_t moment, unsigned *phases) {
        pid_t host = director_fork(scene->host);
        int phase;

        let_live(host, moment);
        director_kill(host);
        phase = director.shared->phase;
        phases[phase]++;
        director_collect();
        check_log(scene, phase);
}

static void play_one(const struct scene *scene, const struct range *range, unsigned *phases) {
        uint64_t before = seed;
        int64_t moment = choose_moment(range);

        director_try("CURFEW_SEED=%" PRIu64 ": %s: killed after %" PRIi64 " us of %" PRIi64, before,
                scene->name, moment / 1000, range->ended / 1000);
        play(scene, moment, phases);
}

/* In turns, so that what the machine does meanwhile hits all of them. */
static void play_all(void) {
        unsigned phases[N_SCENES][N_PHASES] = { 0 };
        struct range ranges[N_SCENES];

        for (size_t i = 0; i < N_SCENES; ++i) {
                director_try("%s: let live", scenes[i].name);
                ranges[i] = measure(&scenes[i]);
        }
        for (unsigned round = 0; round < rounds / director.n; ++round) {
                size_t i = round % N_SCENES;

                play_one(&scenes[i], &ranges[i], phases[i]);
        }
        for (size_t i = 0; i < N_SCENES; ++i)
                fprintf(stderr,
                        "%s, uid %u, %s: killed while new %u, started %u, stopping %u, "
                        "ended %u\n",
                        curfew_backend_name(director.backend), (unsigned)geteuid(), scenes[i].name,
                        phases[i][PHASE_NEW], phases[i][PHASE_STARTED], phases[i][PHASE_STOPPING],
                        phases[i][PHASE_ENDED]);
}

static unsigned number_from(const char *name, unsigned fallback) {
        const char *text = getenv(name);

        return text && *text ? (unsigned)strtoul(text, NULL, 10) : fallback;
}

int main(void) {
        const char *text = getenv("CURFEW_SEED");

        rounds = number_from("CURFEW_ROUNDS", ROUNDS);
        seed = text ? strtoull(text, NULL, 10) : (uint64_t)curfew_now();
        director_run_all(play_all);
        return 0;
}
