// SPDX-License-Identifier: MIT
#include "signals.h"
#include "curfew.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/*
 * Whatever would end curfew would leave the command alone, so everything that can is received: what
 * asks for an end (INT, TERM, HUP, QUIT) stops the command, and the rest is passed on to it, as if
 * it had been sent to it. What stays out are faults, which are curfew's own, and what doesn't end a
 * process.
 *
 * A signal that is ignored from the start (nohup; a shell's background jobs) is to be ignored here
 * as well. To block it is no harm, but a blocked signal is kept, ignored or not: so that is asked
 * of those that come, which are few, and not of all that could.
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
        return curfew_signal_name(signal) != NULL;
}

static bool is_ignored(int signal) {
        struct sigaction action;

        return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int signals_open(bool children) {
        sigset_t received;
        int fd;

        sigemptyset(&received);
        for (int signal = 1; signal <= SIGRTMAX; ++signal)
                if (is_received(signal))
                        sigaddset(&received, signal);
        if (children)
                sigaddset(&received, SIGCHLD);
        sigprocmask(SIG_BLOCK, &received, NULL);

        /* A parent that ignores it has us inherit that, and then there is no status to wait for. */
        signal(SIGCHLD, SIG_DFL);

        fd = signalfd(-1, &received, SFD_NONBLOCK | SFD_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int signals_next(int fd) {
        struct signalfd_siginfo info;

        while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
                int signal = (int)info.ssi_signo;
                bool own = signal == SIGPIPE && info.ssi_pid == (uint32_t)getpid();

                if (!own && !is_ignored(signal))
                        return signal;
        }
        return 0;
}

bool signals_is_stop(int signal) {
        return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

void signals_die(int number) {
        sigset_t set;

        prctl(PR_SET_DUMPABLE, 0);
        sigemptyset(&set);
        sigaddset(&set, number);
        signal(number, SIG_DFL);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        raise(number);
}
