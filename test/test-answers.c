// SPDX-License-Identifier: MIT

/*
 * What a command forks in answer to a step is its clean-up, and must not get the step's signal. So
 * here are commands that clean up as people write it: by starting something. Each has a file that
 * its clean-up removes; a helper that is signalled leaves it.
 *
 * Every way of holding a tree is tried, as root and as somebody who is not, with the host alive and
 * killed by SIGKILL; with all on one processor, on all there are, and the host on another than the
 * command. Beside it somebody forks as fast as he can, half of the time, so that numbers move on;
 * and as many processes as CURFEW_HOGS says do nothing but take time.
 */

#include "villains.h"

#include <sched.h>

static char dir[64], lock_path[96];
static char which[128];
static unsigned round_number;

struct scene {
        const char *name;
        const char *argv[5]; /* "LOCK" is the file */
        unsigned reached;    /* who is there at the step */
        unsigned done;       /* so many say that they have cleaned up */
        unsigned divisor;    /* it takes longer */
        bool daemons;        /* it has some */
};

#define ROUNDS 16

/* A signal that comes just before it would wait is in the pipe. */
#define PYTHON                                                                                     \
        "import os, signal, subprocess, sys\n"                                                     \
        "def stop(*_):\n"                                                                          \
        "    subprocess.run(['rm', '-f', sys.argv[1]])\n"                                          \
        "    sys.exit(0)\n"                                                                        \
        "r, w = os.pipe()\n"                                                                       \
        "os.set_blocking(w, False)\n"                                                              \
        "signal.set_wakeup_fd(w)\n"                                                                \
        "signal.signal(signal.SIGTERM, stop)\n"                                                    \
        "os.write(3, b'busy')\n"                                                                   \
        "while True: os.read(r, 1)\n"

/* Until it has executed something, a shell's child has its parent's handlers and loses what they
 * get: so it is the child that says when it can be asked. */
#define SLEEP "sh -c 'printf busy >&3; exec sleep 1000' & "

static const struct scene scenes[] = {
        { "a trap", { "sh", "-c", "trap 'rm -f \"$0\"; exit 0' TERM; " SLEEP "wait", "LOCK" }, 2, 0,
                1 },
        { "a trap of bash's",
                { "bash", "-c", "trap 'rm -f \"$0\"; exit 0' TERM; " SLEEP "wait", "LOCK" }, 2, 0,
                1 },
        { "trap EXIT",
                { "bash", "-c", "trap 'rm -f \"$0\"' EXIT; trap 'exit 0' TERM; " SLEEP "wait",
                        "LOCK" },
                2, 0, 1 },
        { "a pipeline",
                { "sh", "-c", "trap 'echo \"$0\" | cat | xargs rm -f; exit 0' TERM; " SLEEP "wait",
                        "LOCK" },
                2, 0, 2 },
        { "a child's trap",
                { "sh", "-c", "trap 'wait; exit 0' TERM; bash -c \"$1\" \"$0\" & wait", "LOCK",
                        "trap 'rm -f \"$0\"; exit 0' TERM; " SLEEP "wait" },
                3, 0, 1 },
        { "a helper that is a daemon",
                { "sh", "-c", "trap 'setsid sh -c \"$1\" \"$0\" & exit 0' TERM; " SLEEP "wait",
                        "LOCK", "sleep .02; rm -f \"$0\"" },
                2, 0, 2, .daemons = true },
        { "make", { "sh", "-c", "exec make -s -f \"$0\" 2>&-", "MAKEFILE" }, 3, 0, 2 },
        { "python", { "/usr/bin/python3", "-c", PYTHON, "LOCK" }, 1, 0, 5 },
        { "a child that is left at once", { "villain", "answer-orphan", "LOCK" }, 1, 1, 1 },
        { "50 daemons", { "villain", "answer-chain", "50", "LOCK" }, 51, 50, 8, .daemons = true },
};

#define N_SCENES (sizeof(scenes) / sizeof(scenes[0]))

static void write_lock(void) {
        int fd = open(lock_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_ge(fd, 0);
        close(fd);
}

static void write_makefile(const char *path) {
        FILE *file = fopen(path, "we");

        assert_true(file);
        fprintf(file, "all:\n\t@trap 'rm -f %s; exit 0' TERM; " SLEEP "wait\n", lock_path);
        fclose(file);
}

static const char *argument(const char *word) {
        static char makefile[96];

        if (word && strcmp(word, "LOCK") == 0)
                return lock_path;
        if (!word || strcmp(word, "MAKEFILE") != 0)
                return word;
        snprintf(makefile, sizeof(makefile), "%s/makefile", dir);
        write_makefile(makefile);
        return makefile;
}

static struct curfew_cmd command(const struct scene *scene, const char *argv[6]) {
        struct curfew_cmd cmd = {
                .argv = argv,
                .stop = { { SIGTERM, CURFEW_TREE, 20 * CURFEW_SEC } },
                .linger = CURFEW_FOREVER,
        };

        for (size_t i = 0; i < 5; ++i)
                argv[i] = argument(scene->argv[i]);
        cmd.path = argv[0][0] == '/' ? argv[0] : NULL;
        return cmd;
}

/* Processors */

static void run_on(int cpu) {
        cpu_set_t set;

        CPU_ZERO(&set);
        for (int i = 0; i < CPU_SETSIZE; ++i)
                if (cpu < 0 || i == cpu)
                        CPU_SET(i, &set);
        sched_setaffinity(0, sizeof(set), &set); /* there may be only one */
}

/* Who goes where: the command where this process is when it is started, and the host where it is
 * afterwards. */
static void choose_place(unsigned round, bool started) {
        static const int places[3][2] = { { -1, -1 }, { 0, 0 }, { 1, 0 } };

        run_on(places[round % 3][started]);
}

/* Beside it */

static pid_t beside(void (*fn)(void)) {
        pid_t pid = fork();

        assert_ge(pid, 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                test_bound(600);
                fn();
                _exit(0);
        }
        return pid;
}

/* For a while, and then not for a while. */
static void fork_on(void) {
        for (;;) {
                int64_t until = curfew_now() + 50 * CURFEW_MSEC;

                while (curfew_now() < until) {
                        pid_t pid = fork();

                        if (pid == 0)
                                _exit(0);
                        waitpid(pid, NULL, 0);
                }
                poll(NULL, 0, 50);
        }
}

static void take_time(void) {
        for (;;)
                ;
}

static void end(pid_t pid) {
        assert_eq(kill(pid, SIGKILL), 0);
        assert_eq(waitpid(pid, NULL, 0), pid);
}

/* Rounds */

static unsigned count_notes(int fd, const char *word) {
        static char text[1 << 14];
        ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
        unsigned n = 0;

        assert_ge(size, 0);
        text[size] = 0;
        for (const char *p = text; (p = strstr(p, word)); ++p)
                ++n;
        return n;
}

static void assert_answered(const struct scene *scene, int notes) {
        if (access(lock_path, F_OK) == 0)
                test_fail(__FILE__, __LINE__, "%s", "the file is still there");
        assert_eq(count_notes(notes, " cut\n"), 0);
        assert_eq(count_notes(notes, " twice\n"), 0);
        assert_eq(count_notes(notes, " done\n"), scene->done);
}

/* The host lives, and tells how many were asked. */
static void play(const struct scene *scene, const struct place *place) {
        const char *argv[6] = { NULL };
        const struct curfew_result *res;
        struct round round;

        write_lock();
        round_start(&round, place, command(scene, argv));
        assert_gt(round_ready(&round), 0);
        choose_place(round_number, true);
        res = round_cancel(&round);
        assert_answered(scene, round.notes);
        assert_emptied(res, place);
        assert_eq(res->n_steps, 1);
        assert_eq(res->steps[0].reached, scene->reached);
        assert_eq(res->killed, 0);
        assert_nobody(&round);
        round_end(&round, place, false);
}

/* A process of its own is the host, and is killed. */
static void play_orphan(const struct scene *scene, const struct place *place) {
        struct pollfd held = { .events = POLLIN };
        struct round round = { 0 };
        const char *argv[6] = { NULL };
        pid_t host;

        write_lock();
        round_open(&round, place);
        host = fork();
        assert_ge(host, 0);
        if (host == 0) {
                close(round.held);
                round_begin(&round, place, command(scene, argv));
                round_close(&round);
                choose_place(round_number, true);
                curfew_wait(round.sup, CURFEW_FOREVER);
                _exit(1);
        }
        round_close(&round);
        assert_gt(round_ready(&round), 0);
        assert_eq(kill(host, SIGKILL), 0);
        assert_eq(waitpid(host, NULL, 0), host);
        held.fd = round.held;
        assert_eq(poll(&held, 1, 40000), 1);
        assert_answered(scene, round.notes);
        close(round.ready);
        close(round.held);
        close(round.notes);
}

static void say_which(int signal_number) {
        dprintf(2, "%s: %s in round %u\n", which, signal_number == SIGALRM ? "hangs" : "fails",
                round_number);
        signal(signal_number, SIG_DFL);
        raise(signal_number);
}

static void test_scene(const struct scene *scene, const struct place *place, const char *how,
        void (*fn)(const struct scene *scene, const struct place *place)) {
        unsigned rounds = villain_rounds(ROUNDS / scene->divisor);

        snprintf(which, sizeof(which), "%s, %s, %s: %s", place->user,
                curfew_backend_name(place->backend), how, scene->name);
        for (round_number = 0; round_number < rounds; ++round_number) {
                choose_place(round_number, false);
                fn(scene, place);
        }
        printf("%s: %u rounds\n", which, rounds);
}

static const struct {
        enum curfew_backend backend;
        enum curfew_guarantee guarantee;
} holders[] = {
        { CURFEW_BACKEND_KEEPER, CURFEW_GUARANTEE_TRACKED },
        { CURFEW_BACKEND_CGROUP, CURFEW_GUARANTEE_SEALED },
        { CURFEW_BACKEND_PID_NAMESPACE, CURFEW_GUARANTEE_SEALED },
        { CURFEW_BACKEND_GROUP, CURFEW_GUARANTEE_GROUP },
};

/* Only a keeper can't be missing. */
static bool can_hold(const struct place *place) {
        struct curfew_cmd cmd = { .argv = SH("exit 0"), .backend = place->backend };
        struct curfew_result res;

        if (place->backend == CURFEW_BACKEND_CGROUP)
                return place->cgroup[0];
        return place->backend != CURFEW_BACKEND_PID_NAMESPACE || curfew_run(NULL, &cmd, &res) == 0;
}

static void test_holders(struct place *place, const char *how, bool strong,
        void (*fn)(const struct scene *scene, const struct place *place)) {
        for (size_t i = 0; i < sizeof(holders) / sizeof(holders[0]); ++i) {
                bool weak = holders[i].backend == CURFEW_BACKEND_GROUP;

                place->backend = holders[i].backend;
                place->guarantee = holders[i].guarantee;
                if (strong && weak)
                        continue;
                if (!can_hold(place)) {
                        printf("skipped: %s: no %s can be made\n", place->user,
                                curfew_backend_name(place->backend));
                        continue;
                }
                for (size_t k = 0; k < N_SCENES; ++k)
                        if (!weak || !scenes[k].daemons)
                                test_scene(&scenes[k], place, how, fn);
        }
}

/* What has been left by a host that was killed ends by and by: that comes last. */
static void test_user(struct place *place) {
        signal(SIGABRT, say_which);
        signal(SIGALRM, say_which);
        strcpy(dir, "/tmp/curfew-answers-XXXXXX");
        assert_true(mkdtemp(dir));
        snprintf(lock_path, sizeof(lock_path), "%s/lock", dir);
        test_holders(place, "asked", false, play);
        test_holders(place, "orphaned", true, play_orphan);
        unlink(argument("MAKEFILE"));
        unlink(lock_path);
        rmdir(dir);
}

int main(void) {
        char villains[] = "/tmp/curfew-villains-XXXXXX";
        const char *text = getenv("CURFEW_HOGS");
        unsigned n = 1 + (text ? (unsigned)atoi(text) : 0);
        pid_t *others = calloc(n, sizeof(*others));
        struct part parts[2];
        size_t n_parts = 0;
        bool good;

        assert_true(others);
        setvbuf(stdout, NULL, _IOLBF, 0);
        unsetenv("CURFEW_DEADLINE");
        assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        for (unsigned i = 0; i < n; ++i)
                others[i] = beside(i == 0 ? fork_on : take_time);
        if (getuid() == 0) {
                copy_villain(villains);
                part_start(&parts[n_parts++], "root", 0, 0, test_user);
                part_start(
                        &parts[n_parts++], "nobody", 30000 + (uid_t)getpid() % 30000, 0, test_user);
        } else {
                printf("skipped: root: this isn't\n");
                part_start(&parts[n_parts++], "somebody", getuid(), 0, test_user);
        }
        parts_wait(parts, n_parts);
        for (unsigned i = 0; i < n; ++i)
                end(others[i]);
        good = parts_end(parts, n_parts);
        if (getuid() == 0) {
                unlink(villain_path());
                rmdir(villains);
        }
        free(others);
        return good ? 0 : 1;
}
