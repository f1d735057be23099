// SPDX-License-Identifier: MIT
#include "sys/spawn.h"
#include "sys/call.h"
#include "sys/descriptors.h"
#include "sys/signals.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

/*
 * The child goes through a table of steps and then executes. Their order is not free:
 *
 *  - the parent's descriptor table is left before anything is changed in it;
 *  - a new session comes before the group, of which a session leader already leads one, and both
 *    before the terminal, which is given to a session or a group;
 *  - a terminal is named by its descriptor in the child, so the descriptors are in place by then;
 *    and taking the foreground from the background raises SIGTTOU, which is still blocked;
 *  - limits come after the descriptors, which a lower RLIMIT_NOFILE would refuse, and like nice
 *    before the uid, while there may be the privilege to raise them;
 *  - groups, gid, uid: each takes away the right to change the one before;
 *  - the directory is entered as the user that will work in it;
 *  - a change of the uid clears the parent death signal, so that comes after;
 *  - the mask is lifted last: dispositions are the program's by then, and what kills the child from
 *    here on would have killed that.
 *
 * Each step says where it stands before it begins, in memory that the parent reads when the child
 * is gone from it: because it has executed, or because it has exited, or was made to (birth.c).
 * There is nothing to read from a pipe, and the message can't fail to arrive.
 *
 * The wrappers of the C library for identities would signal all of the host's threads to change
 * theirs, too; and some of the others have side effects on the memory that is shared. So all steps
 * are bare system calls.
 */

#ifdef SYS_setresuid32 /* the names without 32 take 16 bits there */
#define NR_SETGROUPS SYS_setgroups32
#define NR_SETRESGID SYS_setresgid32
#define NR_SETRESUID SYS_setresuid32
#define NR_GETUID    SYS_getuid32
#define NR_GETEUID   SYS_geteuid32
#else
#define NR_SETGROUPS SYS_setgroups
#define NR_SETRESGID SYS_setresgid
#define NR_SETRESUID SYS_setresuid
#define NR_GETUID    SYS_getuid
#define NR_GETEUID   SYS_geteuid
#endif

/* Where it could not be cloned into its control group it goes there by itself. */
_in_child_ static int enter_cgroup(const struct spawn_image *image) {
        long r;

        if (image->plan->cgroup_procs < 0)
                return 0;
        r = sys_call(SYS_write, image->plan->cgroup_procs, "0", 1);
        return r < 0 ? (int)r : 0;
}

_in_child_ static int leave_files(const struct spawn_image *image) {
        if (!image->shares_files)
                return 0;
        return descriptors_unshare(image->plan->fds, image->plan->n_fds);
}

_in_child_ static int make_session(const struct spawn_image *image) {
        long r = image->cmd->setsid ? sys_call(SYS_setsid) : 0;

        return r < 0 ? (int)r : 0;
}

_in_child_ static int join_group(const struct spawn_image *image) {
        const struct curfew_cmd *cmd = image->cmd;

        if (cmd->setsid || cmd->pgid == CURFEW_SAME_GROUP)
                return 0;
        return (int)sys_call(SYS_setpgid, 0, cmd->pgid);
}

_in_child_ static int reset_signals(const struct spawn_image *image) {
        return signals_reset(image->cmd->sigignore);
}

_in_child_ static int arrange_descriptors(const struct spawn_image *image) {
        return descriptors_arrange(image->plan->fds, image->plan->n_fds);
}

/* A session leader's group is in the foreground of the terminal that it makes its own. */
_in_child_ static int take_terminal(const struct spawn_image *image) {
        int group;

        switch (image->cmd->terminal) {
        case CURFEW_TERMINAL_CONTROL:
                return (int)sys_call(SYS_ioctl, image->cmd->tty, TIOCSCTTY, 0);
        case CURFEW_TERMINAL_FOREGROUND:
                group = (int)sys_call(SYS_getpgid, 0);
                return (int)sys_call(SYS_ioctl, image->cmd->tty, TIOCSPGRP, &group);
        case CURFEW_TERMINAL_KEEP: break;
        }
        return 0;
}

_in_child_ static uint64_t wide_limit(rlim_t limit) {
        return limit == RLIM_INFINITY ? UINT64_MAX : limit;
}

_in_child_ static int set_rlimits(const struct spawn_image *image) {
        const struct curfew_cmd *cmd = image->cmd;
        int r = 0;

        for (size_t i = 0; i < cmd->n_rlimits && r == 0; ++i) {
                const struct curfew_rlimit *rlimit = &cmd->rlimits[i];
                const uint64_t limit[2] = {
                        wide_limit(rlimit->limit.rlim_cur),
                        wide_limit(rlimit->limit.rlim_max),
                };

                r = (int)sys_call(SYS_prlimit64, 0, rlimit->resource, limit, NULL);
        }
        return r;
}

/* The system call gives 20 - nice, so that no nice value looks like an error (getpriority(2)). */
_in_child_ static int add_nice(const struct spawn_image *image) {
        int64_t nice = image->cmd->nice;
        long r;

        if (nice == 0)
                return 0;

        r = sys_call(SYS_getpriority, PRIO_PROCESS, 0);
        if (r < 0)
                return (int)r;

        nice += 20 - r;
        nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
        return (int)sys_call(SYS_setpriority, PRIO_PROCESS, 0, (int)nice);
}

_in_child_ static int set_groups(const struct spawn_image *image) {
        const struct curfew_cmd *cmd = image->cmd;
        bool other = cmd->uid && (*cmd->uid != (uid_t)sys_call(NR_GETUID) ||
                                         *cmd->uid != (uid_t)sys_call(NR_GETEUID));

        if (!cmd->groups && !other)
                return 0;
        return (int)sys_call(NR_SETGROUPS, cmd->groups ? cmd->n_groups : 0, cmd->groups);
}

/* -1 would mean "unchanged" to these two calls, and the program would keep what it should lose. */
_in_child_ static int set_gid(const struct spawn_image *image) {
        const gid_t *gid = image->cmd->gid;

        if (!gid)
                return 0;
        return *gid == (gid_t)-1 ? -EINVAL : (int)sys_call(NR_SETRESGID, *gid, *gid, *gid);
}

_in_child_ static int set_uid(const struct spawn_image *image) {
        const uid_t *uid = image->cmd->uid;

        if (!uid)
                return 0;
        return *uid == (uid_t)-1 ? -EINVAL : (int)sys_call(NR_SETRESUID, *uid, *uid, *uid);
}

_in_child_ static int enter_directory(const struct spawn_image *image) {
        return image->cmd->dir ? (int)sys_call(SYS_chdir, image->cmd->dir) : 0;
}

_in_child_ static int set_umask(const struct spawn_image *image) {
        if (image->cmd->umask)
                sys_call(SYS_umask, *image->cmd->umask);
        return 0;
}

_in_child_ static int renounce_privileges(const struct spawn_image *image) {
        if (!image->cmd->no_new_privs)
                return 0;
        return (int)sys_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* A parent that has died before is not reported any more: then there is another one by now. */
_in_child_ static int follow_parent(const struct spawn_image *image) {
        int r;

        if (image->cmd->parent_death_signal == 0)
                return 0;

        r = (int)sys_call(SYS_prctl, PR_SET_PDEATHSIG, image->cmd->parent_death_signal, 0, 0, 0);
        if (r < 0)
                return r;
        return sys_call(SYS_getppid) == image->parent ? 0 : -ESRCH;
}

_in_child_ static int execute(const struct spawn_image *image) {
        const struct spawn_plan *plan = image->plan;

        signals_block_only(image->cmd->sigmask);
        return (int)sys_call(SYS_execve, plan->path, plan->cmd->argv, plan->env);
}

static const struct {
        enum curfew_stage stage;
        int (*step)(const struct spawn_image *image);
} steps[] = {
        { CURFEW_STAGE_CLONE, NULL },
        { CURFEW_STAGE_CGROUP, enter_cgroup },
        { CURFEW_STAGE_DESCRIPTORS, leave_files },
        { CURFEW_STAGE_SETSID, make_session },
        { CURFEW_STAGE_SETPGID, join_group },
        { CURFEW_STAGE_SIGNALS, reset_signals },
        { CURFEW_STAGE_DESCRIPTORS, arrange_descriptors },
        { CURFEW_STAGE_TERMINAL, take_terminal },
        { CURFEW_STAGE_RLIMIT, set_rlimits },
        { CURFEW_STAGE_NICE, add_nice },
        { CURFEW_STAGE_GROUPS, set_groups },
        { CURFEW_STAGE_GID, set_gid },
        { CURFEW_STAGE_UID, set_uid },
        { CURFEW_STAGE_CHDIR, enter_directory },
        { CURFEW_STAGE_CHDIR, set_umask }, /* can't fail */
        { CURFEW_STAGE_NO_NEW_PRIVS, renounce_privileges },
        { CURFEW_STAGE_PDEATHSIG, follow_parent },
        { CURFEW_STAGE_EXEC, execute },
};

_in_child_ int spawn_become(void *arg) {
        struct spawn_image *image = arg;

        while (image->error == 0 && image->step < ARRAY_SIZE(steps) - 1) {
                ++image->step;
                image->error = steps[image->step].step(image);
        }

        sys_call(SYS_exit_group, 127);
        return 127;
}

struct spawn_image *spawn_prepare(struct birth_stack *stack, const struct spawn_plan *plan) {
        struct spawn_image *image = birth_stack_shared(stack);

        *image = (struct spawn_image){
                .plan = plan,
                .cmd = plan->cmd,
                .shares_files = true,
        };
        birth_init(&image->birth, stack, plan->cmd->uid || plan->cmd->gid);
        return image;
}

/* A cancellation of the thread halfway would leave a child and a pidfd behind. */
void spawn_begin(struct spawn_guard *guard) {
        guard->saved_errno = errno;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &guard->cancel);
}

void spawn_end(const struct spawn_guard *guard) {
        pthread_setcancelstate(guard->cancel, NULL);
        errno = guard->saved_errno;
}

/* What a terminal sends to its foreground is not for who has left that, or is about to. */
static bool is_meant(const struct curfew_cmd *cmd, int signal) {
        bool stays = cmd->pgid != 0 && !cmd->setsid;

        return signal == SIGSTOP || stays || cmd->terminal == CURFEW_TERMINAL_FOREGROUND;
}

/* Who has stopped it meant the program. */
static void send_postponed(const struct spawn_image *image) {
        int signal = image->birth.postponed;

        if (signal != 0 && is_meant(image->cmd, signal))
                child_signal(&image->birth.child, signal);
}

int spawn_await(struct spawn_image *image, enum curfew_stage *ret_stage) {
        int r = birth_await(&image->birth, image->plan->patience);

        if (r == 0)
                r = image->error;
        if (r == 0 && steps[image->step].stage != CURFEW_STAGE_EXEC)
                r = -ECHILD; /* killed on the way */
        if (r < 0)
                *ret_stage = steps[image->step].stage;
        else
                send_postponed(image);
        return r;
}

static int spawn_child(struct spawn_image *image, enum curfew_stage *ret_stage, struct child *ret) {
        const struct clone_plan how = {
                .fn = spawn_become,
                .arg = image,
                .cgroup = image->plan->cgroup,
                .shares_files = image->shares_files,
        };
        int r;

        if (image->cmd->parent_death_signal != 0)
                image->parent = getpid();

        *ret_stage = CURFEW_STAGE_CLONE;
        r = birth_begin(&image->birth, &how);
        if (r == 0)
                r = spawn_await(image, ret_stage);
        if (r == 0)
                *ret = birth_take(&image->birth);
        return r;
}

/* A filter doesn't let it have a table of its own. */
static bool is_refused_files(const struct spawn_image *image) {
        return image->error < 0 && image->shares_files && steps[image->step].step == leave_files;
}

int spawn(struct birth_stack *stack, const struct spawn_plan *plan, enum curfew_stage *ret_stage,
        struct child *ret) {
        struct spawn_image *image;
        struct spawn_guard guard;
        bool again;
        int r;

        *ret_stage = CURFEW_STAGE_CLONE;
        r = birth_stack_init(stack);
        if (r < 0)
                return r;

        spawn_begin(&guard);
        image = spawn_prepare(stack, plan);
        r = spawn_child(image, ret_stage, ret);
        again = is_refused_files(image);
        birth_deinit(&image->birth);
        if (again) {
                image = spawn_prepare(stack, plan);
                image->shares_files = false;
                r = spawn_child(image, ret_stage, ret);
                birth_deinit(&image->birth);
        }
        spawn_end(&guard);
        return r;
}
