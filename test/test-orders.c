// SPDX-License-Identifier: MIT

/*
 * What a keeper lets itself be told, and by whom. Of its host it has a socket, which a fork of the
 * host has as well, and memory, which may be what the host dies of. So a fork, which may have
 * become somebody else, says what it can; and a host makes a mess of what it has written for its
 * keeper, and is killed: whoever is signalled then must be the tree's, and the tree must end.
 */

#include "director.h"
#include "sys/keeper.h"
#include "sys/ward.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static pid_t stranger; /* a child of the director's, which any signal ends */

static void begin_stranger(void) {
        sigset_t none;

        stranger = fork();
        assert_ge(stranger, 0);
        if (stranger > 0)
                return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        for (;;)
                pause();
}

static void end_stranger(void) {
        int status;

        assert_eq(waitpid(stranger, &status, WNOHANG), 0);
        assert_eq(kill(stranger, SIGKILL), 0);
        assert_eq(waitpid(stranger, &status, 0), stranger);
}

/* The host's side
 * --------------- */

/* The ward in use, of the host's one run. */
static struct ward *find_ward(void) {
        FILE *file = fopen("/proc/self/maps", "re");
        unsigned long begin = 0, end = 0;
        char line[512];

        assert_true(file);
        while (!begin && fgets(line, sizeof(line), file))
                if (strstr(line, "memfd:curfew-wards"))
                        assert_eq(sscanf(line, "%lx-%lx", &begin, &end), 2);
        fclose(file);
        for (struct ward *w = (void *)begin; w && (unsigned long)(w + 1) <= end; ++w)
                if (w->used)
                        return w;
        test_fail(__FILE__, __LINE__, "%s", "no ward is in use");
}

static struct ward *begin_stay(struct curfew *sup, struct curfew_cmd cmd) {
        host_await_up(host_start(sup, "stay", cmd), WITNESS_STAY);
        return find_ward();
}

static void host_broken_plan(struct curfew *sup) {
        struct ward *ward = begin_stay(sup, (struct curfew_cmd){ 0 });

        memset(ward->plan, 0x77, sizeof(ward->plan));
        ward->taken = 0x7777;
        host_reach(PHASE_STARTED);
        pause();
}

static void host_broken_leader(struct curfew *sup) {
        struct ward *ward = begin_stay(
                sup, (struct curfew_cmd){ .stop = { { SIGUSR1, CURFEW_LEADER, CURFEW_MSEC },
                                                  { SIGUSR1, CURFEW_GROUP, CURFEW_MSEC },
                                                  { SIGTERM, CURFEW_TREE, 0 } } });

        ward->leader = stranger;
        host_reach(PHASE_STARTED);
        pause();
}

static char victim[40]; /* a group beside the tree's */

static void host_broken_name(struct curfew *sup) {
        struct ward *ward = begin_stay(sup, (struct curfew_cmd){ 0 });

        snprintf(ward->cgroup, sizeof(ward->cgroup), "%s", victim);
        host_reach(PHASE_STARTED);
        pause();
}

/* To whatever of our descriptors is a socket of packets: to keepers, that is. */
static void send_kill(void) {
        for (int fd = 3; fd < 64; ++fd) {
                int type = 0, left = 0;
                socklen_t size = sizeof(type);

                if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET)
                        continue;
                assert_eq(send(fd, (char[]){ KEEPER_KILL }, 1, MSG_NOSIGNAL), 1);
                do /* until it has been read */
                        assert_eq(ioctl(fd, SIOCOUTQ, &left), 0);
                while (left > 0);
        }
}

static void host_forks(struct curfew *sup) {
        struct director_sight sight = { 0 };
        pid_t pid, keeper;

        begin_stay(sup, (struct curfew_cmd){ 0 });
        keeper = director_find_keeper(getpid());
        pid = fork();
        assert_ge(pid, 0);
        if (pid == 0) {
                if (geteuid() == 0)
                        director_become_nobody();
                send_kill();
                _exit(0);
        }
        assert_eq(waitpid(pid, NULL, 0), pid);
        while (director_look(keeper, &sight) && sight.state != 'S') /* it does what it has read */
                sched_yield();
        host_reach(PHASE_STARTED);
        pause();
}

/* The director's side
 * ------------------- */

static void await_started(void) {
        while (director.shared->phase < PHASE_STARTED)
                sched_yield();
}

static void test_broken(const char *what, void (*host)(struct curfew *sup)) {
        pid_t pid;

        director_try("%s", what);
        begin_stranger();
        pid = director_fork(host);
        await_started();
        director_kill(pid);
        witness_read_all(&director.log, director.ends[0]);
        end_stranger();
        director_collect();
        assert_eq(WITNESS_SUM(&director.log, up), WITNESS_STAY);
        assert_eq(WITNESS_SUM(&director.log, term), WITNESS_STAY);
        assert_eq(WITNESS_SUM(&director.log, done), WITNESS_STAY);
}

/* What nobody has removed. */
static void remove_groups(void) {
        DIR *dir = opendir(director.group);
        char path[PATH_MAX * 2];
        struct dirent *entry;

        assert_true(dir);
        while ((entry = readdir(dir))) {
                snprintf(path, sizeof(path), "%s/%s", director.group, entry->d_name);
                if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
                        assert_eq(rmdir(path), 0);
        }
        closedir(dir);
}

/* Only the name says which tree it is: that one is left alone, and so is everybody else. */
static void test_broken_name(void) {
        char path[PATH_MAX + 64], above[PATH_MAX];
        pid_t pid, keeper;
        int status;

        director_try("the name of a group");
        snprintf(victim, sizeof(victim), "victim-%d", (int)getpid());
        snprintf(path, sizeof(path), "%s/%s", director.group, victim);
        assert_eq(group_own(above, sizeof(above)), 0);
        assert_eq(mkdir(path, 0755), 0);
        assert_eq(group_enter(path), 0);
        begin_stranger();
        assert_eq(group_enter(above), 0);

        pid = director_fork(host_broken_name);
        await_started();
        keeper = director_find_keeper(pid);
        director_kill(pid);
        assert_eq(director_await(keeper, &status), keeper);
        end_stranger();
        assert_eq(rmdir(path), 0);
        assert_eq(WITNESS_SUM(&director.log, term), 0);
        for (size_t i = 0; i < director.log.n; ++i)
                assert_eq(kill(director.log.items[i].pid, SIGTERM), 0);
        witness_read_all(&director.log, director.ends[0]);
        close(director.ends[0]);
        while (waitpid(-1, &status, __WALL) > 0)
                ;
        remove_groups();
}

static void test_fork(void) {
        struct pollfd fd = { .events = POLLIN };
        pid_t pid;

        director_try("a fork of the host");
        pid = director_fork(host_forks);
        await_started();
        fd.fd = director.ends[0];
        while (poll(&fd, 1, 0) == 1 && witness_read(&director.log, fd.fd) > 0)
                ;
        for (size_t i = 0; i < director.log.n; ++i)
                assert_true(director_sees(director.log.items[i].pid));
        director_kill(pid);
        director_collect();
        assert_eq(WITNESS_SUM(&director.log, term), WITNESS_STAY);
}

static void play(void) {
        test_broken("a plan", host_broken_plan);
        test_broken("the number of a leader", host_broken_leader);
        if (director.backend == CURFEW_BACKEND_CGROUP)
                test_broken_name();
        else
                test_fork();
}

int main(void) {
        director_run_all(play);
        return 0;
}
