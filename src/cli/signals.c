// SPDX-License-Identifier: MIT
#include "signals.h"
#include "curfew.h"
#include "rawsig.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/*
 * Whatever would end curfew would leave the command alone, so everything that can is received: what
 * asks for an end (INT, TERM, HUP, QUIT) stops the command, and the rest is passed on to it, as if
 * it had been sent to it; in a container all of them are, see pass.c. What stays out are faults,
 * which are curfew's own, and what doesn't end a process.
 *
 * A signal that is ignored from the start (nohup; a shell's background jobs) is to be ignored here
 * as well. To block it is no harm, but a blocked signal is kept, ignored or not: so that is asked
 * of those that come, which are few, and not of all that could. The command ignores it as it would
 * without curfew.
 */

static bool is_received(int signal) {
        switch (signal) {
        case SIGKILL:
        case SIGSTOP:
        case SIGILL:
        case SIGTRAP:
        case SIGABRT:
        case SIGBUS:
        case SIGFPE:
        case SIGSEGV:
        case SIGSYS:
        case SIGCHLD:
        case SIGCONT:
        case SIGTSTP:
        case SIGTTIN:
        case SIGTTOU:
        case SIGURG:
        case SIGWINCH: return false;
        }
        return !rawsig_is_private(signal);
}

int signals_open(const sigset_t *also) {
        sigset_t received;
        int fd;

        sigemptyset(&received);
        for (int signal = 1; signal <= RAWSIG_LAST; ++signal)
                if (is_received(signal) || sigismember(also, signal) > 0)
                        rawsig_add(&received, signal);
        rawsig_mask(SIG_BLOCK, &received, NULL);

        /* A parent that ignores it has us inherit that, and then there is no status to wait for. */
        signal(SIGCHLD, SIG_DFL);

        fd = signalfd(-1, &received, SFD_NONBLOCK | SFD_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* What is to be sent to it must reach it. */
static void unignore(const struct opts *opts, sigset_t *set) {
        for (int i = 0; i < CURFEW_MAX_STEPS && opts->stop[i].signal != 0; ++i)
                sigdelset(set, opts->stop[i].signal);
        if (opts->warn.signal != 0)
                sigdelset(set, opts->warn.signal);
}

static bool was_ignored(const struct self *self, int signal) {
        return signal != SIGCHLD && !rawsig_is_private(signal) &&
               (self->ignored >> (signal - 1) & 1);
}

void signals_ignored(const struct self *self, const struct opts *opts, sigset_t *ret) {
        sigemptyset(ret);
        for (int signal = 1; signal <= RAWSIG_LAST; ++signal)
                if (was_ignored(self, signal))
                        rawsig_add(ret, signal);
        unignore(opts, ret);
}

void signals_heed(const struct self *self) {
        for (int signal = 1; signal <= RAWSIG_LAST; ++signal)
                if (was_ignored(self, signal))
                        rawsig_default(signal);
}

/* What has been ignored from the start, or this process has caused itself, is for nobody: a write
 * that fails (PIPE, XFSZ) comes from the process that has made it, and of the time on a CPU (XCPU)
 * the kernel tells each process its own. Nor is what only lets it go on (waker.c). */
static bool is_heeded(const struct signalfd_siginfo *info) {
        if (info->ssi_code == SI_TIMER)
                return false;
        if (info->ssi_pid == (uint32_t)getpid() ||
                (info->ssi_signo == SIGXCPU && info->ssi_code == SI_KERNEL))
                return false;
        return !rawsig_is_ignored((int)info->ssi_signo);
}

int signals_next(int fd, bool *ret_from_terminal) {
        struct signalfd_siginfo info;

        while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
                if (is_heeded(&info)) {
                        *ret_from_terminal = info.ssi_code == SI_KERNEL;
                        return (int)info.ssi_signo;
                }
        return 0;
}

void signals_stops(sigset_t *ret) {
        sigemptyset(ret);
        sigaddset(ret, SIGINT);
        sigaddset(ret, SIGTERM);
        sigaddset(ret, SIGHUP);
        sigaddset(ret, SIGQUIT);
}

int signals_next_stop(int fd, const sigset_t *stops) {
        bool from_terminal;
        int signal;

        do
                signal = signals_next(fd, &from_terminal);
        while (signal > 0 && !rawsig_has(stops, signal));
        return signal;
}

int signals_have_stop(void *stops) {
        sigset_t pending;

        sigpending(&pending);
        for (int signal = 1; signal <= RAWSIG_LAST; ++signal)
                if (rawsig_has(stops, signal) && rawsig_has(&pending, signal) &&
                        !rawsig_is_ignored(signal))
                        return 1;
        return 0;
}

void signals_die(int number) {
        sigset_t set;

        prctl(PR_SET_DUMPABLE, 0);
        sigemptyset(&set);
        rawsig_add(&set, number);
        signal(number, SIG_DFL);
        rawsig_mask(SIG_UNBLOCK, &set, NULL);
        raise(number);
}
