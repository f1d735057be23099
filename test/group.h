// SPDX-License-Identifier: MIT
#pragma once

/*
 * A control group for a test. What runs below it makes its groups in there, and so no other curfew
 * on this machine is taken for one of the test's.
 */

#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

/* The first line of a file for which sscanf() finds `format` in it; 0 if there is one. */
static inline int group_find_line(const char *path, const char *contains, char *line, size_t size) {
        FILE *file = fopen(path, "re");
        int r = -1;

        if (!file)
                return -1;
        while (r < 0 && fgets(line, (int)size, file))
                if (strstr(line, contains))
                        r = 0;
        fclose(file);
        return r;
}

/* The directory of this process's own group in the hierarchy of cgroup v2; 0 if there is one. */
static inline int group_own(char *ret, size_t size) {
        char mount[PATH_MAX * 2], own[PATH_MAX], point[PATH_MAX];

        if (group_find_line("/proc/self/mountinfo", " - cgroup2 ", mount, sizeof(mount)) < 0 ||
                sscanf(mount, "%*d %*d %*s / %4095s", point) != 1)
                return -1;
        if (group_find_line("/proc/self/cgroup", "0::/", own, sizeof(own)) < 0)
                return -1;
        own[strcspn(own, "\n")] = 0;
        return snprintf(ret, size, "%s%s", point, own + strlen("0::")) < (int)size ? 0 : -1;
}

static inline int group_enter(const char *path) {
        char file[PATH_MAX * 2];
        int fd;
        ssize_t n;

        snprintf(file, sizeof(file), "%s/cgroup.procs", path);
        fd = open(file, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -1;
        n = write(fd, "0", 1);
        close(fd);
        return n == 1 ? 0 : -1;
}

/* Make one below this process's own and enter it, to stay; 0, or it can't be done here. Whoever
 * waits for this process removes it. */
static inline int group_make(const char *name, char *ret, size_t size) {
        char own[PATH_MAX];

        if (group_own(own, sizeof(own)) < 0 ||
                snprintf(ret, size, "%s/%s", own, name) >= (int)size || mkdir(ret, 0755) < 0)
                return -1;
        if (group_enter(ret) == 0)
                return 0;
        rmdir(ret);
        return -1;
}

/* Let an unprivileged user make groups in it. */
static inline void group_delegate(const char *path, uid_t uid, gid_t gid) {
        char file[PATH_MAX * 2];

        assert_eq(chown(path, uid, gid), 0);
        snprintf(file, sizeof(file), "%s/cgroup.procs", path);
        assert_eq(chown(file, uid, gid), 0);
        snprintf(file, sizeof(file), "%s/cgroup.subtree_control", path);
        assert_eq(chown(file, uid, gid), 0);
}

/* How many there are in it. */
static inline unsigned group_count(const char *path) {
        DIR *dir = opendir(path);
        struct dirent *entry;
        unsigned n = 0;

        assert_true(dir);
        while ((entry = readdir(dir)))
                n += entry->d_type == DT_DIR && entry->d_name[0] != '.';
        closedir(dir);
        return n;
}
