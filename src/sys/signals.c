// SPDX-License-Identifier: MIT
#include "sys/signals.h"
#include "sys/call.h"

#include <signal.h>

/*
 * A child starts with every disposition at its default and no signal blocked, whatever its parent
 * has done with them: a program is written for that, and few check (an ignored SIGPIPE or SIGCHLD
 * that comes down from a host breaks pipelines and waits far below).
 *
 * CLONE_CLEAR_SIGHAND looks made for it, but keeps ignored signals ignored (clone(2)), and which
 * are ignored no call says at once. So each is set, which costs less than asking and makes the flag
 * superfluous. execve(2) resets handlers, too, but it comes too late: between the lifting of the
 * mask and the exec a handler of the host would run in the child, on the host's memory.
 */

#define MASK_SIZE (_NSIG / 8) /* in bytes: what the kernel insists on */

static const struct signals_mask all = { { UINT64_MAX, UINT64_MAX } };
static const struct signals_mask none;

void signals_block(struct signals_mask *ret_old) {
        sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, ret_old, MASK_SIZE);
}

void signals_restore(const struct signals_mask *mask) {
        sys_call(SYS_rt_sigprocmask, SIG_SETMASK, mask, NULL, MASK_SIZE);
}

/* All zero is the kernel's struct sigaction for SIG_DFL, on every architecture. */
_in_child_ int signals_default(void) {
        static const unsigned long action[8];
        long r;

        for (int signal = 1; signal < _NSIG; ++signal) {
                if (signal == SIGKILL || signal == SIGSTOP)
                        continue;
                r = sys_call(SYS_rt_sigaction, signal, action, NULL, MASK_SIZE);
                if (r < 0)
                        return (int)r;
        }
        return 0;
}

_in_child_ void signals_unblock(void) {
        sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, MASK_SIZE);
}
