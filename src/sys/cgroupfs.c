// SPDX-License-Identifier: MIT
#include "sys/cgroupfs.h"
#include "base/ascii.h"
#include "sys/dir.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/*
 * The line "0::PATH" of /proc/self/cgroup is the group (cgroups(7)), as seen from the root of the
 * cgroup namespace. A line of /proc/self/mountinfo (proc_pid_mountinfo(5)) says which part of the
 * hierarchy is mounted where:
 *
 *         36 35 0:31 /ROOT /MOUNTPOINT rw,… - cgroup2 …
 *
 * v2 can be all there is, or beside the controllers of v1 ("hybrid"), in a place of its own; so
 * nothing about the place is assumed. But it is guessed: the kernel writes mountinfo anew for each
 * reader, and a machine with many mounts takes longer over that than over a start. A guess is right
 * where the directory has the number that the kernel gives for the group (Linux 6.13). In a
 * container that is the mount itself, mostly, and then not even the path need be known: what the
 * kernel has to make for the first look at a process in /proc takes as long as a clone.
 *
 * Before that: outside of any namespace a path is from the hierarchy's root, and a mount of cgroup2
 * that has the root's inode at its top is one of all of it; where both holds at one of the usual
 * places, that is it.
 */

#define ROOT_INODE  1           /* the first that a hierarchy gives (kernfs) */
#define FIRST_SPACE 0xEFFFFFFBU /* the inode of the cgroup namespace that is there at boot */
#define FIRST_SIZE  1024        /* of a text, most of which are shorter */

static int read_all(int fd, char **ret) {
        _cleanup_(freep) char *text = NULL;
        size_t used = 0, size = 0;
        ssize_t n;

        do {
                if (size - used < FIRST_SIZE / 2) {
                        size_t more = size > 0 ? 2 * size : FIRST_SIZE;
                        char *grown = realloc(text, more);

                        if (!grown)
                                return -ENOMEM;
                        text = grown;
                        size = more;
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

        fd = raise_fd(openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
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

static int open_below(const char *point, const char *group) {
        _cleanup_(freep) char *path = NULL;
        int fd;

        path = malloc(strlen(point) + strlen(group) + 1);
        if (!path)
                return -ENOMEM;
        dir_append(dir_append(path, point), group);
        fd = raise_fd(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        return fd < 0 ? -errno : fd;
}

/* Something else may be mounted over it. */
static int keep_group(int fd) {
        struct statfs fs;

        if (fd < 0 || (fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC))
                return fd;
        close_fd(fd);
        return -ENOENT;
}

/* Where the group is by this line of mountinfo, which is changed. */
static int open_mounted(char *line, const char *group) {
        const char *type = strstr(line, " - "), *rest;
        char *root = NULL, *point = NULL;

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
        return rest ? keep_group(open_below(point, rest)) : -ENOENT;
}

static bool is_first_namespace(void) {
        struct stat st;

        return stat("/proc/self/ns/cgroup", &st) == 0 && st.st_ino == FIRST_SPACE;
}

static bool is_whole(const char *point) {
        struct statfs fs;
        struct stat st;

        return statfs(point, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC &&
               stat(point, &st) == 0 && st.st_ino == ROOT_INODE;
}

static bool is_group(int fd, uint64_t id) {
        struct statfs fs;
        struct stat st;

        return fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC && fstat(fd, &st) == 0 &&
               st.st_ino == id;
}

static const char *const usual[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

static int open_known(const char *group, uint64_t id) {
        for (size_t i = 0; i < ARRAY_SIZE(usual) && id != 0; ++i) {
                _cleanup_(close_fdp) int fd = -1;
                int r = fd = open_below(usual[i], group);

                if (r == -EMFILE || r == -ENFILE || r == -ENOMEM)
                        return r;
                if (r >= 0 && is_group(fd, id))
                        return steal_fd(&fd);
        }
        return -ENOENT;
}

static int open_guessed(const char *group) {
        if (!is_first_namespace())
                return -ENOENT;
        for (size_t i = 0; i < ARRAY_SIZE(usual); ++i)
                if (is_whole(usual[i]))
                        return open_below(usual[i], group);
        return -ENOENT;
}

static int open_listed(const char *group) {
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

static int open_group(uint64_t id) {
        _cleanup_(freep) char *group = NULL;
        int r = open_known("", id);

        if (r != -ENOENT)
                return r;
        r = find_group(&group);
        if (r < 0)
                return r;

        r = id != 0 ? open_known(group, id) : open_guessed(group);
        return r == -ENOENT ? open_listed(group) : r;
}

/* mkdir(2) there would tell for sure; this tells without doing it. */
static int check(int fd) {
        return faccessat(fd, ".", W_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int cgroupfs_open(uint64_t id) {
        _cleanup_(close_fdp) int fd = -1;
        int r = fd = open_group(id);

        if (r >= 0)
                r = check(fd);
        return r < 0 ? r : steal_fd(&fd);
}
