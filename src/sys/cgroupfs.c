// SPDX-License-Identifier: MIT
#include "sys/cgroupfs.h"

#include <stdio.h>
#include <string.h>

/*
 * The line "0::PATH" of /proc/self/cgroup is the group (cgroups(7)), as seen from the root of the
 * cgroup namespace. A line of /proc/self/mountinfo (proc_pid_mountinfo(5)) says which part of the
 * hierarchy is mounted where:
 *
 *         36 35 0:31 /ROOT /MOUNTPOINT rw,… - cgroup2 …
 *
 * v2 can be all there is, or beside the controllers of v1 ("hybrid"), in a place of its own; so
 * nothing about the place is assumed.
 */

static void fclosep(FILE **file) {
        if (*file)
                fclose(*file);
}

/* Blanks and the like are written as three octal digits. */
static void unescape(char *text) {
        char *to = text;

        for (const char *p = text; *p; ++to) {
                unsigned c;
                int n = 0;

                if (sscanf(p, "\\%3o%n", &c, &n) == 1 && n == 4) {
                        *to = (char)c;
                        p += 4;
                } else {
                        *to = *p++;
                }
        }
        *to = 0;
}

static int find_group(char **ret) {
        _cleanup_(fclosep) FILE *file = NULL;
        _cleanup_(freep) char *line = NULL;
        size_t size = 0;

        file = fopen("/proc/self/cgroup", "re");
        if (!file)
                return -errno;

        while (getline(&line, &size, file) > 0) {
                if (strncmp(line, "0::/", 4) != 0)
                        continue;
                line[strcspn(line, "\n")] = 0;
                *ret = strdup(line + 3);
                return *ret ? 0 : -ENOMEM;
        }
        return -ENOENT;
}

/* The part of `group` below `root`; NULL if it is not. */
static const char *below(const char *group, const char *root) {
        size_t n = strlen(root);

        if (n == 1)
                return group;
        if (strncmp(group, root, n) != 0 || (group[n] != '/' && group[n] != 0))
                return NULL;
        return group + n;
}

static int make_path(const char *mountinfo, const char *group, char **ret) {
        _cleanup_(freep) char *root = NULL;
        _cleanup_(freep) char *point = NULL;
        const char *type = strstr(mountinfo, " - "), *rest;

        if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0)
                return -ENOENT;
        if (sscanf(mountinfo, "%*d %*d %*s %ms %ms", &root, &point) != 2)
                return -ENOENT;

        unescape(root);
        unescape(point);
        rest = below(group, root);
        if (!rest)
                return -ENOENT;
        return asprintf(ret, "%s%s", point, rest) < 0 ? -ENOMEM : 0;
}

static int open_path(const char *path) {
        int fd = raise_fd(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

        return fd < 0 ? -errno : fd;
}

/* mkdir(2) there will tell for sure, but this tells without doing it. */
static int check(int fd) {
        return faccessat(fd, ".", W_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int open_group(const char *group) {
        _cleanup_(fclosep) FILE *file = NULL;
        _cleanup_(freep) char *line = NULL;
        size_t size = 0;
        int r = -ENOENT;

        file = fopen("/proc/self/mountinfo", "re");
        if (!file)
                return -errno;

        while (r == -ENOENT && getline(&line, &size, file) > 0) {
                _cleanup_(freep) char *path = NULL;

                r = make_path(line, group, &path);
                if (r >= 0)
                        r = open_path(path);
        }
        return r;
}

int cgroupfs_open(void) {
        _cleanup_(close_fdp) int fd = -1;
        _cleanup_(freep) char *group = NULL;
        int r = find_group(&group);

        if (r < 0)
                return r;
        fd = open_group(group);
        if (fd < 0)
                return fd;
        r = check(fd);
        return r < 0 ? r : steal_fd(&fd);
}
