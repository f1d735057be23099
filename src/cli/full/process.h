// SPDX-License-Identifier: MIT
#pragma once

/* A process of the command, as the record knows it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_RUNS INT64_C(-1)

struct process {
        pid_t pid, parent;
        char name[16];
        char state;
        char *args; /* each with a NUL behind it, or NULL */
        size_t args_size;
        int64_t key;     /* when it was started, on CLOCK_BOOTTIME: who it is, with the pid */
        int64_t started; /* since the command was */
        int64_t ended;   /* the same, or PROCESS_RUNS */
        bool exact;      /* the kernel has told of its end */
        bool omitted;    /* there are too many: it is not to be listed */
        int64_t changed; /* when it was seen to run this program, since the command was started */
        int fd;          /* a pidfd, or -1 */
        bool renamed;    /* and nobody has been told */
        bool settled;    /* its program is likely to stay what it is */
};
