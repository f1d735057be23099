// SPDX-License-Identifier: MIT
#pragma once

/* A program that can't be executed before it is let go, as on a file system that doesn't answer:
 * who opens it waits for a lease to be given up (F_SETLEASE in fcntl(2)). That takes no privilege,
 * and the kernel tells when somebody waits. */

#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>

#define SLOW_BOUND 40 /* seconds; after 45 the kernel takes the lease away */

struct slow {
        char dir[64], path[80];
        int fd;
};

/* A copy of a program. SIGIO must be blocked in every thread. */
static inline void slow_make(struct slow *slow, const char *program) {
        int from = open(program, O_RDONLY | O_CLOEXEC), to;

        strcpy(slow->dir, "/tmp/curfew-slow-XXXXXX");
        assert_true(mkdtemp(slow->dir));
        assert_eq(chmod(slow->dir, 0755), 0);
        snprintf(slow->path, sizeof(slow->path), "%s/slow", slow->dir);
        to = open(slow->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        assert_ge(from, 0);
        assert_ge(to, 0);
        while (sendfile(to, from, NULL, 1 << 20) > 0)
                ;
        assert_eq(fchmod(to, 0755), 0);
        close(from);
        close(to);
        slow->fd = open(slow->path, O_RDONLY | O_CLOEXEC);
        assert_ge(slow->fd, 0);
}

static inline void slow_hold(struct slow *slow) {
        assert_eq(fcntl(slow->fd, F_SETLEASE, F_WRLCK), 0);
}

/* Until somebody is about to execute it. */
static inline void slow_await(void) {
        const struct timespec bound = { .tv_sec = SLOW_BOUND };
        sigset_t sigio;

        sigemptyset(&sigio);
        sigaddset(&sigio, SIGIO);
        assert_eq(sigtimedwait(&sigio, NULL, &bound), SIGIO);
}

static inline void slow_let_go(struct slow *slow) {
        assert_eq(fcntl(slow->fd, F_SETLEASE, F_UNLCK), 0);
}

static inline void slow_remove(struct slow *slow) {
        close(slow->fd);
        unlink(slow->path);
        rmdir(slow->dir);
}

static inline void slow_block_signal(void) {
        sigset_t sigio;

        sigemptyset(&sigio);
        sigaddset(&sigio, SIGIO);
        assert_eq(sigprocmask(SIG_BLOCK, &sigio, NULL), 0);
}
