// SPDX-License-Identifier: MIT
#include "inherit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>

/*
 * What is above the limit on open files, which was lowered since, can't be put at its number in
 * another process. It is left out: nobody who lowers the limit counts on it.
 *
 * Where there is no /proc every number that can be open is tried, up to one that no shell and no
 * make gets to.
 */

#define MAX_TRIED 4096

static int add(struct inherited *inherited, int fd, rlim_t limit) {
        struct curfew_extra_fd *fds = inherited->fds;
        int flags = fd < 3 || (rlim_t)fd >= limit ? -1 : fcntl(fd, F_GETFD);

        if (flags < 0 || (flags & FD_CLOEXEC))
                return 0;
        fds = realloc(fds, (inherited->n + 1) * sizeof(*fds));
        if (!fds)
                return -ENOMEM;

        fds[inherited->n++] = (struct curfew_extra_fd){ .target = fd, .source = fd };
        inherited->fds = fds;
        return 0;
}

static int try_all(struct inherited *inherited, rlim_t limit) {
        int r = 0;

        for (int fd = 3; fd < MAX_TRIED && (rlim_t)fd < limit && r == 0; ++fd)
                r = add(inherited, fd, limit);
        return r;
}

static int list(struct inherited *inherited, DIR *dir, rlim_t limit) {
        const struct dirent *entry;
        int r = 0;

        while (r == 0 && (entry = readdir(dir)))
                r = add(inherited, atoi(entry->d_name), limit); /* what is no number is 0 */
        return r;
}

int inherit_find(struct inherited *ret) {
        struct inherited inherited = { 0 };
        struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
        DIR *dir = opendir("/proc/self/fd");
        int r;

        getrlimit(RLIMIT_NOFILE, &limit);
        r = dir ? list(&inherited, dir, limit.rlim_cur) : try_all(&inherited, limit.rlim_cur);
        if (dir)
                closedir(dir); /* close-on-exec, so that it isn't among them */
        if (r < 0)
                inherit_deinit(&inherited);
        else
                *ret = inherited;
        return r;
}

void inherit_deinit(struct inherited *inherited) {
        free(inherited->fds);
        *inherited = (struct inherited){ 0 };
}
