// SPDX-License-Identifier: MIT
#include "inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Which numbers are open poll(2) tells of many at once: of the others it says POLLNVAL.
 *
 * What is above the limit on open files, which was lowered since, can't be put at its number in
 * another process. It is left out: nobody who lowers the limit counts on it.
 */

#define AT_ONCE 64

static int add(struct inherited *inherited, int fd) {
        int flags = fcntl(fd, F_GETFD);
        struct curfew_extra_fd *fds;

        if (flags < 0 || (flags & FD_CLOEXEC))
                return 0;
        fds = realloc(inherited->fds, (inherited->n + 1) * sizeof(*fds));
        if (!fds)
                return -ENOMEM;

        fds[inherited->n++] = (struct curfew_extra_fd){ .target = fd, .source = fd };
        inherited->fds = fds;
        return 0;
}

/* So many from `first` on. */
static int add_open(struct inherited *inherited, unsigned first, unsigned n) {
        struct pollfd fds[AT_ONCE];
        int r = 0;

        for (unsigned i = 0; i < n; ++i)
                fds[i] = (struct pollfd){ .fd = (int)(first + i) };
        if (poll(fds, n, 0) < 0)
                return -errno;
        for (unsigned i = 0; i < n && r == 0; ++i)
                if (!(fds[i].revents & POLLNVAL))
                        r = add(inherited, fds[i].fd);
        return r;
}

static unsigned at_most(unsigned a, rlim_t b) {
        return a < b ? a : (unsigned)b;
}

int inherit_find(unsigned end, struct inherited *ret) {
        struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
        struct inherited inherited = { 0 };
        int r = 0;

        getrlimit(RLIMIT_NOFILE, &limit);
        end = at_most(end, limit.rlim_cur);
        for (unsigned fd = 3; fd < end && r == 0; fd += AT_ONCE)
                r = add_open(&inherited, fd, at_most(AT_ONCE, end - fd));
        if (r < 0)
                inherit_deinit(&inherited);
        else
                *ret = inherited;
        return r;
}

/* The numbers stay taken, so that nothing else gets them. Without a /dev/null they are kept. */
static void empty_standard(bool output, int kept) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null >= 0 && kept != STDIN_FILENO)
                dup3(null, STDIN_FILENO, O_CLOEXEC);
        if (null >= 0 && kept != STDOUT_FILENO && output)
                dup3(null, STDOUT_FILENO, O_CLOEXEC);
        if (null > STDERR_FILENO)
                close(null);
}

void inherit_let_go(const struct inherited *inherited, bool output, int kept) {
        for (size_t i = 0; i < inherited->n; ++i)
                if (inherited->fds[i].source != kept)
                        close(inherited->fds[i].source);
        empty_standard(output, kept);
}

void inherit_deinit(struct inherited *inherited) {
        free(inherited->fds);
        *inherited = (struct inherited){ 0 };
}
