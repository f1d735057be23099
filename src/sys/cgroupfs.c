// SPDX-License-Identifier: MIT
#include "sys/cgroupfs.h"
#include "base/ascii.h"

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

static int read_all(int fd, char **ret) {
        _cleanup_(freep) char *text = NULL;
        size_t used = 0, size = 0;
        ssize_t n;

        do {
                if (size - used < 1024) {
                        char *grown = realloc(text, size + 8192);

                        if (!grown)
                                return -ENOMEM;
                        text = grown;
                        size += 8192;
                }
                n = read(fd, text + used, size - used - 1);
                used += n > 0 ? (size_t)n : 0;
        } while (n > 0 || (n < 0 && errno == EINTR));
        if (n < 0)
                return -errno;

        text[used] = 0;
        *ret = steal_ptr(text);
        return 0;
}

static int read_file(const char *path, char **ret) {
        _cleanup_(close_fdp) int fd = -1;

        fd = raise_fd(open(path, O_RDONLY | O_CLOEXEC));
        return fd < 0 ? -errno : read_all(fd, ret);
}

/* Cut off the part up to the separator, and go on behind it. NULL: there is no more. */
static char *cut(char **text, char separator) {
        char *part = *text, *end;

        if (!part)
                return NULL;
        end = strchr(part, separator);
        if (end)
                *end = 0;
        *text = end ? end + 1 : NULL;
        return part;
}

/* Blanks and the like are written as three octal digits. */
static void unescape(char *text) {
        char *to = text;

        for (const char *p = text; *p; ++to) {
                bool octal = p[0] == '\\' && ascii_digit(p[1], 8) >= 0 &&
                             ascii_digit(p[2], 8) >= 0 && ascii_digit(p[3], 8) >= 0;

                if (octal)
                        *to = (char)(64 * ascii_digit(p[1], 8) + 8 * ascii_digit(p[2], 8) +
                                     ascii_digit(p[3], 8));
                else
                        *to = *p;
                p += octal ? 4 : 1;
        }
        *to = 0;
}

static int find_group(char **ret) {
        _cleanup_(freep) char *text = NULL;
        char *rest, *line;
        int r = read_file("/proc/self/cgroup", &text);

        if (r < 0)
                return r;
        for (rest = text; (line = cut(&rest, '\n'));) {
                if (strncmp(line, "0::/", 4) != 0)
                        continue;
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

/* Where the group is by this line of mountinfo, which is changed. */
static int open_mounted(char *line, const char *group) {
        _cleanup_(freep) char *path = NULL;
        const char *type = strstr(line, " - "), *rest;
        char *root = NULL, *point = NULL;
        int fd;

        if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0)
                return -ENOENT;
        for (int field = 1; field <= 4; ++field)
                root = cut(&line, ' ');
        point = cut(&line, ' ');
        if (!root || !point)
                return -ENOENT;

        unescape(root);
        unescape(point);
        rest = below(group, root);
        if (!rest)
                return -ENOENT;
        if (asprintf(&path, "%s%s", point, rest) < 0)
                return -ENOMEM;
        fd = raise_fd(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        return fd < 0 ? -errno : fd;
}

static int open_group(const char *group) {
        _cleanup_(freep) char *text = NULL;
        char *rest, *line;
        int r = read_file("/proc/self/mountinfo", &text);

        if (r < 0)
                return r;
        r = -ENOENT;
        for (rest = text; r == -ENOENT && (line = cut(&rest, '\n'));)
                r = open_mounted(line, group);
        return r;
}

/* mkdir(2) there would tell for sure; this tells without doing it. */
static int check(int fd) {
        return faccessat(fd, ".", W_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int cgroupfs_open(void) {
        _cleanup_(close_fdp) int fd = -1;
        _cleanup_(freep) char *group = NULL;
        int r = find_group(&group);

        if (r == 0)
                r = fd = open_group(group);
        if (r >= 0)
                r = check(fd);
        return r < 0 ? r : steal_fd(&fd);
}
