// SPDX-License-Identifier: MIT
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * At a terminal the command stays in curfew's process group, which is a job of the shell's. So it
 * has the terminal as it would have without curfew: it may read, the keys that make signals reach
 * it directly, and the shell stops and continues both of them.
 *
 * The keys reach curfew, too. Ctrl-C is the command's first: it may mean "stop", or "stop what you
 * are calculating". Who presses it again, soon, has not got what they wanted, and the stop plan
 * begins. A program that reads single keys (an editor, a pager, a shell's line) has its own idea of
 * Ctrl-C, and it is never ours. A command that has left the group has not got it: then it is ours.
 *
 * What has reached the command by a key, it must not get from the stop plan again: a second
 * interrupt ends most of the clean-ups that the first has begun. So of each key it is noted that
 * the group has it. The command is put on no deadline by that, but should its stopping begin while
 * it may be busy with the key, by the next Ctrl-C or whatever else, the plan's step of the same
 * signal is for those outside of the group alone. That holds for the keeper, too; how it gets to
 * know, should curfew be killed for the key, see listener.c.
 *
 * After Ctrl-Z the shell takes the terminal back as soon as curfew has stopped. A program that
 * wants to leave the screen in order first must get to do that, and one that doesn't stop isn't
 * stopped: so curfew stops after the command has. Nobody tells it of that, since it is not the
 * parent, so it looks for a while.
 *
 * A command in the background that touches the terminal has its whole group stopped, by the kernel
 * or, as an interactive shell does, by itself. That is nobody's wish, so curfew isn't: it has a
 * deadline to keep, and signals to hear. But the shell believes then that the job is running, and
 * may bring it to the foreground without continuing anybody, as bash does; so curfew looks now and
 * then whether the terminal has become the job's, and does that. When the command ends without
 * having got it, who was stopped together with it goes on, too, such as the script that has called
 * curfew.
 *
 * An interactive shell, as the command, makes groups of its own and gives the terminal to them. If
 * it is killed it doesn't give it back, and leaves it in whatever modes its line editor had set;
 * then curfew does both, as a shell does for its jobs.
 */

#define SOON       (10 * CURFEW_SEC)
#define STOP_TIME  CURFEW_SEC
#define LOOK_AGAIN (CURFEW_SEC / 200)
#define LOOK_OVER  (CURFEW_SEC / 5) /* for the foreground, which a person gives */

/* Where there is no such file it may still be what we have been given. */
static int open_tty(void) {
        int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

        if (fd >= 0 || errno == ENXIO)
                return fd;
        for (int i = 0; i <= STDERR_FILENO; ++i)
                if (tcgetsid(i) == getsid(0))
                        return fcntl(i, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        return -1;
}

static bool is_foreground(const struct terminal *terminal) {
        return tcgetpgrp(terminal->fd) == getpgrp();
}

void terminal_open(struct terminal *terminal) {
        *terminal = (struct terminal)TERMINAL_NULL;
        terminal->fd = open_tty();
        terminal->was_foreground = terminal->fd >= 0 && is_foreground(terminal);
        terminal->has_modes = terminal->was_foreground &&
                              tcgetattr(terminal->fd, &terminal->modes) == 0;
}

static bool is_key(int signal) {
        return signal == SIGINT || signal == SIGQUIT;
}

void terminal_listen(struct terminal *terminal, struct curfew_run *run,
        const struct curfew_step plan[CURFEW_MAX_STEPS]) {
        bool has_key = false;

        for (int i = 0; i < CURFEW_MAX_STEPS && plan[i].signal != 0; ++i)
                has_key = has_key || is_key(plan[i].signal);
        if (terminal->fd >= 0 && has_key)
                listener_start(&terminal->listener, run);
}

/* As in proc_pid_stat(5); 0 if that can't be seen. */
static char state_of(pid_t pid) {
        char path[32], stat[128] = "";
        const char *name_end;
        ssize_t n = -1;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
                n = read(fd, stat, sizeof(stat) - 1);
                close(fd);
        }
        name_end = n > 0 ? strrchr(stat, ')') : NULL;
        return name_end && name_end[1] == ' ' ? name_end[2] : (char)0;
}

/* The terminal isn't taken from anybody who lives. A group may be there by a zombie that its new
 * parent has not reaped. */
static void take_back(const struct terminal *terminal) {
        pid_t group = tcgetpgrp(terminal->fd);
        bool is_dead = group > 1 &&
                       ((kill(-group, 0) < 0 && errno == ESRCH) || state_of(group) == 'Z');

        if (is_dead && group != getpgrp())
                tcsetpgrp(terminal->fd, getpgrp());
}

/* SIGTTOU, which is blocked, would stop who does this in the background. */
void terminal_close(struct terminal *terminal, bool interrupted) {
        listener_end(&terminal->listener);
        if (terminal->fd < 0)
                return;

        if (terminal->was_foreground)
                take_back(terminal);
        if (terminal->has_modes && interrupted && is_foreground(terminal))
                tcsetattr(terminal->fd, TCSANOW, &terminal->modes);
        if (terminal->is_wanted)
                kill(0, SIGCONT);

        close(terminal->fd);
        terminal->fd = -1;
}

static bool is_in_our_group(pid_t leader) {
        return getpgid(leader) == getpgrp();
}

bool terminal_is_shared(const struct terminal *terminal, pid_t leader) {
        return terminal->fd >= 0 && is_in_our_group(leader);
}

static bool reads_keys(const struct terminal *terminal) {
        struct termios modes;

        return tcgetattr(terminal->fd, &modes) == 0 && !(modes.c_lflag & ICANON);
}

bool terminal_leaves_interrupt(struct terminal *terminal, pid_t leader) {
        int64_t now = curfew_now();
        bool is_first = terminal->interrupted == 0 || now - terminal->interrupted > SOON;

        if (terminal->fd < 0 || !is_in_our_group(leader))
                return false;
        if (reads_keys(terminal))
                return true;

        terminal->interrupted = now;
        return is_first;
}

/* The signal is blocked, and this is where it comes through. Who is continued has the terminal, or
 * hasn't: a person has decided that. */
static void stop_self(struct terminal *terminal) {
        sigset_t tstp;

        sigemptyset(&tstp);
        sigaddset(&tstp, SIGTSTP);
        kill(getpid(), SIGTSTP);
        sigprocmask(SIG_UNBLOCK, &tstp, NULL);
        sigprocmask(SIG_BLOCK, &tstp, NULL);
        terminal->was_foreground = is_foreground(terminal);
}

void terminal_note_stop(struct terminal *terminal, pid_t leader, bool from_terminal) {
        if (!is_in_our_group(leader)) {
                stop_self(terminal);
                return;
        }
        terminal->stopping = curfew_now() + STOP_TIME;
        terminal->stop_anyway = !from_terminal;
}

void terminal_note_wanted(struct terminal *terminal, bool is_wanted) {
        terminal->is_wanted = is_wanted && terminal->fd >= 0;
}

/* Where nothing can be seen it is believed. */
static bool has_stopped(pid_t leader) {
        char state = state_of(leader);

        return state == 'T' || state == 0;
}

static void proceed_to_stop(struct terminal *terminal, pid_t leader) {
        bool stops, is_late;

        if (leader < 0) /* there is nothing any more that could be continued */
                terminal->stopping = 0;
        if (terminal->stopping == 0)
                return;

        stops = has_stopped(leader);
        is_late = curfew_now() >= terminal->stopping;
        if (stops || is_late)
                terminal->stopping = 0;
        if (stops || (is_late && terminal->stop_anyway))
                stop_self(terminal);
}

/* A shell that continues its job itself, too, does so just after it has given it the terminal. */
static bool proceed_to_foreground(struct terminal *terminal, pid_t leader) {
        bool was_given = terminal->is_given;

        terminal->is_given = terminal->is_wanted && is_foreground(terminal);
        if (!terminal->is_given)
                return terminal->is_wanted && leader > 0 && has_stopped(leader);
        if (!was_given)
                return false;

        terminal->is_wanted = terminal->is_given = false;
        terminal->was_foreground = true;
        kill(0, SIGCONT);
        return false;
}

bool terminal_proceed(struct terminal *terminal, pid_t leader) {
        proceed_to_stop(terminal, leader);
        return proceed_to_foreground(terminal, leader);
}

int64_t terminal_due(const struct terminal *terminal) {
        if (terminal->stopping != 0)
                return curfew_now() + LOOK_AGAIN;
        return terminal->is_wanted ? curfew_now() + LOOK_OVER : CURFEW_FOREVER;
}
