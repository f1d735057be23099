// SPDX-License-Identifier: MIT
#include "listener.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range /* glibc knows it since 2.33 */
#define SYS_close_range __NR_close_range
#endif

/*
 * A Ctrl-C reaches everybody in the foreground group: the command, curfew, and the program that
 * calls curfew. Many of these kill curfew at once then (Go's os/exec does by default; Python's
 * subprocess waits for a quarter of a second), and its keeper has to take the stop plan. It must
 * know of the key, lest the command be interrupted again in the middle of what it does about it;
 * but it is no member of the group, which may be killed as a whole, and curfew may be dead before
 * it has come to read its own signals: on a busy machine it is in a quarter of all cases.
 *
 * So a fork of curfew stays in the group, which has a key's signal from the kernel in the same
 * moment as the others, and lives on for as long as it takes to note it. The keeper waits for its
 * end. A pipe, whose other end curfew has alone, tells it of curfew's.
 */

#define NAME "tree-listener" /* which pkill(1) doesn't take for the program's, as the keepers' */

static void hear(struct curfew_run *run, int signals) {
        struct signalfd_siginfo info;

        while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
                if (info.ssi_code == SI_KERNEL)
                        curfew_run_note_signal(run, (int)info.ssi_signo);
}

/* Nothing of curfew's is held open by it. All signals that would end it are blocked already. */
static void listen_until(struct curfew_run *run, int end) {
        struct pollfd fds[] = { { .events = POLLIN }, { .fd = STDIN_FILENO } };
        sigset_t keys;

        prctl(PR_SET_NAME, NAME);
        dup2(end, STDIN_FILENO);
        syscall(SYS_close_range, STDIN_FILENO + 1, ~0U, 0);

        sigemptyset(&keys);
        sigaddset(&keys, SIGINT);
        sigaddset(&keys, SIGQUIT);
        fds[0].fd = signalfd(-1, &keys, SFD_NONBLOCK);
        do {
                poll(fds, 2, -1);
                hear(run, fds[0].fd);
        } while (!fds[1].revents);
}

void listener_start(struct listener *listener, struct curfew_run *run) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return;
        listener->pid = fork();
        if (listener->pid == 0) {
                listen_until(run, ends[0]);
                _exit(0);
        }
        close(ends[0]);
        listener->end = ends[1];
        if (listener->pid > 0)
                curfew_run_note_listener(run, listener->pid);
}

/* Nothing is left to be told; and it may be stopped, by who has stopped its group. */
void listener_end(struct listener *listener) {
        if (listener->end >= 0)
                close(listener->end);
        if (listener->pid > 0) {
                kill(listener->pid, SIGKILL);
                waitpid(listener->pid, NULL, 0);
        }
        *listener = (struct listener)LISTENER_NULL;
}
