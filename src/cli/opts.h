// SPDX-License-Identifier: MIT
#pragma once

/* The command line. */

#include "curfew.h"

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

struct opts {
        enum opts_mode mode;
        int64_t duration; /* 0: no deadline */
        const char *const *argv;
        struct curfew_step stop[CURFEW_MAX_STEPS];
        enum curfew_guarantee guarantee;
        enum opts_leftovers leftovers;
        bool init; /* a container's first process; there is no duration then */
        bool foreground;
        bool preserve_status;
        bool verbose;
};

/* -EINVAL: a line has been said about it. What is in the result points into `argv`. */
int opts_parse(char *const argv[], struct opts *ret);

void opts_print_help(void);
