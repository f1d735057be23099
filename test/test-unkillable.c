// SPDX-License-Identifier: MIT

/*
 * What SIGKILL doesn't end is waited for only so long, and then named: with its number, its name
 * and its state. It comes in two kinds. A freezer of cgroup v1 holds a process in an
 * uninterruptible sleep, as a dead file server would; and a set-uid program that becomes another
 * user altogether may not be signalled by who has started it, though the kernel ends it with its
 * control group.
 *
 * Where curfew has given up it is out of the way: nothing of it blocks, and when such a process
 * ends after all, what has kept the tree ends with it.
 */

#include "villains.h"

#include <sched.h>

struct unkillable {
        const char *name;
        enum curfew_backend backend;
        enum curfew_guarantee guarantee;
        enum { CHILD, LEADER, FOREIGN_CHILD } who;
};

/* There is no foreign one in a namespace: without privilege that takes a user namespace, and there
 * the set-uid bit of somebody who is not in it counts for nothing. */
static const struct unkillable unkillables[] = {
        { "cgroup-child", CURFEW_BACKEND_CGROUP, CURFEW_GUARANTEE_SEALED, CHILD },
        { "cgroup-leader", CURFEW_BACKEND_CGROUP, CURFEW_GUARANTEE_SEALED, LEADER },
        { "cgroup-uid", CURFEW_BACKEND_CGROUP, CURFEW_GUARANTEE_SEALED, FOREIGN_CHILD },
        { "keeper-child", CURFEW_BACKEND_KEEPER, CURFEW_GUARANTEE_TRACKED, CHILD },
        { "keeper-leader", CURFEW_BACKEND_KEEPER, CURFEW_GUARANTEE_TRACKED, LEADER },
        { "keeper-uid", CURFEW_BACKEND_KEEPER, CURFEW_GUARANTEE_TRACKED, FOREIGN_CHILD },
        { "group-child", CURFEW_BACKEND_GROUP, CURFEW_GUARANTEE_GROUP, CHILD },
        { "group-leader", CURFEW_BACKEND_GROUP, CURFEW_GUARANTEE_GROUP, LEADER },
        { "group-uid", CURFEW_BACKEND_GROUP, CURFEW_GUARANTEE_GROUP, FOREIGN_CHILD },
        { "pid-ns-leader", CURFEW_BACKEND_PID_NAMESPACE, CURFEW_GUARANTEE_SEALED, LEADER },
};

#define N_UNKILLABLES (sizeof(unkillables) / sizeof(unkillables[0]))

static const struct unkillable *current;

/* The freezer */

static char freezer[512];

/* For `current`; or "". */
static void name_freezer(void) {
        char line[4096], mount[256] = "";
        FILE *file = fopen("/proc/self/mountinfo", "re");

        assert_true(file);
        while (fgets(line, sizeof(line), file))
                if (strstr(line, " - cgroup ") && strstr(line, "freezer"))
                        sscanf(line, "%*d %*d %*s / %255s", mount);
        fclose(file);
        freezer[0] = 0;
        if (mount[0])
                snprintf(freezer, sizeof(freezer), "%s/curfew-test-%d-%s", mount, (int)getpid(),
                        current->name);
}

static void freezer_hold(pid_t pid) {
        char number[16];

        snprintf(number, sizeof(number), "%d", (int)pid);
        assert_true(write_text(freezer, "cgroup.procs", number));
}

static bool freezer_is(const char *state) {
        char path[1024], line[32] = "";
        FILE *file;

        snprintf(path, sizeof(path), "%s/freezer.state", freezer);
        file = fopen(path, "re");
        assert_true(file && fgets(line, sizeof(line), file));
        fclose(file);
        return strncmp(line, state, strlen(state)) == 0;
}

static void freezer_become(const char *state) {
        assert_true(write_text(freezer, "freezer.state", state));
        while (!freezer_is(state))
                sched_yield();
}

/* One is removed when the last zombie in it is gone. */
static void remove_freezer(void) {
        while (rmdir(freezer) < 0)
                assert_eq(errno, EBUSY);
}

/* A part that has failed may not have come to that. */
static void thaw(void) {
        if (access(freezer, F_OK) == 0)
                freezer_become("THAWED");
}

/* The rounds */

static void assert_given_up(const struct curfew_result *res, pid_t pid, char state) {
        assert_eq(res->end, CURFEW_END_GIVEN_UP);
        assert_eq(res->reason, CURFEW_REASON_CANCELLED);
        assert_eq(res->backend, current->backend);
        assert_eq(res->n_steps, 2);
        assert_eq(res->steps[1].signal, SIGKILL);
        assert_ge(res->wall, 10 * CURFEW_SEC);
        assert_eq(res->killed, 0);
        assert_eq(res->left, 1);
        assert_eq(res->left_by_name[0].pid, pid);
        assert_eq(res->left_by_name[0].state, state);
        assert_str(res->left_by_name[0].name, "villain");
        if (current->who == LEADER)
                assert_eq(res->status, CURFEW_STATUS_UNKNOWN);
        else
                assert_signaled(*res, SIGTERM);
}

static void let_go(struct round *round) {
        curfew_run_free(round->run);
        curfew_free(round->sup);
        curfew_ctx_unref(round->ctx);
        close(round->ready);
}

/* When it has ended, nobody is left, and no keeper. */
static void assert_all_end(struct round *round, const struct place *place) {
        while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
                ;
        assert_eq(errno, ECHILD);
        assert_eq(count_fds(), round->fds);
        if (place->cgroup[0])
                assert_false(has_cgroups_below(place->cgroup));
}

static void test_frozen(const struct place *place) {
        struct pollfd fd = { .events = POLLIN };
        const struct curfew_result *res;
        struct round round;
        pid_t pid;

        round_start(&round, place,
                (struct curfew_cmd){
                        .argv = VILLAIN("session"),
                        .stop = { { SIGTERM, CURFEW_TREE, CURFEW_SEC } },
                });
        pid = round_ready(&round);
        if (current->who == LEADER)
                pid = curfew_run_pid(round.run);
        freezer_hold(pid);
        freezer_become("FROZEN");
        res = round_cancel(&round);
        assert_given_up(res, pid, 'D');
        assert_eq(res->steps[1].reached, 1); /* it is what ends it once it is thawed */
        assert_eq(res->steps[1].error, 0);
        let_go(&round);

        freezer_become("THAWED");
        fd.fd = round.held;
        assert_eq(poll(&fd, 1, 20000), 1);
        close(round.held);
        close(round.notes);
        assert_all_end(&round, place);
        remove_freezer();
}

/* Before Linux 5.14 there is nothing that ends all of a group. */
static bool can_kill_group(const struct place *place) {
        char path[1024];

        snprintf(path, sizeof(path), "%s/cgroup.kill", place->cgroup);
        return place->backend == CURFEW_BACKEND_CGROUP && access(path, F_OK) == 0;
}

/* It ends when nobody holds the other end of its pipe any more. */
static void test_foreign(const struct place *place) {
        const struct curfew_result *res;
        struct round round;
        pid_t pid;

        round_start(&round, place,
                (struct curfew_cmd){
                        .argv = VILLAIN("foreign"),
                        .stop = { { SIGTERM, CURFEW_TREE, CURFEW_SEC } },
                });
        pid = round_ready(&round);
        assert_gt(pid, 0);
        res = round_cancel(&round);
        if (current->backend != CURFEW_BACKEND_GROUP) /* that is one signal, which some have got */
                assert_eq(res->steps[0].error, -EPERM);
        if (can_kill_group(place)) {
                assert_emptied(res, place);
                assert_eq(res->killed, 1);
                assert_eq(res->steps[1].reached, 1);
        } else {
                assert_given_up(res, pid, 'S');
                assert_eq(res->steps[1].reached, 0);
                assert_eq(res->steps[1].error, -EPERM);
        }
        let_go(&round);
        close(round.held);
        close(round.notes);
        assert_all_end(&round, place);
}

static void test_unkillable(struct place *place) {
        place->backend = current->backend;
        place->guarantee = current->guarantee;
        if (current->backend == CURFEW_BACKEND_CGROUP && !place->cgroup[0])
                printf("skipped: %s: no control group can be made here\n", current->name);
        else if (current->who == FOREIGN_CHILD)
                test_foreign(place);
        else if (freezer[0] && mkdir(freezer, 0755) == 0)
                test_frozen(place);
        else
                printf("skipped: %s: no freezer of cgroup v1\n", current->name);
}

int main(void) {
        char dir[] = "/tmp/curfew-unkillable-XXXXXX";
        uid_t uid = 30000 + 2 * ((uid_t)getpid() % 15000); /* nobody else's, we hope */
        struct part parts[N_UNKILLABLES];
        bool good;

        if (getuid() != 0)
                test_skip("only root can freeze, and become another user");
        unsetenv("CURFEW_DEADLINE");
        assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        copy_villain(dir);
        assert_eq(chown(villain_path(), uid, uid), 0);
        assert_eq(chmod(villain_path(), 04755), 0);
        for (size_t i = 0; i < N_UNKILLABLES; ++i) {
                bool foreign = unkillables[i].who == FOREIGN_CHILD;

                current = &unkillables[i];
                name_freezer();
                part_start(&parts[i], current->name, foreign ? uid + 1 : 0, 0, test_unkillable);
        }
        parts_wait(parts, N_UNKILLABLES);
        for (current = unkillables; current < unkillables + N_UNKILLABLES; ++current) {
                name_freezer();
                thaw();
        }
        good = parts_end(parts, N_UNKILLABLES);
        unlink(villain_path());
        rmdir(dir);
        return good ? 0 : 1;
}
