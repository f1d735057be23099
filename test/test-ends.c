// SPDX-License-Identifier: MIT

/*
 * The ends that a host can come to while its command runs, other than waiting for it: it executes
 * another program, exits, or is killed; and what `detach` makes of that. And the end that a keeper
 * can come to, which is to be killed.
 */

#include "director.h"

/* Until a process that is not ours has ended, which somebody reaps or not. */
static void await_end_of(int pidfd) {
        struct pollfd fd = { .fd = pidfd, .events = POLLIN };

        assert_ge(pidfd, 0);
        assert_eq(poll(&fd, 1, (int)(DIRECTOR_BOUND / CURFEW_MSEC)), 1);
        close(pidfd);
}

static int open_keeper(pid_t host) {
        pid_t keeper = director_find_keeper(host);

        assert_gt(keeper, 0);
        return (int)syscall(SYS_pidfd_open, keeper, 0);
}

static void host_detached(struct curfew *sup) {
        host_start(sup, "stay", (struct curfew_cmd){ .detach = true });
        pause();
}

static void execute_idle(void) {
        assert_eq(dup2(director.ends[1], WITNESS_LOG), WITNESS_LOG);
        execl(director.witness, "witness", "idle", (char *)NULL);
        test_fail(__FILE__, __LINE__, "%s: %s", director.witness, strerror(errno));
}

static void host_detached_then_exec(struct curfew *sup) {
        host_await_up(host_start(sup, "stay", (struct curfew_cmd){ .detach = true }), WITNESS_STAY);
        execute_idle();
}

static void host_exec(struct curfew *sup) {
        host_await_up(host_start(sup, "stay", (struct curfew_cmd){ 0 }), WITNESS_STAY);
        execute_idle();
}

static void host_exit(struct curfew *sup) {
        host_await_up(host_start(sup, "stay", (struct curfew_cmd){ 0 }), WITNESS_STAY);
        exit(0);
}

/* Nobody has asked them to stop, and all of them run. */
static void check_left_alone(void) {
        assert_eq(WITNESS_SUM(&director.log, term), 0);
        for (size_t i = 0; i < director.log.n; ++i)
                assert_true(director_sees(director.log.items[i].pid));
        if (director.group[0])
                assert_eq(group_count(director.group), 0);
}

/* What has been left alone is ended here. */
static void end_witnesses(void) {
        for (size_t i = 0; i < director.log.n; ++i)
                if (director.log.items[i].up)
                        assert_eq(kill(director.log.items[i].pid, SIGTERM), 0);
}

static void check_each_asked_once(unsigned n) {
        assert_eq(WITNESS_SUM(&director.log, up), n);
        assert_eq(WITNESS_SUM(&director.log, term), n);
        for (size_t i = 0; i < director.log.n; ++i)
                assert_eq(director.log.items[i].term, director.log.items[i].done);
}

static void test_detached(void) {
        pid_t host, keeper;
        int status;

        director_try("detached");
        host = director_fork(host_detached);
        WITNESS_AWAIT(&director.log, director.ends[0], up, WITNESS_STAY);
        keeper = director_find_keeper(host);
        assert_gt(keeper, 0);
        director_kill(host);
        assert_eq(director_await(keeper, &status), keeper);
        check_left_alone();
        end_witnesses();
        director_collect();
        check_each_asked_once(WITNESS_STAY);
}

/* The keeper ends below the program that was executed, which doesn't reap it. */
static void test_detached_then_exec(void) {
        pid_t host;

        director_try("detached, then exec");
        host = director_fork(host_detached_then_exec);
        WITNESS_AWAIT(&director.log, director.ends[0], idle, 1);
        await_end_of(open_keeper(host));
        check_left_alone();
        end_witnesses();
        assert_eq(kill(host, SIGKILL), 0);
        director_collect();
        check_each_asked_once(WITNESS_STAY);
}

static void test_exec(void) {
        pid_t host;

        director_try("exec");
        host = director_fork(host_exec);
        WITNESS_AWAIT(&director.log, director.ends[0], done, WITNESS_STAY);
        assert_true(director_sees(host));
        assert_eq(kill(host, SIGKILL), 0);
        director_collect();
        check_each_asked_once(WITNESS_STAY);
}

static void test_exit(void) {
        director_try("exit");
        director_await_success(director_fork(host_exit));
        director_collect();
        check_each_asked_once(WITNESS_STAY);
}

/* It is dead then, but nobody has told the host. */
static void kill_keeper(void) {
        int keeper = open_keeper(getpid());

        assert_eq(syscall(SYS_pidfd_send_signal, keeper, SIGKILL, NULL, 0), 0);
        await_end_of(keeper);
}

/* Then it is a tree without one, and that is what the result says. */
static void host_without_keeper(struct curfew *sup) {
        struct curfew_run *run = host_start(sup, "pair", (struct curfew_cmd){ 0 });
        const struct curfew_result *res;

        host_await_up(run, 2);
        kill_keeper();
        curfew_run_stop(run);
        assert_eq(curfew_run_wait(run, DIRECTOR_BOUND), 0);
        res = curfew_run_result(run);
        assert_eq(res->end, CURFEW_END_EMPTY);
        assert_eq(res->reason, CURFEW_REASON_CALLER);
        assert_eq(res->guarantee, CURFEW_GUARANTEE_GROUP);
        assert_eq(res->n_steps, 1);
        assert_eq(res->ended_by, 1);
        assert_eq(res->left, 0);
}

/* The group still holds the tree. */
static void host_without_guard(struct curfew *sup) {
        struct curfew_run *run = host_start(sup, "stay", (struct curfew_cmd){ 0 });

        host_await_up(run, WITNESS_STAY);
        kill_keeper();
        curfew_run_stop(run);
        host_await_end(run);
}

/* The next run has a new guard, which takes care of the first one as well. */
static void host_with_new_guard(struct curfew *sup) {
        host_await_up(host_start(sup, "stay", (struct curfew_cmd){ 0 }), WITNESS_STAY);
        kill_keeper();
        host_await_up(host_start(sup, "stay", (struct curfew_cmd){ 0 }), WITNESS_STAY);
        kill(getpid(), SIGKILL);
}

/* The tree falls to the director, as it would to an init: to one that reaps what falls to it, and
 * to one that doesn't, as in many a container. */
static void test_keeper_of_tree_is_killed(void) {
        int status = -1;
        pid_t host, pid;

        host = director_fork(host_without_keeper);
        do
                pid = director_await(-1, &status);
        while (pid != host);
        assert_eq(status, 0);
        director_collect();
        check_each_asked_once(2);

        director_try("the keeper is killed, and nobody reaps");
        director_await_success(director_fork(host_without_keeper));
        director_collect();
        check_each_asked_once(2);
}

static void test_keeper_is_killed(void) {
        int status;

        director_try("the keeper is killed");
        if (director.backend == CURFEW_BACKEND_KEEPER) {
                test_keeper_of_tree_is_killed();
                return;
        }

        director_await_success(director_fork(host_without_guard));
        director_collect();
        check_each_asked_once(WITNESS_STAY);

        director_try("the guard is killed, then the host");
        assert_gt(director_await(director_fork(host_with_new_guard), &status), 0);
        assert_eq(status, SIGKILL);
        director_collect();
        check_each_asked_once(2 * WITNESS_STAY);
}

static void test_ends(void) {
        test_detached();
        test_detached_then_exec();
        test_exec();
        test_exit();
        test_keeper_is_killed();
}

int main(void) {
        director_run_all(test_ends);
        return 0;
}
