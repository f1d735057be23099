// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "sys/call.h"
#include "sys/descriptors.h"
#include "sys/dir.h"
#include "sys/keeper.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/*
 * A keeper costs what a start costs: it is cloned into the host's memory, and executes. A host of
 * any size pays for none of it.
 *
 * Where it is to be the subreaper of a tree the leader must be its child, and is cloned by it, into
 * the same memory. Then three of us are in there, each on a stack of its own, and what is said of
 * two in birth.c holds for three. The order matters. If the keeper's program can't be executed,
 * nothing must have been executed by the leader; if the host is killed halfway, nobody must wait
 * for it for ever. So the leader waits until the keeper has left the memory, and goes on if it
 * still is the keeper's child: then the keeper has executed its program, and is there. The host
 * waits for the leader: the kernel wakes one who waits for a word, so there is no second for the
 * keeper's. It looks at the keeper as long as that is on its way, and then at the leader.
 *
 * Whether there is a leader the keeper says when it has cloned it. A keeper that is killed in that
 * call has said nothing: the kernel may have written a pidfd, which may have gone with the call,
 * and then its number is somebody else's. The leader itself is the witness, since the first thing
 * that it does is to say that it is there.
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
 *
 * That there is no place for one of them is not this backend's fault, and no other would be better:
 * then that is what is told, and not that there can be no keeper.
 */

#define END_TIME CLOCK_SEC

/* What the three share, in the keeper's stack. */
struct keeper_birth {
        struct birth birth;
        struct curfew_extra_fd fds[KEEPER_GROUPS + 1];
        size_t n_fds;
        char host[24], index[24], number[24]; /* us, its ward, the leader: its command line */
        int error;                            /* the keeper's */

        struct spawn_image *leader; /* or NULL: there is none */
        pid_t pid;                  /* of the keeper, as it sees it */
        int namespaces;
        char uid_map[40], gid_map[40]; /* of a new user namespace */
};

static_assert(sizeof(struct keeper_birth) <= BIRTH_SHARED, "it has its place above the stack");

_in_child_ static void wait_until_cleared(const int *word) {
        while (__atomic_load_n(word, __ATOMIC_ACQUIRE))
                sys_call(SYS_futex, word, FUTEX_WAIT, 1, NULL, NULL, 0);
}

_in_child_ static int lead(void *arg) {
        struct keeper_birth *keeper = arg;

        birth_confirm(&keeper->leader->birth);
        wait_until_cleared(&keeper->birth.there);
        if (sys_call(SYS_getppid) != keeper->pid) {
                sys_call(SYS_exit_group, 127);
                return 127;
        }
        keeper->leader->parent = keeper->pid;
        return spawn_become(keeper->leader);
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
_in_child_ static int settle_namespaces(const struct keeper_birth *keeper) {
        int r = 0;

        if (!(keeper->namespaces & CLONE_NEWUSER))
                return 0;
        r = write_file("/proc/self/setgroups", "deny");
        if (r == 0)
                r = write_file("/proc/self/uid_map", keeper->uid_map);
        if (r == 0)
                r = write_file("/proc/self/gid_map", keeper->gid_map);
        return r;
}

_in_child_ static int bear(struct keeper_birth *keeper) {
        static const unsigned long default_action[8];
        const struct clone_plan how = {
                .fn = lead,
                .arg = keeper,
                .cgroup = -1,
                .shares_files = true,
                .exit_signal = SIGCHLD,
        };
        struct birth *leader = &keeper->leader->birth;
        long r = settle_namespaces(keeper);

        keeper->pid = (pid_t)sys_call(SYS_getpid);
        if (r >= 0)
                r = sys_call(SYS_rt_sigaction, SIGCHLD, default_action, NULL, _NSIG / 8);
        if (r >= 0)
                r = sys_call(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        return r < 0 ? (int)r : birth_begin_within(leader, &how);
}

/* Nobody is to be told of it but us, and nobody is to wait for it. */
_in_child_ static void end_leader(struct birth *leader) {
        if (leader->child.pid > 0) {
                sys_call(SYS_kill, leader->child.pid, SIGKILL);
                sys_call(SYS_wait4, leader->child.pid, NULL, __WALL, NULL);
        }
        birth_cancel(leader);
}

_in_child_ static void leave_group(const struct keeper_birth *keeper) {
        if (keeper->leader && keeper->leader->cmd->pgid == CURFEW_SAME_GROUP)
                sys_call(SYS_setsid);
        else
                sys_call(SYS_setpgid, 0, 0);
}

/* Debian's 5.10.0-32 says ENOENT of every descriptor; what /proc has of it can be executed. */
_in_child_ static int execute_image(const char *const argv[], const char *const env[]) {
        static_assert(KEEPER_IMAGE == 6, "it stands in the path");
        long r = sys_call(SYS_execveat, KEEPER_IMAGE, "", argv, env, AT_EMPTY_PATH);

        if (r == -ENOENT)
                r = sys_call(SYS_execve, "/proc/self/fd/6", argv, env);
        return (int)r;
}

_in_child_ static int execute(struct keeper_birth *keeper) {
        const char *argv[] = { KEEPER_NAME, keeper->host, keeper->index, keeper->number, NULL };
        const char *const env[] = { NULL };
        long r;

        if (keeper->leader)
                dir_append_number(keeper->number, (uint64_t)keeper->leader->birth.child.pid);
        else
                argv[1] = NULL;
        leave_group(keeper);
        sys_call(SYS_chdir, "/");
        r = descriptors_unshare(keeper->fds, keeper->n_fds);
        if (r >= 0)
                r = descriptors_arrange(keeper->fds, keeper->n_fds);
        return r < 0 ? (int)r : execute_image(argv, env);
}

_in_child_ static int keep(void *arg) {
        struct keeper_birth *keeper = arg;
        int r = keeper->leader ? bear(keeper) : 0;

        if (r == 0)
                r = execute(keeper);

        keeper->error = r;
        if (keeper->leader)
                end_leader(&keeper->leader->birth);
        sys_call(SYS_exit_group, 127);
        return 127;
}

/* Both ends are close-on-exec, and ours is in the loop. */
static int open_socket(struct keeper *keeper, int *ret_theirs) {
        _cleanup_(close_fdp) int theirs = -1;
        int ends[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
                return -errno;
        keeper->socket = raise_fd(ends[0]);
        theirs = raise_fd(ends[1]);
        if (keeper->socket < 0 || theirs < 0)
                return -EMFILE;
        r = loop_add(keeper->loop, &keeper->io, keeper->socket, EPOLLIN);
        if (r == 0)
                *ret_theirs = steal_fd(&theirs);
        return r;
}

static void add_fd(struct keeper_birth *birth, int target, int source) {
        if (source >= 0)
                birth->fds[birth->n_fds++] = (struct curfew_extra_fd){ .target = target,
                        .source = source };
}

/* Until the leader has left our memory, if there is to be one, and the keeper. */
static int await(
        struct keeper_birth *birth, const struct patience *patience, enum curfew_stage *ret_stage) {
        int r = birth->leader ? spawn_await(birth->leader, ret_stage)
                              : birth_await(&birth->birth, patience);

        /* It has ended the leader before it ends itself. */
        if (birth->error < 0) {
                birth_await(&birth->birth, patience);
                *ret_stage = birth->error == -EAGAIN ? CURFEW_STAGE_CLONE : CURFEW_STAGE_TREE;
                r = birth->error;
        }
        return r;
}

/* From the socket's making to the keeper's executing its program, and the leader its own. The other
 * end of the socket is the keeper's as long as that shares our descriptors. */
static int start(struct keeper *keeper, const struct keeper_kit *kit, struct keeper_birth *birth,
        const struct patience *patience, enum curfew_stage *ret_stage) {
        _cleanup_(close_fdp) int theirs = -1;
        const struct clone_plan how = {
                .fn = keep,
                .arg = birth,
                .cgroup = -1,
                .shares_files = true,
                .namespaces = birth->namespaces,
        };
        int r = open_socket(keeper, &theirs);

        *ret_stage = CURFEW_STAGE_TREE;
        if (r < 0)
                return r;
        add_fd(birth, KEEPER_HOST, spares_lend(kit->spares, theirs));
        add_fd(birth, KEEPER_PIDFD, kit->host);
        add_fd(birth, KEEPER_WARDS, kit->wards);
        add_fd(birth, KEEPER_IMAGE, kit->image);
        add_fd(birth, KEEPER_GROUPS, kit->groups);

        r = birth_begin(&birth->birth, &how);
        if (r == -EAGAIN)
                *ret_stage = CURFEW_STAGE_CLONE;
        if (r == 0)
                r = await(birth, patience, ret_stage);
        if (birth_is_over(&birth->birth))
                keeper->process = birth_take(&birth->birth);
        birth_deinit(&birth->birth);
        return r;
}

int keeper_start_guard(
        struct keeper *keeper, struct keeper_kit *kit, const struct patience *patience) {
        struct keeper_birth *birth = birth_stack_shared(&kit->stack);
        enum curfew_stage unused;
        struct spawn_guard guard;
        int r;

        *birth = (struct keeper_birth){ 0 };
        birth_init(&birth->birth, &kit->stack, false);
        spawn_begin(&guard);
        r = start(keeper, kit, birth, patience, &unused);
        if (r < 0)
                keeper_deinit(keeper);
        spawn_end(&guard);
        return r;
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

static struct keeper_birth *prepare(
        struct keeper_kit *kit, const struct keeper_charge *charge, struct spawn_image *leader) {
        struct keeper_birth *birth = birth_stack_shared(&kit->stack);

        *birth = (struct keeper_birth){
                .leader = leader,
                .namespaces = charge->namespaces,
        };
        birth_init(&birth->birth, &kit->stack, false);
        leader->birth.maker = &birth->birth;
        leader->birth.there = 1; /* it will be, and is waited for before it is */
        dir_append_number(birth->host, (uint64_t)getpid());
        dir_append_number(birth->index, charge->index);
        if (birth->namespaces) {
                write_map(birth->uid_map, geteuid());
                write_map(birth->gid_map, getegid());
        }
        return birth;
}

int keeper_start_tree(struct keeper *keeper, struct keeper_kit *kit,
        const struct keeper_charge *charge, enum curfew_stage *ret_stage,
        struct child *ret_leader) {
        struct spawn_image *leader;
        struct spawn_guard guard;
        int r;

        spawn_begin(&guard);
        leader = spawn_prepare(charge->stack, charge->plan);
        r = start(keeper, kit, prepare(kit, charge, leader), charge->plan->patience, ret_stage);
        if (r == 0)
                *ret_leader = birth_take(&leader->birth);
        birth_deinit(&leader->birth);
        if (r < 0)
                let_end(keeper);
        else if (charge->namespaces)
                ret_leader->pid = birth_number(ret_leader->pidfd) ?: ret_leader->pid;
        spawn_end(&guard);
        return r;
}
