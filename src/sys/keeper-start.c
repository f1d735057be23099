// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "sys/call.h"
#include "sys/descriptors.h"
#include "sys/dir.h"
#include "sys/keeper.h"

#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/*
 * A keeper costs what a start costs: it is cloned into the host's memory, and executes. A host of
 * any size pays for none of it.
 *
 * Where it is to be the subreaper of a tree the leader must be its child, and is cloned by it, into
 * the same memory. Then three of us are in there, each on a stack of its own. The order matters. If
 * the keeper's program can't be executed, nothing must have been executed by the leader; if the
 * host is killed halfway, nobody must wait for it for ever. So the leader waits until the keeper
 * has left the memory, which the kernel tells by a futex (set_tid_address(2)), and goes on if it
 * still is the keeper's child: then the keeper has executed its program, and is there. The host
 * waits for the leader to leave the memory in the same way. While two are in there at the same
 * time, none of them uses errno, which they share.
 *
 * The keeper shares the host's descriptor table until it has cloned the leader, so that the
 * leader's pidfd is the host's from the start: the keeper may reap the leader at any time, and its
 * number would mean nothing then. The leader shares it, too, until it goes on.
 *
 * It is in a process group of its own, lest a signal to the host's, as the terminal sends them, end
 * it. Whether the terminal may stop the leader's group depends on the session that it is in: that a
 * member of a group has its parent in another group of the same session stands for a shell that
 * would let the group go on again (an orphaned process group isn't stopped, setpgid(2)). For a
 * group that the leader leads this is the keeper, in the host's session. A leader in the host's own
 * group changes nothing about that one: its keeper is in a session of its own.
 */

#define END_TIME CLOCK_SEC

/* What is shared by the three. */
struct nursery {
        struct curfew_extra_fd fds[KEEPER_GROUPS + 1];
        size_t n_fds;
        char host[24], index[24],
                number[24]; /* of its ward and of the leader, for its command line */
        int error;          /* the keeper's */

        struct spawn_image *image; /* the leader's; or NULL: there is none */
        struct ward *ward;
        struct clone_plan leader;
        int leader_pidfd;
        pid_t keeper;
        int keeper_alive, leader_alive; /* 1 until it has left the memory */
        int namespaces;
        char uid_map[40], gid_map[40]; /* of a new user namespace */
        int cancelled;                 /* the leader is not to go on */
};

_in_child_ static void wait_until_cleared(const int *word) {
        while (__atomic_load_n(word, __ATOMIC_ACQUIRE))
                sys_call(SYS_futex, word, FUTEX_WAIT, 1, NULL, NULL, 0);
}

_in_child_ static int lead(void *arg) {
        struct nursery *nursery = arg;

        wait_until_cleared(&nursery->keeper_alive);
        if (nursery->cancelled || sys_call(SYS_getppid) != nursery->keeper) {
                sys_call(SYS_exit_group, 127);
                return 127;
        }
        nursery->image->parent = nursery->keeper;
        return spawn_become(nursery->image);
}

_in_child_ static int write_file(const char *path, const char *text) {
        long fd = sys_call(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC), r;
        size_t n = 0;

        if (fd < 0)
                return (int)fd;
        while (text[n])
                ++n;
        r = sys_call(SYS_write, fd, text, n);
        sys_call(SYS_close, fd);
        return r < 0 ? (int)r : 0;
}

/* In a user namespace of its own it is nobody until it says who it was outside. */
_in_child_ static int settle_namespaces(struct nursery *nursery) {
        int r = 0;

        if (!(nursery->namespaces & CLONE_NEWUSER))
                return 0;
        r = write_file("/proc/self/setgroups", "deny");
        if (r == 0)
                r = write_file("/proc/self/uid_map", nursery->uid_map);
        if (r == 0)
                r = write_file("/proc/self/gid_map", nursery->gid_map);
        return r;
}

_in_child_ static int bear(struct nursery *nursery) {
        static const unsigned long default_action[8];
        long r = settle_namespaces(nursery);

        if (r >= 0)
                r = sys_call(SYS_rt_sigaction, SIGCHLD, default_action, NULL, _NSIG / 8);
        if (r >= 0)
                r = sys_call(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        if (r >= 0)
                r = clone_beside(&nursery->leader, &nursery->leader_alive, &nursery->leader_pidfd);
        if (r < 0)
                return (int)r;

        nursery->ward->leader = (pid_t)r;
        return 0;
}

/* Nobody is to be told of it but us. */
_in_child_ static void cancel_leader(struct nursery *nursery) {
        nursery->cancelled = 1;
        __atomic_store_n(&nursery->keeper_alive, 0, __ATOMIC_RELEASE);
        sys_call(SYS_futex, &nursery->keeper_alive, FUTEX_WAKE, 1, NULL, NULL, 0);
        sys_call(SYS_wait4, nursery->ward->leader, NULL, __WALL, NULL);
}

_in_child_ static void leave_group(const struct nursery *nursery) {
        if (nursery->image && nursery->image->cmd->pgid == CURFEW_SAME_GROUP)
                sys_call(SYS_setsid);
        else
                sys_call(SYS_setpgid, 0, 0);
}

_in_child_ static int execute(struct nursery *nursery) {
        const char *argv[] = { KEEPER_NAME, nursery->host, nursery->index, nursery->number, NULL };
        const char *const env[] = { NULL };
        long r;

        if (nursery->image)
                dir_append_number(nursery->number, (uint64_t)nursery->ward->leader);
        else
                argv[1] = NULL;
        leave_group(nursery);
        sys_call(SYS_chdir, "/");
        r = descriptors_unshare(nursery->fds, nursery->n_fds);
        if (r >= 0)
                r = descriptors_arrange(nursery->fds, nursery->n_fds);
        if (r >= 0)
                r = sys_call(SYS_execveat, KEEPER_IMAGE, "", argv, env, AT_EMPTY_PATH);
        return (int)r;
}

_in_child_ static int keep(void *arg) {
        struct nursery *nursery = arg;
        int r = 0;

        nursery->keeper = (pid_t)sys_call(SYS_getpid);
        if (sys_call(SYS_set_tid_address, &nursery->keeper_alive) < 0)
                r = -ENOSYS;
        if (r == 0 && nursery->image)
                r = bear(nursery);
        if (r == 0)
                r = execute(nursery);

        nursery->error = r;
        if (nursery->image && nursery->ward->leader > 0)
                cancel_leader(nursery);
        sys_call(SYS_exit_group, 127);
        return 127;
}

static void add_fd(struct nursery *nursery, int target, int source) {
        if (source >= 0)
                nursery->fds[nursery->n_fds++] = (struct curfew_extra_fd){ .target = target,
                        .source = source };
}

/* From the socket's making to the keeper's executing its program, and the leader its own. */
static int start(struct keeper *keeper, const struct keeper_kit *kit, struct nursery *nursery) {
        _cleanup_(close_fdp) int theirs = -1;
        struct clone_plan plan = {
                .fn = keep,
                .arg = nursery,
                .stack = kit->stack.base,
                .size = kit->stack.size,
                .cgroup = -1,
                .shares_files = true,
                .namespaces = nursery->namespaces,
        };
        int ends[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
                return -errno;
        keeper->socket = raise_fd(ends[0]);
        theirs = raise_fd(ends[1]);
        if (keeper->socket < 0 || theirs < 0)
                return -EMFILE;
        r = loop_add(keeper->loop, &keeper->io, keeper->socket, EPOLLIN);
        if (r < 0)
                return r;

        nursery->keeper_alive = 1;
        add_fd(nursery, KEEPER_HOST, spares_lend(kit->spares, theirs));
        add_fd(nursery, KEEPER_PIDFD, kit->host);
        add_fd(nursery, KEEPER_WARDS, kit->wards);
        add_fd(nursery, KEEPER_IMAGE, kit->image);
        add_fd(nursery, KEEPER_GROUPS, kit->groups);

        r = clone_child(&plan, &keeper->process);
        if (r < 0)
                return r;
        if (nursery->leader_pidfd >= 0)
                wait_until_cleared(&nursery->leader_alive);
        return nursery->error;
}

int keeper_start_guard(struct keeper *keeper, const struct keeper_kit *kit) {
        static const struct curfew_cmd nothing;
        struct nursery nursery = { .leader_pidfd = -1 };
        struct spawn_guard guard;
        int r;

        spawn_begin(&nothing, &guard);
        r = start(keeper, kit, &nursery);
        if (r < 0)
                keeper_deinit(keeper);
        spawn_end(&guard);
        return r;
}

/* In another PID namespace the leader has another number than the one its keeper knows it by; which
 * one that is here its pidfd tells (proc_pid_fdinfo(5)). */
static pid_t number_of(int pidfd, pid_t fallback) {
        char path[32], buf[512] = "";
        const char *p;
        int fd;

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fallback;
        p = read(fd, buf, sizeof(buf) - 1) > 0 ? strstr(buf, "\nPid:") : NULL;
        close_fd(fd);
        return p ? (pid_t)strtol(p + 5, NULL, 10) : fallback;
}

static int start_tree(struct keeper *keeper, const struct keeper_kit *kit, struct nursery *nursery,
        enum curfew_stage *ret_stage, struct child *ret_leader) {
        _cleanup_(close_fdp) int pidfd = -1;
        int r = start(keeper, kit, nursery);

        *ret_stage = CURFEW_STAGE_TREE;
        pidfd = clone_raise(nursery->leader_pidfd);
        if (r >= 0)
                r = spawn_result(nursery->image, ret_stage);
        if (r < 0)
                return r;

        *ret_leader = (struct child){ .pid = nursery->ward->leader, .pidfd = pidfd };
        if (nursery->namespaces)
                ret_leader->pid = number_of(pidfd, nursery->ward->leader);
        steal_fd(&pidfd);
        return 0;
}

/* A leader that has not executed is a zombie by now, and the keeper's to reap. */
static void let_end(struct keeper *keeper) {
        if (keeper->io.fd >= 0)
                loop_remove(keeper->loop, &keeper->io);
        keeper->socket = close_fd(keeper->socket);
        if (keeper->process.pidfd >= 0)
                keeper_await(keeper, clock_after(clock_now(), END_TIME));
        keeper_deinit(keeper);
}

static void write_map(char map[40], uint64_t id) {
        char *p = dir_append_number(map, id);

        dir_append(dir_append_number(dir_append(p, " "), id), " 1");
}

int keeper_start_tree(struct keeper *keeper, const struct keeper_kit *kit,
        const struct keeper_charge *charge, enum curfew_stage *ret_stage,
        struct child *ret_leader) {
        bool shares_files = true;
        struct spawn_image image = SPAWN_IMAGE(charge->plan, &shares_files);
        struct nursery nursery = {
                .image = &image,
                .ward = charge->ward,
                .leader_alive = 1,
                .leader_pidfd = -1,
                .namespaces = charge->namespaces,
        };
        struct spawn_guard guard;
        int r;

        nursery.leader = (struct clone_plan){
                .fn = lead,
                .arg = &nursery,
                .stack = charge->stack->base,
                .size = charge->stack->size,
        };
        dir_append_number(nursery.host, (uint64_t)getpid());
        dir_append_number(nursery.index, charge->index);
        if (nursery.namespaces) {
                write_map(nursery.uid_map, geteuid());
                write_map(nursery.gid_map, getegid());
        }

        spawn_begin(charge->plan->cmd, &guard);
        r = start_tree(keeper, kit, &nursery, ret_stage, ret_leader);
        if (r < 0)
                let_end(keeper);
        spawn_end(&guard);
        return r;
}
