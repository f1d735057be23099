// SPDX-License-Identifier: MIT
#include "init.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * The first process of a PID namespace gets every orphan in it, has to reap them, and takes all of
 * the namespace with it when it ends. What the command has started is the library's business; what
 * else there is, such as what an administrator has brought in from outside, is asked to stop here,
 * before the kernel kills it without asking.
 *
 * Where there is no /proc, curfew takes and reaps what its command has orphaned in any place: the
 * first process there may not (many a container's doesn't), and by the process group alone a zombie
 * can't be told from one that lives.
 *
 * The library waits for its children by their pidfds. To reap the others, who is next to be waited
 * for is looked at first, without reaping; when it is the command it is left there, and the others
 * wait behind it until the next time.
 */

#define LOOK_AGAIN (CURFEW_SEC / 20) /* not all that is left is a child of ours */

bool init_is_ours(void) {
        return getpid() == 1;
}

void init_begin(void) {
        if (!init_is_ours())
                prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void init_give_terminal(struct curfew_cmd *cmd) {
        for (int fd = 0; fd <= STDERR_FILENO; ++fd)
                if (tcgetpgrp(fd) == getpgrp()) {
                        cmd->terminal = CURFEW_TERMINAL_FOREGROUND;
                        cmd->tty = fd;
                }
}

void init_reap(pid_t leader) {
        siginfo_t info = { 0 };

        while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 &&
                info.si_pid != leader) {
                waitpid(info.si_pid, NULL, WNOHANG);
                info.si_pid = 0;
        }
}

static bool is_alone(void) {
        init_reap(0);
        return kill(-1, 0) < 0 && errno == ESRCH;
}

/* Until nobody is left, or for as long as the step gives; in steps, since not every end is told. */
static bool wait_for_all(int64_t grace) {
        int64_t now = curfew_now(), until = now;
        sigset_t chld;

        if (grace == 0)
                grace = CURFEW_GRACE;
        if (grace > 0)
                until = grace < CURFEW_FOREVER - now ? now + grace : CURFEW_FOREVER;

        sigemptyset(&chld);
        sigaddset(&chld, SIGCHLD);
        while (!is_alone()) {
                int64_t left = until - curfew_now();
                struct timespec timeout = { .tv_nsec = left < LOOK_AGAIN ? left : LOOK_AGAIN };

                if (left <= 0)
                        return false;
                sigtimedwait(&chld, NULL, &timeout);
        }
        return true;
}

void init_finish(const struct curfew_step plan[CURFEW_MAX_STEPS]) {
        bool alone = !init_is_ours() || is_alone();

        for (int i = 0; i < CURFEW_MAX_STEPS && plan[i].signal != 0 && !alone; ++i) {
                kill(-1, plan[i].signal);
                kill(-1, SIGCONT);
                alone = wait_for_all(plan[i].grace);
        }
        if (!alone) {
                kill(-1, SIGKILL);
                wait_for_all(CURFEW_SEC);
        }
}
