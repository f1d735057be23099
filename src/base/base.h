// SPDX-License-Identifier: MIT
#pragma once

/*
 * Ownership, in four words.
 *
 * Every acquisition is declared on its own line with a null value and a cleanup attribute:
 *
 *         _cleanup_(close_fdp) int fd = -1;
 *
 * so that each early return gives it back, and success hands it over with one steal_fd() or
 * steal_ptr(). There is no goto and no hand-written rollback anywhere in the library.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(x) __attribute__((__cleanup__(x)))
#define _public_     __attribute__((__visibility__("default")))
#define _unused_     __attribute__((__unused__))
#define _cold_       __attribute__((__cold__, __noinline__)) /* seldom called */

#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))

#define container_of(ptr, type, member)                                                            \
        ((type *)((char *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

/* Take a pointer out of its variable, leaving NULL: the cleanup there has nothing left to do. */
#define steal_ptr(ptr)                                                                             \
        ({                                                                                         \
                __typeof__(ptr) *stolen_from_ = &(ptr);                                            \
                __typeof__(ptr) stolen_ = *stolen_from_;                                           \
                *stolen_from_ = NULL;                                                              \
                stolen_;                                                                           \
        })

/* The same for a descriptor, leaving -1. */
static inline int steal_fd(int *fd) {
        int stolen = *fd;

        *fd = -1;
        return stolen;
}

/* Close a descriptor (-1 is fine) and return -1; errno is kept for the caller's diagnosis. */
static inline int close_fd(int fd) {
        int saved = errno;

        if (fd >= 0)
                close(fd);
        errno = saved;
        return -1;
}

/* A descriptor just opened, or -1, at a number above the standard streams': where the host has one
 * of these closed, ours must not be taken for it. On failure -1, errno, and nothing is open. */
static inline int raise_fd(int fd) {
        int raised;

        if (fd < 0 || fd > 2)
                return fd;
        raised = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        close_fd(fd);
        return raised;
}

static inline void close_fdp(int *fd) {
        *fd = close_fd(*fd);
}

static inline void freep(void *ptr) {
        free(*(void **)ptr);
}
