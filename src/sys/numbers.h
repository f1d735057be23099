// SPDX-License-Identifier: MIT
#pragma once

/* The numbers of processes that a file of the kernel's lists. */

#include "base/base.h"
#include <sys/types.h>

struct numbers {
        char *text; /* allocated, if it is not `some` */
        size_t size, used, at;
        char some[1024];
};

/* Read all of `path`, from the directory `at`. On success there is something to let go of. */
int numbers_read(struct numbers *numbers, int at, const char *path);
void numbers_deinit(struct numbers *numbers);

/* The next one, or 0: there is none any more. */
pid_t numbers_next(struct numbers *numbers);
