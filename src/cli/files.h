// SPDX-License-Identifier: MIT
#pragma once

/* Where the command's output goes. */

#include "opts.h"

struct files {
        int out, err; /* our standard descriptors, or files of --stdout and --stderr */
        bool are_one; /* if somebody has to know: both lead to the same place, and are to stay in
                         order there */
};

#define FILES_NULL                                                                                 \
        { .out = 1, .err = 2 }

/* Returns a negative errno, after a line has been said about it. A FIFO waits for its reader. */
int files_open(const struct opts *opts, struct files *ret);
void files_close(struct files *files);
