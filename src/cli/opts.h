// SPDX-License-Identifier: MIT
#pragma once

/* The command line of curfew. */

#include "curfew.h"
#include "rawsig.h"

#define OPTS_DROP UINT8_MAX

enum opts_mode {
        OPTS_RUN,
        OPTS_HELP,
        OPTS_VERSION,
};

/* What becomes of what the command leaves running. */
enum opts_leftovers {
        OPTS_STOP,
        OPTS_WAIT,
        OPTS_LEAVE,
};

/* A signal that comes before the deadline, and asks for nothing. */
struct opts_warn {
        int signal; /* 0: none */
        enum curfew_whom whom;
        int64_t before;
};

struct opts {
        enum opts_mode mode;
        int64_t duration; /* 0: no deadline */
        const char *const *argv;
        const char *argv0; /* the name that the command is told, or NULL: its own */
        char *const *line; /* all of it, the program's name first */
        struct curfew_step stop[CURFEW_MAX_STEPS];
        struct opts_warn warn;
        int64_t idle; /* 0: it may be silent for as long as it likes */
        enum curfew_guarantee guarantee;
        enum opts_leftovers leftovers;
        const char *out, *err; /* files for the command's output, or NULL */
        const char *report, *events, *timeline;
        /* What a signal is passed on as: 0 as it is, OPTS_DROP not at all. */
        uint8_t rewrite[RAWSIG_LAST + 1];
        uint32_t successes[8]; /* statuses that count as 0, the lowest bit is number 0 */
        pid_t parent;          /* whose end is the command's, or 0 */
        int lifeline;          /* the descriptor whose hanging up is, or -1 */
        bool limits_stop;      /* the plan's times were given, and aren't the default */
        bool group;            /* signals are passed on to the command's group */
        bool no_deadline;      /* there is no duration */
        bool init;             /* a container's first process; there is no duration then */
        bool foreground;
        bool preserve_status;
        bool verbose;
};

/* -EINVAL: a line has been said about it. What is in the result points into `argv`. */
int opts_parse(char *const argv[], struct opts *ret);

/* Whether somebody is to be signalled by the command's group: then it must have one of its own. */
bool opts_want_group(const struct opts *opts);

/* What to exit with where that would be `status`; as everywhere, a negative one is a signal. */
int opts_status(const struct opts *opts, int status);

void opts_print_help(void);
