// SPDX-License-Identifier: MIT

/*
 * A signal has reached the group that a host shares with its command, as from a terminal's key: the
 * step of the same signal leaves out who has had it, and what was forked because of it, and reaches
 * a daemon, which hasn't; whether the host takes the step or, killed at once, its keeper. What they
 * hear they say, see "hear" in probe.c. (The init of a PID namespace, which can't tell them apart,
 * tells nobody again.)
 */

#include "run.h"

#include <signal.h>
#include <time.h>

#define BOUND (40 * CURFEW_SEC)

struct scene {
        void (*host)(struct curfew *sup, struct curfew_run *run);
        pid_t pgid;
        const struct curfew_step *stop;
        bool dies;
        bool quiet; /* the command */
};

static enum curfew_backend backend;
static int out[2];

/* The next lines, in any order: one of each of these, and no other. */
static void await_lines(const char *const lines[], size_t n) {
        unsigned seen = 0;

        while (seen != (1U << n) - 1) {
                char line[64];
                size_t i = 0;

                read_line(out[0], line, sizeof(line));
                while (i < n && strcmp(line, lines[i]) != 0)
                        ++i;
                if (i == n || seen >> i & 1)
                        test_fail(__FILE__, __LINE__, "%s: \"%s\"", curfew_backend_name(backend),
                                line);
                seen |= 1U << i;
        }
}

#define AWAIT(...)                                                                                 \
        await_lines((const char *[]){ __VA_ARGS__ },                                               \
                sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(const char *))

/* Nobody has anything to say any more, nor can: all have ended. */
static void await_silence(void) {
        char line[64];

        read_line(out[0], line, sizeof(line));
        assert_str(line, "");
}

/* The kernel's steps in telling when a process was started, 10 ms. */
static int64_t tick(void) {
        struct timespec now;

        assert_eq(clock_gettime(CLOCK_BOOTTIME, &now), 0);
        return now.tv_sec * 100 + now.tv_nsec / 10000000;
}

/* What is as young as the signal may be its doing. */
static void grow_older(void) {
        int64_t now = tick();

        while (tick() == now)
                ;
}

/* NULL: it can't be had here. */
static struct curfew_run *start(struct curfew *sup, const struct scene *scene) {
        struct curfew_cmd cmd = {
                .argv = (const char *[]){ getenv("PROBE"), "hear", scene->quiet ? "quiet" : NULL,
                        NULL },
                .out = { CURFEW_FD, .fd = out[1] },
                .err = { CURFEW_INHERIT },
                .pgid = scene->pgid,
                .backend = backend,
        };
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        struct curfew_run *run = NULL;
        int r;

        memcpy(cmd.stop, scene->stop, sizeof(cmd.stop));
        r = curfew_start(sup, NULL, &cmd, &stage, &run);
        if (r < 0 && stage == CURFEW_STAGE_TREE)
                return NULL;
        assert_eq(r, 0);
        close(out[1]);
        AWAIT("leader up", "daemon up");
        grow_older();
        return run;
}

static void press_key(struct curfew_run *run) {
        assert_eq(curfew_run_note_signal(run, SIGINT), 0);
        assert_eq(kill(0, SIGINT), 0);
}

static struct curfew_step_taken await_step(struct curfew *sup) {
        struct curfew_event event = { .type = CURFEW_EVENT_END };

        while (curfew_next_event(sup, &event) == 0)
                assert_eq(curfew_wait(sup, BOUND), 0);
        assert_eq(event.type, CURFEW_EVENT_STEP);
        return event.step;
}

static void finish(struct curfew *sup, struct curfew_run *run) {
        curfew_run_skip(run);
        assert_eq(curfew_run_wait(run, BOUND), 0);
        assert_eq(curfew_run_result(run)->end, CURFEW_END_EMPTY);
        assert_eq(curfew_run_note_signal(run, SIGINT), -ESRCH);
        curfew_run_free(run);
        curfew_free(sup);
        await_silence();
}

static void host_stops(struct curfew *sup, struct curfew_run *run) {
        struct curfew_step_taken step;

        press_key(run);
        AWAIT("leader asked", "answer up");
        curfew_run_stop(run);
        step = await_step(sup);
        assert_eq(step.reached, 1);
        assert_eq(step.left_out, 2);
        AWAIT("daemon asked");
        finish(sup, run);
}

/* It is no request, and a key that is pressed later is one more. */
static void host_waits(struct curfew *sup, struct curfew_run *run) {
        struct curfew_event event;

        assert_eq(curfew_run_note_signal(run, 0), -EINVAL);
        assert_eq(curfew_run_note_signal(run, SIGKILL), -EINVAL);
        assert_eq(curfew_run_note_signal(run, SIGRTMAX + 1), -EINVAL);
        press_key(run);
        AWAIT("leader asked", "answer up");
        assert_eq(curfew_wait(sup, CURFEW_SEC / 10), -ETIMEDOUT);
        assert_eq(curfew_next_event(sup, &event), 0);
        curfew_run_stop(run);
        assert_eq(await_step(sup).reached, 1);
        AWAIT("daemon asked");
        finish(sup, run);
}

static void host_is_killed(struct curfew *sup, struct curfew_run *run) {
        (void)sup;
        press_key(run);
        AWAIT("leader asked", "answer up");
        raise(SIGKILL);
}

/* It has not come to telling of the key, but a fork of it does; late, so that an answer would look
 * older than the key. */
static void host_is_killed_first(struct curfew *sup, struct curfew_run *run) {
        pid_t host = getpid(), pid;
        int end[2];

        (void)sup;
        assert_eq(pipe2(end, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                char byte;

                close(end[1]);
                assert_eq(read(end[0], &byte, 1), 0);
                while (kill(host, 0) == 0)
                        ; /* until it is reaped: its keeper has known of its end for long */
                assert_eq(curfew_run_note_signal(run, SIGINT), 0);
                _exit(0);
        }
        assert_eq(curfew_run_note_listener(run, pid), 0);
        assert_eq(kill(0, SIGINT), 0);
        AWAIT("leader asked");
        raise(SIGKILL);
}

/* One step is what it counts for. */
static void host_is_killed_later(struct curfew *sup, struct curfew_run *run) {
        press_key(run);
        AWAIT("leader asked", "answer up");
        curfew_run_stop(run);
        assert_eq(await_step(sup).left_out, 2);
        AWAIT("daemon asked");
        raise(SIGKILL);
}

/* The command's own group has not got it, so that nobody can have answered. */
static void host_is_apart(struct curfew *sup, struct curfew_run *run) {
        struct curfew_step_taken step;

        press_key(run);
        assert_eq(curfew_run_signal(run, CURFEW_LEADER, SIGINT), 1);
        AWAIT("leader asked", "answer up");
        curfew_run_stop(run);
        step = await_step(sup);
        assert_eq(step.reached, 3);
        assert_eq(step.left_out, 0);
        AWAIT("leader asked", "daemon asked", "answer asked");
        finish(sup, run);
}

static const struct curfew_step patient[CURFEW_MAX_STEPS] = { { SIGINT, CURFEW_TREE, BOUND },
        { SIGTERM, CURFEW_TREE, BOUND } };
static const struct curfew_step brief[CURFEW_MAX_STEPS] = { { SIGINT, CURFEW_TREE, CURFEW_SEC / 5 },
        { SIGTERM, CURFEW_TREE, BOUND } };
static const struct curfew_step twice[CURFEW_MAX_STEPS] = { { SIGINT, CURFEW_TREE, CURFEW_SEC / 5 },
        { SIGINT, CURFEW_TREE, CURFEW_SEC / 5 }, { SIGTERM, CURFEW_TREE, BOUND } };

static const struct scene scenes[] = {
        { host_stops, CURFEW_SAME_GROUP, patient },
        { host_waits, CURFEW_SAME_GROUP, patient },
        { host_is_apart, 0, patient },
        { host_is_killed, CURFEW_SAME_GROUP, brief, .dies = true },
        { host_is_killed_first, CURFEW_SAME_GROUP, brief, .dies = true, .quiet = true },
        { host_is_killed_later, CURFEW_SAME_GROUP, twice, .dies = true },
};

/* In a group of its own, which is what gets the signal. */
static void play_host(const struct scene *scene) {
        struct curfew_run *run;
        struct curfew *sup;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        assert_eq(setpgid(0, 0), 0);
        assert_eq(curfew_new(&sup), 0);
        run = start(sup, scene);
        if (run)
                scene->host(sup, run);
        exit(run ? 0 : 77);
}

/* Returns whether there is such a backend. */
static bool play(const struct scene *scene) {
        int status;
        pid_t pid;

        assert_eq(pipe2(out, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0)
                play_host(scene);
        close(out[1]);
        assert_eq(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
                close(out[0]);
                return false;
        }
        assert_eq(status, scene->dies ? SIGKILL : 0);
        if (scene->stop == twice)
                AWAIT("leader asked", "daemon asked", "answer asked");
        else if (scene->dies && backend != CURFEW_BACKEND_PID_NAMESPACE)
                AWAIT("daemon asked");
        await_silence();
        close(out[0]);
        return true;
}

/* Where there is no keeper nobody goes on, and who is in a PID namespace sees nobody outside. */
static bool can_be(const struct scene *scene) {
        if (backend == CURFEW_BACKEND_GROUP)
                return !scene->dies;
        return backend != CURFEW_BACKEND_PID_NAMESPACE || scene->host != host_is_killed_first;
}

static bool test_backend(enum curfew_backend wanted) {
        backend = wanted;
        for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); ++i)
                if (can_be(&scenes[i]) && !play(&scenes[i]))
                        return false;
        return true;
}

int main(void) {
        test_bound(120);
        assert_true(test_backend(CURFEW_BACKEND_KEEPER));
        assert_true(test_backend(CURFEW_BACKEND_GROUP));
        if (!test_backend(CURFEW_BACKEND_PID_NAMESPACE))
                printf("skipped: PID namespace: none can be made here\n");
        if (!test_backend(CURFEW_BACKEND_CGROUP))
                test_skip("no control group can be made here; all else has been tried");
        return 0;
}
