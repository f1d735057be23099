// SPDX-License-Identifier: MIT
#include "sys/child.h"
#include "base/clock.h"
#include "sys/call.h"

#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

/*
 * A child is named by its pidfd in every call, so that no other process can be meant. Three facts
 * about it come from three places, and they can differ:
 *
 *  - whether it has exited: waitid(2), and where that knows of no such child, the pidfd, which is
 *    readable once all of its threads are gone;
 *  - how: waitid(2), as long as nobody has reaped it. A host may reap it (a loop around
 *    waitpid(-1)), or have it reaped by ignoring SIGCHLD. From Linux 6.15 on the pidfd still tells;
 *    before, the status is lost and called unknown;
 *  - what it has used: only waitid(2).
 *
 * Looking at it doesn't reap it (WNOWAIT), and before Linux 5.17 tells how its first thread ended,
 * which is how it all did unless that one was gone before the others. As a zombie it keeps its
 * number, and its process group's, from being given to another. __WALL: one that died before it
 * executed has no exit signal.
 */

struct pidfd_info_v0 {
        uint64_t mask;
        uint64_t cgroupid;
        uint32_t ids[11]; /* pid, tgid, ppid, and real, effective, saved, fs: uid, gid */
        int32_t exit_code;
};

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP (1UL << 2)
#endif

#define BY_PIDFD 3 /* P_PIDFD, which glibc knows since 2.36 */

#define LOST_TIME (CLOCK_SEC / 20)
#define KILL_TIME (2 * CLOCK_SEC) /* for SIGKILL to show */

#define GET_INFO   _IOWR(0xFF, 11, struct pidfd_info_v0) /* PIDFD_GET_INFO, Linux 6.13 */
#define INFO_GROUP (UINT64_C(1) << 2)                    /* PIDFD_INFO_CGROUPID */
#define INFO_EXIT  (UINT64_C(1) << 3)                    /* PIDFD_INFO_EXIT, Linux 6.15 */

struct rusage child_rusage(const struct child_usage *usage) {
        struct rusage rusage = {
                .ru_utime = { .tv_sec = usage->times[0], .tv_usec = usage->times[1] },
                .ru_stime = { .tv_sec = usage->times[2], .tv_usec = usage->times[3] },
        };

        memcpy(&rusage.ru_maxrss, usage->counts, sizeof(usage->counts));
        return rusage;
}

static int wait_for(int type, int id, int options, siginfo_t *info, struct child_usage *usage) {
        long r;

        do {
                info->si_pid = 0;
                r = sys_call(SYS_waitid, type, id, info, WEXITED | __WALL | options, usage);
        } while (r == -EINTR);
        return (int)r;
}

static int wait_pidfd(int pidfd, int options, siginfo_t *info, struct child_usage *usage) {
        return wait_for(BY_PIDFD, pidfd, options, info, usage);
}

/* Whether it has, after waiting for that until `deadline` at most. */
static bool await_exit(const struct child *child, int64_t deadline) {
        struct pollfd fd = { .fd = child->pidfd, .events = POLLIN };
        int64_t left;
        long r;

        do {
                struct timespec timeout;

                left = deadline - clock_now();
                timeout = clock_timespec(left > 0 ? left : 0);
                r = sys_call(SYS_ppoll, &fd, 1, &timeout, NULL, 0);
        } while (r == -EINTR || (r <= 0 && left > 0));
        return r > 0 && (fd.revents & POLLIN);
}

bool child_has_exited(const struct child *child) {
        return await_exit(child, 0);
}

static void exit_from_info(const siginfo_t *info, struct child_exit *ret) {
        ret->status = info->si_code == CLD_EXITED ? CURFEW_STATUS_EXITED : CURFEW_STATUS_SIGNALED;
        ret->code = info->si_status;
        ret->core_dumped = info->si_code == CLD_DUMPED;
}

static void exit_from_status(int status, struct child_exit *ret) {
        ret->status = WIFEXITED(status) ? CURFEW_STATUS_EXITED : CURFEW_STATUS_SIGNALED;
        ret->code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
        ret->core_dumped = !WIFEXITED(status) && WCOREDUMP(status);
}

/* Nobody waits for the orphan of a process that nobody is told of. */
static bool is_given_up(struct child *child) {
        int64_t now = clock_now();

        if (child->lost == 0)
                child->lost = now;
        return now - child->lost >= LOST_TIME;
}

/* The kernel looks for the end first, and then for the process: of one that is reaped in between it
 * has seen neither (ESRCH), and has the end when it is asked again. */
static int get_info(const struct child *child, struct pidfd_info_v0 *ret) {
        int r = -1;

        for (int i = 0; i < 2 && r < 0; ++i) {
                *ret = (struct pidfd_info_v0){ .mask = INFO_EXIT };
                r = ioctl(child->pidfd, GET_INFO, ret);
        }
        return r;
}

/* Somebody else's wait has taken the status, or is just about to: then the pidfd still has a
 * process to speak of, but not its end, and will in a moment. */
static int ask_pidfd(struct child *child, struct child_exit *ret) {
        struct child_exit how = { .status = CURFEW_STATUS_UNKNOWN };
        struct pidfd_info_v0 info;

        if (!child_has_exited(child))
                return 0;

        if (get_info(child, &info) == 0) {
                if (info.mask & INFO_EXIT)
                        exit_from_status(info.exit_code, &how);
                else if (!is_given_up(child))
                        return 0;
        }

        child->reaped = true;
        *ret = how;
        return 1;
}

static int look(struct child *child, int options, struct child_exit *ret) {
        struct child_usage usage;
        struct child_exit how = { .usage_known = true };
        siginfo_t info;
        int r;

        r = wait_pidfd(child->pidfd, WNOHANG | options, &info, &usage);
        if (r == -ECHILD)
                return ask_pidfd(child, ret);
        if (r < 0 || info.si_pid == 0)
                return r;

        exit_from_info(&info, &how);
        how.usage = usage;
        *ret = how;
        return 1;
}

int child_peek(struct child *child, struct child_exit *ret) {
        return look(child, WNOWAIT, ret);
}

int child_take(struct child *child, struct child_exit *ret) {
        int r = look(child, 0, ret);

        child->reaped = child->reaped || r > 0;
        return r;
}

int child_stopped(const struct child *child) {
        int options = WSTOPPED | WNOHANG | WNOWAIT | __WALL;
        siginfo_t info = { 0 };
        long r = sys_call(SYS_waitid, BY_PIDFD, child->pidfd, &info, options, NULL);

        return r < 0 ? (int)r : info.si_pid != 0 ? info.si_status : 0;
}

int child_reap_next(pid_t pid, pid_t *ret_pid, struct child_exit *ret) {
        struct child_usage usage;
        struct child_exit how = { .usage_known = true };
        siginfo_t info;
        int r = wait_for(pid > 0 ? P_PID : P_ALL, pid, WNOHANG, &info, &usage);

        if (r < 0 || info.si_pid == 0)
                return r;

        exit_from_info(&info, &how);
        how.usage = usage;
        *ret_pid = info.si_pid;
        *ret = how;
        return 1;
}

int child_reap(struct child *child) {
        siginfo_t info;
        int r;

        if (child->reaped)
                return 0;

        r = wait_pidfd(child->pidfd, WNOHANG, &info, NULL);
        if (r < 0 && r != -ECHILD)
                return r;
        if (r == 0 ? info.si_pid == 0 : !child_has_exited(child))
                return -EAGAIN;

        child->reaped = true;
        return 0;
}

static int send(const struct child *child, int signal) {
        return (int)sys_call(SYS_pidfd_send_signal, child->pidfd, signal, NULL, 0);
}

/* To signal a zombie succeeds and means nothing. One that exits just now is as good as signalled:
 * it was alive when asked. */
int child_signal(const struct child *child, int signal) {
        return child_has_exited(child) ? -ESRCH : send(child, signal);
}

int child_signal_and_continue(const struct child *child, int signal) {
        int r = child_signal(child, signal);

        if (r == 0)
                send(child, SIGCONT);
        return r;
}

int child_signal_group(const struct child *child, int signal) {
        return (int)sys_call(
                SYS_pidfd_send_signal, child->pidfd, signal, NULL, PIDFD_SIGNAL_PROCESS_GROUP);
}

uint64_t child_cgroup(const struct child *child) {
        struct pidfd_info_v0 info = { .mask = INFO_GROUP };

        if (ioctl(child->pidfd, GET_INFO, &info) < 0 || !(info.mask & INFO_GROUP))
                return 0;
        return info.cgroupid;
}

void child_release(struct child *child) {
        child_reap(child);
        close_fd(child->pidfd);
        *child = (struct child)CHILD_NULL;
}

/* SIGKILL doesn't end what is in an uninterruptible sleep, nor the init of a PID namespace before
 * all in there have ended. Once it has exited this waits for its tracer alone, which is told before
 * us. */
void child_deinit(struct child *child) {
        siginfo_t info;

        if (!child->reaped) {
                send(child, SIGKILL);
                if (await_exit(child, clock_after(clock_now(), KILL_TIME)))
                        wait_pidfd(child->pidfd, 0, &info, NULL);
        }
        close_fd(child->pidfd);
        *child = (struct child)CHILD_NULL;
}
