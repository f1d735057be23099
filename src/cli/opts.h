// SPDX-License-Identifier: MIT
#pragma once

/* The command line. */

#include "curfew.h"

enum opts_mode {
        OPTS_RUN,
        OPTS_HELP,
        OPTS_VERSION,
};

struct opts {
        enum opts_mode mode;
        int64_t duration; /* 0: no deadline */
        const char *const *argv;
        struct curfew_step stop[CURFEW_MAX_STEPS];
        bool foreground;
        bool preserve_status;
        bool verbose;
};

/* -EINVAL: a line has been said about it. What is in the result points into `argv`. */
int opts_parse(char *const argv[], struct opts *ret);

void opts_print_help(void);
