// SPDX-License-Identifier: MIT

/*
 * A plan can name the leader alone, or the group. Nobody is killed for that who has not been asked:
 * the others are asked as well, once those whom it names are gone, and nobody is waited for who
 * isn't there. Where what the command leaves is to be left alone, so are they; and in either case
 * whoever takes the steps, the host or, if that is killed, its keeper.
 */

#include "director.h"

#define PATIENT                                                                                    \
        (2 * DIRECTOR_BOUND) /* the grace of a step: nobody may have to wait for its end           \
                              */
#define MOMENT (10 * CURFEW_MSEC)

#define STEP(signal, whom, grace)                                                                  \
        {                                                                                          \
                { (signal), (whom), (grace) }                                                      \
        }

/* The host's side
 * --------------- */

static struct curfew_run *start(struct curfew *sup, const char *verb, struct curfew_cmd cmd) {
        struct curfew_extra_fd fd = { .target = WITNESS_LOG, .source = director.ends[1] };
        struct curfew_run *ret;

        cmd.path = director.witness;
        cmd.argv = (const char *[]){ "witness", verb, NULL };
        cmd.env_edit = (const char *[]){ director.mark, NULL };
        cmd.out = (struct curfew_stream){ CURFEW_PIPE };
        cmd.fds = &fd;
        cmd.n_fds = 1;
        cmd.backend = director.backend;
        cmd.linger = cmd.linger ?: MOMENT;
        assert_eq(curfew_start(sup, NULL, &cmd, NULL, &ret), 0);
        return ret;
}

static const struct curfew_result *stop(struct curfew_run *run, unsigned n_up) {
        host_await_up(run, n_up);
        curfew_run_stop(run);
        assert_eq(curfew_run_wait(run, DIRECTOR_BOUND), 0);
        return curfew_run_result(run);
}

/* Where only descent leads to who is not in the group there must be no daemon. */
static bool has_daemon(void) {
        return director.backend != CURFEW_BACKEND_GROUP;
}

static const char *family(void) {
        return has_daemon() ? "stay" : "pair";
}

static unsigned family_size(void) {
        return has_daemon() ? WITNESS_STAY : 2;
}

static void check_rest_asked(const struct curfew_result *res) {
        assert_eq(res->end, CURFEW_END_EMPTY);
        assert_eq(res->n_steps, 2);
        assert_eq(res->ended_by, 2);
        assert_eq(res->steps[0].reached, 1);
        assert_eq(res->steps[1].signal, SIGTERM);
        assert_eq(res->steps[1].whom, CURFEW_TREE);
        assert_eq(res->steps[1].reached, family_size() - 1);
        assert_eq(res->killed, 0);
        assert_exited(*res, 0);
}

static void host_leader(struct curfew *sup) {
        struct curfew_run *run = start(sup, family(),
                (struct curfew_cmd){ .stop = STEP(SIGTERM, CURFEW_LEADER, PATIENT) });

        check_rest_asked(stop(run, family_size()));
}

static void host_group(struct curfew *sup) {
        struct curfew_run *run = start(
                sup, family(), (struct curfew_cmd){ .stop = STEP(SIGTERM, CURFEW_GROUP, PATIENT) });

        check_rest_asked(stop(run, family_size()));
}

/* The leader has exited before there was anything to ask it. */
static void host_nobody(struct curfew *sup) {
        struct curfew_run *run = start(sup, "leave",
                (struct curfew_cmd){ .stop = { { SIGUSR1, CURFEW_LEADER, PATIENT },
                                             { SIGUSR1, CURFEW_GROUP, PATIENT },
                                             { SIGTERM, CURFEW_TREE, PATIENT } },
                        .linger = CURFEW_FOREVER });
        const struct curfew_result *res;
        struct curfew_event event;

        while (curfew_next_event(sup, &event) == 0)
                assert_eq(curfew_wait(sup, DIRECTOR_BOUND), 0);
        assert_eq(event.type, CURFEW_EVENT_EXIT);
        res = stop(run, 2);
        assert_eq(res->n_steps, 3);
        assert_eq(res->steps[0].reached, 0);
        assert_eq(res->steps[1].reached, 0);
        assert_eq(res->steps[2].reached, 1);
        assert_eq(res->killed, 0);
}

static void check_rest_left(const struct curfew_result *res, unsigned n_steps, unsigned left) {
        assert_eq(res->end, CURFEW_END_EXIT);
        assert_eq(res->n_steps, n_steps);
        assert_eq(res->ended_by, n_steps);
        assert_eq(res->reason, CURFEW_REASON_CALLER);
        assert_eq(res->left, left);
}

static struct curfew_run *start_leaving(
        struct curfew *sup, const char *verb, enum curfew_whom whom, int64_t grace) {
        return start(sup, verb,
                (struct curfew_cmd){
                        .stop = STEP(SIGTERM, whom, grace), .until = CURFEW_UNTIL_EXIT });
}

static void host_leave(struct curfew *sup) {
        struct curfew_run *run = start_leaving(sup, family(), CURFEW_LEADER, PATIENT);

        check_rest_left(stop(run, family_size()), 1, family_size() - 1);
}

static void host_leave_group(struct curfew *sup) {
        struct curfew_run *run = start_leaving(sup, family(), CURFEW_GROUP, PATIENT);

        check_rest_left(stop(run, family_size()), 1, family_size() - 1);
}

/* SIGKILL means no more of them than the plan did. */
static void host_leave_deaf(struct curfew *sup) {
        struct curfew_run *run = start_leaving(sup, "hold", CURFEW_LEADER, MOMENT);
        const struct curfew_result *res = stop(run, 1);

        check_rest_left(res, 2, 1);
        assert_eq(res->steps[1].signal, SIGKILL);
        assert_eq(res->steps[1].whom, CURFEW_LEADER);
        assert_eq(res->steps[1].reached, 1);
        assert_eq(res->killed, 1);
        assert_eq(res->killed_by_name[0].pid, curfew_run_pid(run));
        assert_signaled(*res, SIGKILL);
}

/* To be killed: before it has asked anybody, or when the leader alone has been asked. */
static void host_dies(struct curfew *sup) {
        start(sup, "stay", (struct curfew_cmd){ .stop = STEP(SIGTERM, CURFEW_LEADER, PATIENT) });
        pause();
}

static void host_dies_stopping(struct curfew *sup) {
        struct curfew_run *run = start(
                sup, "stay", (struct curfew_cmd){ .stop = STEP(SIGTERM, CURFEW_GROUP, PATIENT) });

        host_await_up(run, WITNESS_STAY);
        curfew_run_stop(run);
        host_reach(PHASE_STARTED);
        pause();
}

static void host_dies_leaving(struct curfew *sup) {
        start_leaving(sup, "stay", CURFEW_LEADER, PATIENT);
        pause();
}

static void host_dies_leaving_group(struct curfew *sup) {
        start_leaving(sup, "stay", CURFEW_GROUP, PATIENT);
        pause();
}

static void host_dies_leaving_deaf(struct curfew *sup) {
        struct curfew_run *run = start_leaving(sup, "hold", CURFEW_LEADER, MOMENT);

        host_await_up(run, 1);
        host_reach(PHASE_STARTED);
        pause();
}

/* The director's side
 * ------------------- */

static void check_asked_once(unsigned n) {
        assert_eq(WITNESS_SUM(&director.log, up), n);
        for (size_t i = 0; i < director.log.n; ++i) {
                const struct witness *w = &director.log.items[i];

                assert_eq(w->term, !w->exit);
                assert_eq(w->done, w->term);
        }
}

static void read_log(void) {
        struct pollfd fd = { .fd = director.ends[0], .events = POLLIN };

        while (poll(&fd, 1, 0) == 1 && witness_read(&director.log, fd.fd) > 0)
                ;
}

/* The leader was asked, and nobody else; the others live, and are ended here. */
static void check_left_alone(void) {
        unsigned alive = 0;

        read_log();
        assert_eq(WITNESS_SUM(&director.log, term), 1);
        assert_eq(WITNESS_SUM(&director.log, done), 1);
        for (size_t i = 0; i < director.log.n; ++i) {
                const struct witness *w = &director.log.items[i];

                if (w->term > 0)
                        continue;
                assert_true(director_sees(w->pid));
                assert_eq(kill(w->pid, SIGTERM), 0);
                ++alive;
        }
        assert_eq(alive, family_size() - 1);
        director_collect();
}

/* Of two that only SIGKILL ends, one is left, and is ours now. */
static void check_one_left(void) {
        pid_t pid;

        while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
                ;
        pid = director_find_child(getpid(), NULL);
        assert_gt(pid, 0);
        assert_true(director_sees(pid));
        assert_eq(kill(pid, SIGKILL), 0);
        director_collect();
}

/* How far a host has come its witnesses tell; or it does itself, also that it is through with a
 * step: one that is killed within it has asked somebody, and its keeper asks again. */
static void kill_host(pid_t host, unsigned n_up, unsigned n_term) {
        struct pollfd fd = { .events = POLLIN };
        pid_t keeper;

        while (WITNESS_SUM(&director.log, up) < n_up || WITNESS_SUM(&director.log, term) < n_term)
                assert_gt(witness_read(&director.log, director.ends[0]), 0);
        while ((n_up == 0 || n_term > 0) && director.shared->phase < PHASE_STARTED)
                sched_yield();
        keeper = director_find_keeper(host);
        assert_gt(keeper, 0);
        fd.fd = (int)syscall(SYS_pidfd_open, keeper, 0);
        director_kill(host);
        assert_eq(poll(&fd, 1, (int)(DIRECTOR_BOUND / CURFEW_MSEC)), 1);
        close(fd.fd);
}

static void play(const char *what, void (*fn)(struct curfew *sup), unsigned n) {
        director_try("%s", what);
        director_await_success(director_fork(fn));
        director_collect();
        check_asked_once(n);
}

static void play_killed(const char *what, void (*fn)(struct curfew *sup), unsigned n_term) {
        director_try("%s", what);
        kill_host(director_fork(fn), WITNESS_STAY, n_term);
        director_collect();
        check_asked_once(WITNESS_STAY);
}

static void play_asked(void) {
        play("leader", host_leader, family_size());
        play("group", host_group, family_size());
        if (has_daemon())
                play("nobody", host_nobody, 2);
}

static void play_left(void) {
        director_try("leave");
        director_await_success(director_fork(host_leave));
        check_left_alone();
        director_try("leave, group");
        director_await_success(director_fork(host_leave_group));
        check_left_alone();
        director_try("leave, deaf");
        director_await_success(director_fork(host_leave_deaf));
        check_one_left();
}

static void play_left_by_keeper(void) {
        director_try("leave, killed");
        kill_host(director_fork(host_dies_leaving), WITNESS_STAY, 0);
        check_left_alone();
        director_try("leave, group, killed");
        kill_host(director_fork(host_dies_leaving_group), WITNESS_STAY, 0);
        check_left_alone();
        director_try("leave, deaf, killed");
        kill_host(director_fork(host_dies_leaving_deaf), 0, 0);
        check_one_left();
}

static void play_kept(void) {
        play_asked();
        play_left();
        play_killed("killed", host_dies, 0);
        play_killed("killed, stopping", host_dies_stopping, 1);
        play_left_by_keeper();
}

static void play_in_group(void) {
        play_asked();
        play_left();
}

/* What is in there ends with it: nothing can be left alone. */
static void play_in_namespace(void) {
        play_asked();
        play_killed("killed", host_dies, 0);
        play_killed("killed, stopping", host_dies_stopping, 1);
}

static void try_backend(enum curfew_backend which, void (*fn)(void)) {
        bool privileged = geteuid() == 0;
        pid_t pid = director_begin(which, true, fn);

        assert_eq(director_end(pid, true), 0);
        if (!privileged)
                return;
        pid = director_begin(which, false, fn);
        assert_eq(director_end(pid, false), 0);
}

int main(void) {
        director_copy_witness();
        try_backend(CURFEW_BACKEND_GROUP, play_in_group);
        try_backend(CURFEW_BACKEND_PID_NAMESPACE, play_in_namespace);
        unlink(director.witness);
        director_run_all(play_kept);
        return 0;
}
