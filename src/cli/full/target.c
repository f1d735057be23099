// SPDX-License-Identifier: MIT
#include "cli/full/target.h"
#include "cli/say.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * That a path can't be written has to be found before the command starts, and a reader must never
 * see half a report. So an ordinary file is replaced: a new one is written beside it and renamed.
 * Making one at the start, and removing it again, proves that this will be possible; nothing lies
 * about if curfew is killed.
 *
 * Where a file is there already it is opened at the start, and kept open: as a shell's redirection
 * opens it, so that what the kernel refuses everybody (a stranger's link in a sticky folder, say)
 * is refused here. It is replaced where it is, which for a link the kernel tells. And should that
 * not be possible in the end, it is written over: in a folder that takes no new file; as a mount
 * point, in a container; and where it is another's, who would lose it, or is protected by a sticky
 * folder. What is opened at the start can be written at the end.
 *
 * Anything else (a terminal, a pipe, a descriptor) is written directly. A pipe can be full and its
 * reader asleep, which must not hold up the supervision of a command; so it is opened again for
 * ourselves, not to wait, since O_NONBLOCK on the descriptor we got would be everybody's.
 */

#define PATIENCE_MSEC 10000 /* for a reader that reads nothing */

void target_say(const struct target *target, int error) {
        say("cannot write '%s' for '--%s': %s", target->text, target->option,
                error == -ETIMEDOUT ? "nobody reads it" : strerror(-error));
}

static int parse_descriptor(const char *text) {
        static const char *const folders[] = { "/dev/fd/", "/proc/self/fd/" };
        char *end;
        long fd;

        if (strcmp(text, "-") == 0 || strcmp(text, "/dev/stdout") == 0)
                return STDOUT_FILENO;
        if (strcmp(text, "/dev/stderr") == 0)
                return STDERR_FILENO;
        for (size_t i = 0; i < 2; ++i)
                if (strncmp(text, folders[i], strlen(folders[i])) == 0)
                        text += strlen(folders[i]);
        if (text[0] < '0' || text[0] > '9')
                return -1;
        fd = strtol(text, &end, 10);
        return *end == 0 && fd < 1 << 20 ? (int)fd : -1;
}

/* A description of our own of what the descriptor leads to, where there is something to wait for.
 * A socket can't be opened again, and is told with each write instead. */
static int open_again(int fd) {
        struct stat st;
        char path[32];
        int again = -1;

        if (fstat(fd, &st) < 0)
                return -errno;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (S_ISFIFO(st.st_mode) || isatty(fd))
                again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (again < 0)
                again = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return again < 0 ? -errno : again;
}

/* What the program was given for this is not for the command as well: who reads it waits for its
 * end. */
static int open_descriptor(struct target *target, int fd) {
        int flags = fcntl(fd, F_GETFL), r;

        if (flags < 0)
                return -errno;
        if ((flags & O_ACCMODE) == O_RDONLY)
                return -EBADF;
        r = open_again(fd);
        if (r < 0)
                return r;
        if (fd > STDERR_FILENO)
                fcntl(fd, F_SETFD, FD_CLOEXEC);
        target->fd = r;
        return 0;
}

/* May block, as the shell's redirection does: a FIFO waits for its reader. */
static int open_file(struct target *target, int flags) {
        int fd = open(target->text, O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC | flags, 0666);
        int r = fd < 0 ? -errno : open_descriptor(target, fd);

        if (fd >= 0)
                close(fd);
        return r;
}

/* A new file in the folder, under a name that nobody has, which goes to ret. */
static int make_new(const struct target *target, char ret[64]) {
        char name[64];
        int fd = -1;

        for (unsigned i = 0; i < 100 && fd < 0; ++i) {
                snprintf(name, sizeof(name), ".curfew-%d-%u", getpid(), i);
                fd = openat(target->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
                if (fd < 0 && errno != EEXIST)
                        return -errno;
        }
        if (fd < 0)
                return -EEXIST;
        memcpy(ret, name, sizeof(name));
        return fd;
}

/* Part a path into the folder, which is opened, and the name in it. Changes the path. What is left
 * of it names what is in the folder, so that a link to that is within the path, as it was. */
static int part(struct target *target, char *path) {
        char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

        if (*name == 0)
                return -EISDIR;
        target->name = strdup(name);
        if (!target->name)
                return -ENOMEM;
        strcpy(name, ".");
        target->folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return target->folder < 0 ? -errno : 0;
}

static bool are_one(const struct stat *a, const struct stat *b) {
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether the name in the folder is that of the file that is open, if one is. */
static bool is_there(const struct target *target) {
        struct stat open, named;

        if (target->fd < 0)
                return true;
        return fstat(target->fd, &open) == 0 &&
               fstatat(target->folder, target->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
               are_one(&open, &named);
}

static void forget_place(struct target *target) {
        if (target->folder >= 0)
                close(target->folder);
        free(target->name);
        target->folder = -1;
        target->name = NULL;
}

/* That a new file can be made where this path leads, and no link from there. */
static int find_place(struct target *target, const char *text) {
        char *path = strdup(text), name[64];
        int r = path ? part(target, path) : -ENOMEM;

        free(path);
        if (r == 0 && !is_there(target))
                r = -EXDEV;
        if (r == 0)
                r = make_new(target, name);
        if (r < 0) {
                forget_place(target);
                return r;
        }
        close(r);
        unlinkat(target->folder, name, 0);
        return 0;
}

/* The end of the links that lead to what is open. Without a /proc they keep it to themselves. */
static void find_place_by_link(struct target *target) {
        char link[32], path[PATH_MAX];
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", target->fd);
        n = readlink(link, path, sizeof(path));
        if (n <= 0 || n == sizeof(path))
                return;
        path[n] = 0;
        find_place(target, path);
}

static int open_path(struct target *target, bool whole) {
        struct stat st;
        int r;

        if (!whole)
                return open_file(target, O_TRUNC | O_APPEND);
        if (lstat(target->text, &st) < 0)
                return errno == ENOENT ? find_place(target, target->text) : -errno;
        r = open_file(target, 0);
        if (r < 0 || fstat(target->fd, &st) < 0 || !S_ISREG(st.st_mode))
                return r;
        if (find_place(target, target->text) < 0)
                find_place_by_link(target);
        return 0;
}

int target_open(struct target *target, const char *option, const char *text, bool whole) {
        int fd = parse_descriptor(text), r;

        target->option = option;
        target->text = text;
        if (text[0] == 0)
                r = -ENOENT;
        else
                r = fd >= 0 ? open_descriptor(target, fd) : open_path(target, whole);
        if (r < 0)
                target_say(target, r);
        return r;
}

static const char *name_in(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static bool stat_folder(const char *path, struct stat *ret) {
        char folder[4096];
        int n = (int)(name_in(path) - path);

        if (n == 0)
                return stat(".", ret) == 0;
        n = snprintf(folder, sizeof(folder), "%.*s", n, path);
        return n < (int)sizeof(folder) && stat(folder, ret) == 0;
}

bool target_is_same(const char *a, const char *b) {
        struct stat x, y;
        bool has_a = stat(a, &x) == 0, has_b = stat(b, &y) == 0;

        if (has_a != has_b || parse_descriptor(a) >= 0 || parse_descriptor(b) >= 0)
                return false;
        if (has_a)
                return S_ISREG(x.st_mode) && are_one(&x, &y);
        return name_in(a)[0] != 0 && strcmp(name_in(a), name_in(b)) == 0 && stat_folder(a, &x) &&
               stat_folder(b, &y) && are_one(&x, &y);
}

ssize_t target_write_some(int fd, const void *data, size_t size) {
        ssize_t n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == ENOTSOCK)
                n = write(fd, data, size);
        return n < 0 ? -errno : n;
}

int target_write_all(int fd, const char *data, size_t size) {
        while (size > 0) {
                struct pollfd poller = { .fd = fd, .events = POLLOUT };
                ssize_t n = target_write_some(fd, data, size);

                if (n == -EAGAIN && poll(&poller, 1, PATIENCE_MSEC) == 0)
                        return -ETIMEDOUT;
                if (n < 0 && n != -EAGAIN && n != -EINTR)
                        return (int)n;
                data += n > 0 ? n : 0;
                size -= n > 0 ? (size_t)n : 0;
        }
        return 0;
}

/* Make the new file like the one whose place it is to take. Returns whether it can be. */
static bool take_after_old(const struct target *target, int fd) {
        struct stat st;

        if (fstatat(target->folder, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                !S_ISREG(st.st_mode))
                return true;
        return fchown(fd, st.st_uid, st.st_gid) == 0 && fchmod(fd, st.st_mode & 0777) == 0;
}

/* In the place of the old file, and with its owner and permissions. 1: it can't be replaced. */
static int replace(const struct target *target, const char *data, size_t size) {
        char name[64];
        int fd = make_new(target, name), r = 1;

        if (fd < 0)
                return 1;
        if (take_after_old(target, fd))
                r = target_write_all(fd, data, size);
        if (close(fd) < 0 && r == 0)
                r = -errno;
        if (r == 0 && renameat(target->folder, name, target->folder, target->name) < 0)
                r = 1;
        if (r != 0)
                unlinkat(target->folder, name, 0);
        return r;
}

/* Nobody has a name for it any more. */
static bool is_removed(const struct target *target) {
        struct stat st;

        return target->fd < 0 ||
               (fstat(target->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0);
}

/* Whoever has removed it since the start may have made another, but no link to be followed. */
static int open_anew(struct target *target) {
        if (target->fd >= 0)
                close(target->fd);
        target->fd = -1;
        return open_file(target, O_NOFOLLOW);
}

static int write_over(struct target *target, const char *data, size_t size) {
        bool is_named = parse_descriptor(target->text) < 0;
        struct stat st;
        int r = 0;

        if (is_named && is_removed(target))
                r = open_anew(target);
        if (r == 0 && is_named && fstat(target->fd, &st) == 0 && S_ISREG(st.st_mode) &&
                ftruncate(target->fd, 0) < 0)
                r = -errno;
        return r < 0 ? r : target_write_all(target->fd, data, size);
}

int target_write(struct target *target, const void *data, size_t size) {
        int r = target->folder >= 0 ? replace(target, data, size) : 1;

        if (r > 0)
                r = write_over(target, data, size);
        if (r < 0)
                target_say(target, r);
        return r;
}

void target_deinit(struct target *target) {
        if (target->fd >= 0)
                close(target->fd);
        forget_place(target);
        *target = (struct target)TARGET_NULL;
}
