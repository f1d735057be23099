// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "core/stop.h"
#include "keeper/libc.h"
#include "sys/call.h"
#include "sys/cgroup.h"
#include "sys/keeper.h"
#include "sys/sweep.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

/*
 * A keeper waits. As long as its host lives, it reaps what falls to it, tells the host of the
 * leader and, when the host says so, ends the tree. When the host is gone it does what the host
 * would have done: it takes the steps that are left of each plan. Then it ends, and so does
 * everything that it has kept.
 *
 * There are two kinds. One keeps a tree: it is the subreaper of what descends from it, and the tree
 * is empty when it has no child any more. One is a guard of control groups, and has nothing to do
 * until the host is gone. What both need to know of a run is its ward, in memory that the host has
 * written; here it becomes a life, which goes on where the host's left off.
 *
 * To end a tree all of it is killed, from the top down, without reaping anything as long as
 * something lives: zombies count against a limit of processes, so a fork bomb that has filled it
 * up starves, where a new slot would have been refilled. Between two rounds the keeper sleeps
 * until somebody dies: spinning would take the time that the dying need.
 */

#define MAX_ZOMBIES 4096 /* to leave unreaped, of a tree that isn't near a limit */
#define FIRST_PAUSE (CLOCK_SEC / 1000)
#define LAST_PAUSE  (CLOCK_SEC / 100)
#define KILL_AGAIN  (CLOCK_SEC / 10)

struct life {
        const struct ward *ward;
        struct stop stop;
        bool in_group; /* it is in a control group, which is opened when it is needed: there can be
                          more of them than descriptors */
        int events;    /* what tells that this is empty, or negative */
        bool over;
};

struct keeper_state {
        bool guard;
        size_t own_index;   /* of the tree's ward */
        pid_t leader;       /* the tree's, or 0 */
        bool is_namespace;  /* this is the init of one */
        struct ward *wards; /* once it is orphaned */
        size_t n_wards;
        int signals;
        bool leader_gone;
        bool orphaned; /* the host is gone */
        bool killing;
        bool asked;                /* the host has been told */
        struct keeper_report news; /* that the host has not been told yet */
        bool has_news;
        int64_t pause;
        struct life *lives; /* once it is orphaned */
        size_t n_lives;
        struct pollfd *fds; /* for the host, its pidfd, signals, and the lives' events */
};

enum { FD_HOST, FD_PIDFD, FD_SIGNALS, FD_LIVES };

/* Setting up */

static int map_wards(struct keeper_state *keeper) {
        long size = sys_call(SYS_lseek, KEEPER_WARDS, 0L, SEEK_END);

        if (size < (long)sizeof(struct ward)) /* the host has not come to that */
                return 0;
        keeper->wards = sys_pointer(
                sys_call(SYS_mmap, NULL, size, PROT_READ, MAP_SHARED, KEEPER_WARDS, 0L));
        if (!keeper->wards)
                return -ENOMEM;
        keeper->n_wards = (size_t)size / sizeof(struct ward);
        return 0;
}

static size_t parse_number(const char *text) {
        size_t n = 0;

        for (; *text; ++text)
                n = 10 * n + (size_t)(*text - '0');
        return n;
}

/* All signals are blocked since before the host cloned this; what arrives is read. Without a
 * descriptor to read it from (ENFILE) the keeper looks at its children now and then. */
static void open_signals(struct keeper_state *keeper) {
        static const uint64_t all[] = { ~UINT64_C(0), ~UINT64_C(0) };

        keeper->signals = (int)sys_call(
                SYS_signalfd4, -1, all, (_NSIG - 1) / 8, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* It may have more to look after than its host had to do. */
static void raise_limit(void) {
        uint64_t limit[2] = { 0 };

        if (sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, limit) < 0)
                return;
        limit[0] = limit[1];
        sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, limit, NULL);
}

/* Of a tree: the index of its ward, and the number of its leader. */
static void init(struct keeper_state *keeper, int argc, char *argv[]) {
        sys_call(SYS_prctl, PR_SET_NAME, PROC_KEEPER, 0, 0, 0);
        sys_call(SYS_close, KEEPER_IMAGE);
        keeper->guard = argc < 3;
        keeper->pause = FIRST_PAUSE;
        open_signals(keeper);
        if (keeper->guard)
                return;

        keeper->own_index = parse_number(argv[1]);
        keeper->leader = (pid_t)parse_number(argv[2]);
        keeper->is_namespace = sys_call(SYS_getpid) == 1;
}

/* To the host */

static void tell(struct keeper_state *keeper) {
        if (keeper->has_news && !keeper->orphaned)
                sys_call(SYS_sendto, KEEPER_HOST, &keeper->news, sizeof(keeper->news),
                        MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
        keeper->has_news = false;
        keeper->news.asked = false;
}

/* Children */

static pid_t own_pid(void) {
        return (pid_t)sys_call(SYS_getpid);
}

/* All, or only one. -ECHILD once there is none. */
static int reap(struct keeper_state *keeper, pid_t only) {
        struct child_exit how;
        pid_t pid;
        int r;

        while ((r = child_reap_next(only, &pid, &how)) > 0) {
                if (pid != keeper->leader || keeper->leader_gone)
                        continue;
                keeper->leader_gone = true;
                keeper->news.leader = how;
                keeper->news.leader_known = keeper->has_news = true;
        }
        return r;
}

/* The init of a namespace can signal all that is in it at once, and nothing else: the numbers in
 * /proc are not those that it knows. */
static int hunt_namespace(struct keeper_state *keeper) {
        sys_call(SYS_kill, -1, SIGKILL);
        return reap(keeper, 0);
}

/* A storm takes all the time there is; where that is allowed the keeper goes first. */
static void begin_hunt(struct keeper_state *keeper) {
        if (keeper->killing)
                return;
        raise_limit();
        sys_call(SYS_setpriority, PRIO_PROCESS, 0, -20);
        keeper->killing = true;
}

/* One round of it. 0 as long as something may live. */
static int hunt(struct keeper_state *keeper) {
        size_t alive, dead;
        int r = sweep_kill(own_pid(), &alive, &dead);

        if (r >= 0 && (alive == 0 || dead > MAX_ZOMBIES))
                return reap(keeper, 0);

        if (keeper->leader > 0 && !keeper->leader_gone) /* the others may take for ever */
                reap(keeper, keeper->leader);
        keeper->pause = clock_min(2 * keeper->pause, LAST_PAUSE);
        return 0;
}

static int reap_or_hunt(struct keeper_state *keeper) {
        if (!keeper->killing)
                return reap(keeper, 0);
        return keeper->is_namespace ? hunt_namespace(keeper) : hunt(keeper);
}

/* Lives */

static void sweep_namespace(const struct sweep *sweep, pid_t target) {
        if (sys_call(SYS_kill, target, sweep->signal) == 0 && sweep->cont)
                sys_call(SYS_kill, target, SIGCONT);
}

static int open_group(const struct life *life) {
        return cgroup_open(KEEPER_GROUPS, life->ward->cgroup);
}

static void kill_group(const struct life *life) {
        _cleanup_(close_fdp) int group = -1;

        group = open_group(life);
        if (group >= 0)
                cgroup_kill(group, life->ward->cgroup);
}

static void sweep_group(const struct life *life, struct sweep *sweep) {
        _cleanup_(close_fdp) int group = -1;

        group = open_group(life);
        if (group >= 0)
                cgroup_sweep(group, life->ward->cgroup, sweep);
}

static void sweep_tree(const struct life *life, struct sweep *sweep) {
        if (life->in_group)
                sweep_group(life, sweep);
        else if (life->ward->is_namespace)
                sweep_namespace(sweep, sweep->group > 0 ? -sweep->group : -1);
        else
                sweep_descendants(sweep, own_pid());
}

/* Whoever has the leader's number is it, as long as it is in its tree. */
static void sweep_leader(
        const struct keeper_state *keeper, const struct life *life, struct sweep *sweep) {
        pid_t leader = life->ward->leader;
        struct proc_stat stat;

        if (!life->in_group && keeper->leader_gone)
                return;
        if (life->ward->is_namespace)
                sweep_namespace(sweep, leader);
        else if (proc_stat(leader, &stat) == 0 &&
                 (!life->in_group || proc_is_in_cgroup(leader, life->ward->cgroup)))
                sweep_process(sweep, &stat);
}

static void take_step(
        struct keeper_state *keeper, const struct life *life, const struct curfew_step *step) {
        struct sweep sweep = {
                .signal = step->signal,
                .cont = step->signal != SIGKILL && stop_signal_terminates(step->signal),
                .group = step->whom == CURFEW_GROUP ? life->ward->group : 0,
        };

        if (life->stop.state == STOP_KILLED && life->in_group)
                kill_group(life);
        else if (life->stop.state == STOP_KILLED)
                begin_hunt(keeper);
        else if (step->whom == CURFEW_LEADER)
                sweep_leader(keeper, life, &sweep);
        else
                sweep_tree(life, &sweep);
}

static void end_life(struct life *life) {
        life->over = true;
        if (!life->in_group)
                return;
        life->events = close_fd(life->events);
        cgroup_end(KEEPER_GROUPS, life->ward->cgroup);
}

static void handle(struct keeper_state *keeper, struct life *life, enum stop_event event) {
        struct curfew_step step;

        switch (stop_handle(&life->stop, event, clock_now(), &step)) {
        case STOP_STEP: take_step(keeper, life, &step); break;
        case STOP_END_MET:
        case STOP_END_LINGER:
        case STOP_END_GIVEN_UP: end_life(life); break;
        case STOP_NOTHING:
        case STOP_LINGER: break;
        }
}

static bool is_group_empty(struct life *life) {
        _cleanup_(close_fdp) int group = -1;
        int r;

        if (life->events < 0) {
                group = open_group(life);
                life->events = group < 0 ? group : cgroup_open_events(group);
        }
        r = cgroup_is_populated(life->events);
        return r == 0 || r == -ENODEV;
}

static bool is_empty(struct keeper_state *keeper, struct life *life) {
        return life->in_group ? is_group_empty(life) : reap_or_hunt(keeper) == -ECHILD;
}

static void advance(struct keeper_state *keeper, struct life *life) {
        while (!life->over) {
                if (is_empty(keeper, life))
                        handle(keeper, life, STOP_MET);
                else if (life->stop.due <= clock_now())
                        handle(keeper, life, STOP_TIME);
                else
                        break;
        }
        if (!life->over && life->stop.state == STOP_KILLED && life->in_group)
                kill_group(life);
}

/* A group that the host had not made yet, or had removed already, is no life to end. */
static bool begin_life(struct life *life, const struct ward *ward) {
        _cleanup_(close_fdp) int group = -1;

        *life = (struct life){ .ward = ward, .in_group = ward->cgroup[0], .events = -1 };
        stop_resume(&life->stop, ward->plan, ward->taken, ward->due);
        if (!life->in_group)
                return true;

        group = open_group(life);
        if (group >= 0)
                cgroup_thaw(group);
        return group != -ENOENT;
}

static bool is_mine(const struct keeper_state *keeper, const struct ward *ward) {
        return keeper->guard ? ward->used && ward->cgroup[0]
                             : ward == &keeper->wards[keeper->own_index];
}

static int begin_lives(struct keeper_state *keeper) {
        struct pollfd *fds;
        struct life *lives;
        size_t n = 0;

        for (size_t i = 0; i < keeper->n_wards; ++i)
                n += is_mine(keeper, &keeper->wards[i]);
        if (n == 0)
                return 0;

        lives = calloc(n, sizeof(*lives));
        fds = calloc(FD_LIVES + n, sizeof(*fds));
        if (!lives || !fds) {
                free(lives);
                free(fds);
                return -ENOMEM;
        }
        keeper->lives = lives;
        keeper->fds = fds;

        for (size_t i = 0; i < keeper->n_wards; ++i) {
                const struct ward *ward = &keeper->wards[i];

                if (is_mine(keeper, ward))
                        keeper->n_lives += begin_life(&keeper->lives[keeper->n_lives], ward);
        }
        return 0;
}

/* What was started to outlive its host is let go of. */
static void ask(struct keeper_state *keeper, struct life *life) {
        if (life->ward->detach) /* NOLINT(clang-analyzer-core.NullDereference): it was begun */
                end_life(life);
        else if (life->stop.state == STOP_RUNNING)
                handle(keeper, life, STOP_ASK);
}

/* Without memory for it, it is tried again: nobody else is left to do it. */
static void become_orphan(struct keeper_state *keeper) {
        const struct timespec time = { .tv_nsec = LAST_PAUSE };
        int r = keeper->wards ? 0 : map_wards(keeper);

        raise_limit();
        if (r == 0 && keeper->wards)
                r = begin_lives(keeper);
        if (r < 0) {
                sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, NULL);
                return;
        }

        keeper->orphaned = true;
        for (size_t i = 0; i < keeper->n_lives; ++i)
                ask(keeper, &keeper->lives[i]);
}

/* Waiting */

static int64_t next_due(const struct keeper_state *keeper) {
        int64_t due = CLOCK_NEVER;

        if (keeper->killing)
                due = clock_after(clock_now(), keeper->pause);
        else if (keeper->signals < 0)
                due = clock_after(clock_now(), LAST_PAUSE);
        for (size_t i = 0; i < keeper->n_lives; ++i) {
                const struct stop *stop = &keeper->lives[i].stop;

                if (!keeper->lives[i].over)
                        due = clock_min(due, stop->due);
                if (!keeper->lives[i].over &&
                        (stop->state == STOP_KILLED ||
                                (keeper->guard && keeper->lives[i].events < 0)))
                        due = clock_min(due, clock_after(clock_now(), KILL_AGAIN));
        }
        return due;
}

static size_t set_fds(struct keeper_state *keeper) {
        struct pollfd *fds = keeper->fds;

        fds[FD_HOST] = (struct pollfd){ .fd = KEEPER_HOST, .events = POLLIN };
        fds[FD_PIDFD] = (struct pollfd){ .fd = KEEPER_PIDFD, .events = POLLIN };
        fds[FD_SIGNALS] = (struct pollfd){ .fd = keeper->signals, .events = POLLIN };
        if (keeper->orphaned)
                fds[FD_HOST].fd = fds[FD_PIDFD].fd = -1;
        for (size_t i = 0; i < keeper->n_lives; ++i)
                fds[FD_LIVES + i] = (struct pollfd){
                        .fd = keeper->lives[i].over ? -1 : keeper->lives[i].events,
                        .events = POLLPRI,
                };
        return FD_LIVES + keeper->n_lives;
}

static void wait(struct keeper_state *keeper) {
        int64_t due = next_due(keeper);
        struct timespec timeout = clock_timespec(due == CLOCK_NEVER ? 0 : due - clock_now());
        size_t n = set_fds(keeper);

        for (size_t i = 0; i < n; ++i)
                keeper->fds[i].revents = 0;
        sys_call(SYS_ppoll, keeper->fds, n, due == CLOCK_NEVER ? NULL : &timeout, NULL, 0);
}

static void look_at_host(struct keeper_state *keeper) {
        bool has_exited = keeper->fds[FD_PIDFD].revents != 0;
        char request = 0;
        long n;

        if (!has_exited && keeper->fds[FD_HOST].revents == 0)
                return;
        n = sys_call(SYS_recvfrom, KEEPER_HOST, &request, 1, MSG_DONTWAIT, NULL, NULL);
        if (n == 1 && request == KEEPER_KILL)
                begin_hunt(keeper);
        if (has_exited || n == 0 || (n < 0 && n != -EAGAIN && n != -EINTR))
                become_orphan(keeper);
}

/* Whoever sends a keeper what would have ended another process wants what it keeps to be stopped;
 * this may be a curfew around the host. */
static void read_signals(struct keeper_state *keeper) {
        struct signalfd_siginfo infos[4] = { 0 };
        long n;

        do {
                n = sys_call(SYS_read, keeper->signals, infos, sizeof(infos));
                for (long i = 0; i < n / (long)sizeof(infos[0]); ++i)
                        if (stop_signal_terminates((int)infos[i].ssi_signo) && !keeper->asked)
                                keeper->asked = keeper->news.asked = keeper->has_news = true;
        } while (n == (long)sizeof(infos));
}

static bool has_ended(struct keeper_state *keeper) {
        for (size_t i = 0; i < keeper->n_lives; ++i)
                if (!keeper->lives[i].over)
                        return false;
        if (keeper->orphaned)
                return true;
        if (keeper->guard)
                return false;
        return reap_or_hunt(keeper) == -ECHILD && keeper->leader_gone;
}

int keeper_main(int argc, char *argv[]) {
        struct pollfd fds[FD_LIVES] = { 0 };
        struct keeper_state keeper = { .fds = fds };
        bool ended;

        init(&keeper, argc, argv);
        do {
                wait(&keeper);
                read_signals(&keeper);
                if (!keeper.orphaned)
                        look_at_host(&keeper);
                for (size_t i = 0; i < keeper.n_lives; ++i)
                        advance(&keeper, &keeper.lives[i]);

                ended = has_ended(&keeper);
                if (ended && !keeper.guard)
                        keeper.news.empty = keeper.has_news = true;
                tell(&keeper);
        } while (!ended);
        return 0;
}
