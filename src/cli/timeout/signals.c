// SPDX-License-Identifier: MIT
#include "cli/timeout/signals.h"
#include "cli/rawsig.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

/*
 * Received is whatever ends a process by default, faults that somebody sends too, and the signal
 * that is sent at the deadline. Not so what was ignored or blocked from the start: who did that had
 * a reason. But ALRM always is, being the deadline by another way, and so is the signal of the
 * deadline if it was ignored. These two the command has at their defaults; like CHLD, and like TTIN
 * and TTOU, which this process ignores lest it stop with the rest of its group.
 *
 * There is no handler, and nothing else is ignored: what is received is blocked and waits in a
 * descriptor. So does this process's own copy of what it sends to its group, and is left there.
 */

static bool ends_by_default(int signal) {
        switch (signal) {
        case SIGKILL:
        case SIGSTOP:
        case SIGCHLD:
        case SIGCONT:
        case SIGTSTP:
        case SIGTTIN:
        case SIGTTOU:
        case SIGURG:
        case SIGWINCH: return false;
        }
        return true;
}

static bool is_for_itself(int signal) {
        return signal == SIGCHLD || signal == SIGTTIN || signal == SIGTTOU;
}

static bool is_received(int signal, int stop, const sigset_t *ignored) {
        if (is_for_itself(signal) || rawsig_has(ignored, signal))
                return false;
        return signal == stop || ends_by_default(signal);
}

int timeout_signals_open(int stop, struct timeout_signals *ret) {
        struct timeout_signals signals = { .fd = -1 };
        sigset_t received, blocked;

        sigemptyset(&received);
        sigemptyset(&blocked);
        sigemptyset(&signals.mask);
        sigemptyset(&signals.ignored);
        rawsig_mask(SIG_BLOCK, NULL, &blocked);

        for (int number = 1; number <= RAWSIG_LAST; ++number) {
                bool is_reset = number == SIGALRM || number == stop || is_for_itself(number);

                if (!is_reset && rawsig_is_ignored(number))
                        rawsig_add(&signals.ignored, number);
                if (number != SIGALRM && number != SIGCHLD && rawsig_has(&blocked, number))
                        rawsig_add(&signals.mask, number);
                else if (is_received(number, stop, &signals.ignored))
                        rawsig_add(&received, number);
        }
        signal(SIGCHLD, SIG_DFL);
        signal(SIGTTIN, SIG_IGN);
        signal(SIGTTOU, SIG_IGN);

        rawsig_mask(SIG_BLOCK, &received, NULL);
        signals.fd = signalfd(-1, &received, SFD_NONBLOCK | SFD_CLOEXEC);
        if (signals.fd < 0)
                return -errno;
        *ret = signals;
        return 0;
}

/* That a line could not be written is known by then. */
static bool is_about_writing(const struct signalfd_siginfo *info) {
        return (info->ssi_signo == SIGPIPE || info->ssi_signo == SIGXFSZ) &&
               info->ssi_pid == (uint32_t)getpid();
}

/* A key pressed at the terminal; it hangs up on its session's leader alone. */
static bool is_from_terminal(const struct signalfd_siginfo *info) {
        return info->ssi_code == SI_KERNEL &&
               (info->ssi_signo == SIGINT || info->ssi_signo == SIGQUIT);
}

int timeout_signals_next(
        const struct timeout_signals *signals, const sigset_t *sent, bool *ret_everybody) {
        struct signalfd_siginfo info;

        do {
                if (read(signals->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
                        return 0;
        } while (rawsig_has(sent, (int)info.ssi_signo) || is_about_writing(&info));

        *ret_everybody = is_from_terminal(&info);
        return (int)info.ssi_signo;
}
