// SPDX-License-Identifier: MIT
#pragma once

/* The command line under the name "timeout". */

#include <stdbool.h>
#include <stdint.h>

enum timeout_mode {
        TIMEOUT_RUN,
        TIMEOUT_HELP,
        TIMEOUT_VERSION,
};

struct timeout_opts {
        enum timeout_mode mode;
        const char *program; /* as it was called: every message begins so */
        int64_t duration;    /* 0: no deadline */
        int64_t kill_after;  /* 0: never */
        int signal;
        bool foreground;
        bool preserve_status;
        bool verbose;
        const char *const *argv;
};

/* -EINVAL: it has been said what is wrong. What is in the result points into `argv`. */
int timeout_opts_parse(char *const argv[], struct timeout_opts *ret);

void timeout_opts_print_help(const char *program);
