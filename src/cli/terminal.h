// SPDX-License-Identifier: MIT
#pragma once

/* The terminal that the program shares with its command and with the shell that started it. */

#include "curfew.h"
#include "listener.h"

#include <termios.h>

struct terminal {
        int fd;              /* or -1: there is none */
        bool was_foreground; /* when a person last had a say in it */
        bool has_modes;      /* … at the start */
        struct termios modes;
        int64_t interrupted; /* when an interrupt was last left to the command */
        int64_t stopping;    /* until when it may take the command to stop; 0: nobody wants that */
        bool stop_anyway;    /* us, even if it doesn't */
        bool is_wanted;      /* by somebody in our group, which has been stopped for that, … */
        bool is_given;       /* … and when last looked at had it */
        struct listener listener;
};

#define TERMINAL_NULL                                                                              \
        { .fd = -1, .listener = LISTENER_NULL }

void terminal_open(struct terminal *terminal);

/* The command has started, and is to be stopped by this plan: see to it that nobody gets the signal
 * of a key twice. */
void terminal_listen(struct terminal *terminal, struct curfew_run *run,
        const struct curfew_step plan[CURFEW_MAX_STEPS]);

/* Give it back as it was: to us, and after a command that was not the one to end itself
 * (`interrupted`) also in the modes that it was in. Then close. */
void terminal_close(struct terminal *terminal, bool interrupted);

/* Whether what the terminal sends to us it sends to the command as well. */
bool terminal_is_shared(const struct terminal *terminal, pid_t leader);

/* An interrupt has come from the terminal: whether that is for the command alone. `leader` is the
 * command's number, here and below, or -1 once it has exited. */
bool terminal_leaves_interrupt(struct terminal *terminal, pid_t leader);

/* SIGTSTP has come, from the terminal or from a process. */
void terminal_note_stop(struct terminal *terminal, pid_t leader, bool from_terminal);

/* SIGTTIN or SIGTTOU has come, which is no reason for this process to stop; or SIGCONT after it. */
void terminal_note_wanted(struct terminal *terminal, bool is_wanted);

/* Do what is due: stop this process, and return when it goes on. Whether the command is stopped
 * until it gets the terminal. And when to look again. */
bool terminal_proceed(struct terminal *terminal, pid_t leader);
int64_t terminal_due(const struct terminal *terminal);
