// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "core/stop.h"
#include "keeper/children.h"
#include "keeper/libc.h"
#include "keeper/life.h"
#include "sys/call.h"
#include "sys/cgroup.h"
#include "sys/keeper.h"
#include "sys/proc.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
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
 * It takes orders from its host alone: a fork of that has the other end of the socket as well, and
 * may have become somebody else. The kernel says who has sent what is read (unix(7)).
 */

#define PAUSE (CLOCK_SEC / 100)

struct keeper_state {
        pid_t host;
        int signals;
        bool guard;
        size_t own_index; /* of the tree's ward */
        struct children children;

        struct ward *wards; /* once it is orphaned, and so are the others */
        size_t n_wards;
        struct life *lives;
        size_t n_lives;
        bool orphaned; /* the host is gone */

        bool asked;                /* the host has been told */
        struct keeper_report news; /* that the host has not been told yet */
        bool has_news;
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

/* The number of the host; and of a tree, the index of its ward and the number of its leader. */
static void init(struct keeper_state *keeper, int argc, char *argv[]) {
        const int on = 1;

        sys_call(SYS_prctl, PR_SET_NAME, PROC_KEEPER, 0, 0, 0);
        sys_call(SYS_setsockopt, KEEPER_HOST, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
        sys_call(SYS_close, KEEPER_IMAGE);
        open_signals(keeper);
        keeper->guard = argc < 4;
        if (keeper->guard)
                return;
        keeper->host = (pid_t)parse_number(argv[1]);
        keeper->own_index = parse_number(argv[2]);
        children_init(&keeper->children, (pid_t)parse_number(argv[3]));
}

/* To the host */

static void tell(struct keeper_state *keeper) {
        if (keeper->has_news && !keeper->orphaned)
                sys_call(SYS_sendto, KEEPER_HOST, &keeper->news, sizeof(keeper->news),
                        MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
        keeper->has_news = false;
        keeper->news.asked = false;
}

/* Its children, of whose first the host is told. -ECHILD: there is none. */
static int reap(struct keeper_state *keeper) {
        bool was_gone = keeper->children.leader_gone;
        int r = children_reap(&keeper->children);

        if (keeper->children.leader_gone && !was_gone) {
                keeper->news.leader = keeper->children.exit;
                keeper->news.leader_known = keeper->has_news = true;
        }
        return r;
}

/* From the host */

static bool is_mine(const struct keeper_state *keeper, const struct ward *ward) {
        return keeper->guard ? ward->used && ward->cgroup[0]
                             : ward == &keeper->wards[keeper->own_index];
}

static int begin_lives(struct keeper_state *keeper) {
        struct children *children = keeper->guard ? NULL : &keeper->children;
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

        for (size_t i = 0; i < keeper->n_wards && keeper->n_lives < n; ++i) {
                const struct ward *ward = &keeper->wards[i];

                if (is_mine(keeper, ward))
                        keeper->n_lives += life_begin(&lives[keeper->n_lives], ward, children);
        }
        return 0;
}

/* Without memory for it, it is tried again: nobody else is left to do it. */
static void become_orphan(struct keeper_state *keeper) {
        const struct timespec time = { .tv_nsec = PAUSE };
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
                life_ask(&keeper->lives[i]);
}

union credentials {
        char buf[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
};

/* Of who is in another PID namespace than this the number is 0. */
static bool is_from_host(const struct keeper_state *keeper, struct msghdr *header) {
        const struct cmsghdr *cmsg = header->msg_controllen >= sizeof(*cmsg) ? header->msg_control
                                                                             : NULL;
        struct ucred sender = { .pid = -1 };

        if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_CREDENTIALS)
                return false;
        memcpy(&sender, CMSG_DATA(cmsg), sizeof(sender));
        return sender.pid == (keeper->children.is_namespace ? 0 : keeper->host);
}

/* The next order, or 0. Negative: nobody is left to send one. */
static int read_order(const struct keeper_state *keeper) {
        union credentials credentials = { 0 };
        char order = 0;
        struct iovec byte = { .iov_base = &order, .iov_len = 1 };
        struct msghdr header = { .msg_iov = &byte,
                .msg_iovlen = 1,
                .msg_control = credentials.buf,
                .msg_controllen = sizeof(credentials.buf) };
        long n = sys_call(SYS_recvmsg, KEEPER_HOST, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n == -EAGAIN || n == -EINTR)
                return 0;
        if (n <= 0)
                return -EPIPE;
        return is_from_host(keeper, &header) ? order : 0;
}

static void look_at_host(struct keeper_state *keeper) {
        bool has_exited = keeper->fds[FD_PIDFD].revents != 0;
        int order;

        if (!has_exited && keeper->fds[FD_HOST].revents == 0)
                return;
        order = read_order(keeper);
        if (order == KEEPER_KILL && !keeper->guard) {
                raise_limit();
                children_kill(&keeper->children);
        }
        if (has_exited || order < 0)
                become_orphan(keeper);
}

/* Waiting */

static int64_t next_due(const struct keeper_state *keeper) {
        int64_t due = CLOCK_NEVER;

        if (keeper->children.killing)
                due = clock_after(clock_now(), keeper->children.pause);
        else if (keeper->signals < 0)
                due = clock_after(clock_now(), PAUSE);
        for (size_t i = 0; i < keeper->n_lives; ++i)
                due = clock_min(due, life_due(&keeper->lives[i]));
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
        return reap(keeper) == -ECHILD && keeper->children.leader_gone;
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
                        life_advance(&keeper.lives[i]);

                ended = has_ended(&keeper);
                if (ended && !keeper.guard)
                        keeper.news.empty = keeper.has_news = true;
                tell(&keeper);
        } while (!ended);
        if (keeper.guard)
                cgroup_tidy(KEEPER_GROUPS);
        return 0;
}
