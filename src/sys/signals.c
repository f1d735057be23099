// SPDX-License-Identifier: MIT
#include "sys/signals.h"
#include "sys/call.h"

#include <signal.h>

/*
 * A child starts with every disposition at its default and no signal blocked, whatever its parent
 * has done with them, unless the command says otherwise: a program is written for that, and few
 * check (an ignored SIGPIPE or SIGCHLD that comes down from a host breaks pipelines and waits far
 * below).
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

/* A C library's set begins with the kernel's, and none has more signals than that. */
_in_child_ static struct signals_mask signals_of(const sigset_t *set) {
        struct signals_mask mask = none;

        if (set)
                __builtin_memcpy(&mask, set, MASK_SIZE);
        return mask;
}

_in_child_ static bool has(const struct signals_mask *mask, int signal) {
        return mask->bits[(signal - 1) / 64] >> (signal - 1) % 64 & 1;
}

/* The kernel's struct sigaction begins with the handler on every architecture but one (there its
 * first word is only the flags); all zero is SIG_DFL. */
_in_child_ int signals_reset(const sigset_t *ignored) {
        static const unsigned long by_default[8], ignore[8] = { (unsigned long)SIG_IGN };
        struct signals_mask mask = signals_of(ignored);
        long r;

        for (int signal = 1; signal < _NSIG; ++signal) {
                if (signal == SIGKILL || signal == SIGSTOP)
                        continue;
                r = sys_call(SYS_rt_sigaction, signal, has(&mask, signal) ? ignore : by_default,
                        NULL, MASK_SIZE);
                if (r < 0)
                        return (int)r;
        }
        return 0;
}

_in_child_ void signals_block_only(const sigset_t *blocked) {
        struct signals_mask mask = signals_of(blocked);

        sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, MASK_SIZE);
}
