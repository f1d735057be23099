// SPDX-License-Identifier: MIT
#pragma once

/* Directories and paths, by bare system calls. */

#include "base/base.h"
#include <sys/types.h>

struct dir {
        int fd;
        long used; /* of buf */
        long at;
        _Alignas(8) char buf[1024];
};

/* `path` from the directory `at`. What was opened is to be closed. */
int dir_open(struct dir *dir, int at, const char *path);
void dir_close(struct dir *dir);

/* The name of the next directory in it, or NULL. It is valid until the next call. */
const char *dir_next_folder(struct dir *dir);

/* The number that the next entry with such a name is; 0: there is none any more. */
pid_t dir_next_number(struct dir *dir);

/* Why there is no next one: 0, or a negative errno. */
int dir_error(const struct dir *dir);

/* Write at `p`, with a NUL behind it, and return where that is. */
char *dir_append(char *p, const char *text);
char *dir_append_number(char *p, uint64_t number);
