// SPDX-License-Identifier: MIT
#include "sys/descriptors.h"
#include "sys/call.h"
#include "sys/clone.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/resource.h>

/*
 * A table is copied a descriptor at a time, so that a start would take the longer the more files
 * the host has open: 10,000 of them cost ten times what all the rest does. So a child is cloned
 * with the host's own table, in which it touches nothing, and copies only as much of it as it
 * needs: up to the highest source (close_range(2) with CLOSE_RANGE_UNSHARE, Linux 5.9).
 *
 * All moves of a table happen, in effect, at the same time: two descriptors may swap numbers. Going
 * by ascending targets, a source is lost before its turn only if it is the target of an earlier
 * entry, which means a lower number than its own target. Those few are first duplicated to a number
 * that is no target. The others can be copied straight to their places.
 *
 * Before anything is duplicated all sources must be known to be open: a duplicate could land on the
 * number of one that is not, and the child would get a file that was never meant for it.
 *
 * Then whatever lies between the targets is closed, close-on-exec or not. This takes a call per gap
 * with close_range(2); a filter that forbids it costs a look at what is open, in /proc, or where
 * that is missing as well, a close of every number there can be.
 */

#define MAX_OPEN (1 << 20) /* the kernel's own limit for RLIMIT_NOFILE, unless raised (proc(5)) */

struct dirent64_head {
        uint64_t ino;
        int64_t off;
        unsigned short size;
        unsigned char type;
        char name[];
};

/* The index of the entry with this target, or -1. */
_in_child_ static ssize_t find_target(const struct curfew_extra_fd *fds, size_t n, int target) {
        size_t low = 0, high = n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (fds[middle].target < target)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < n && fds[low].target == target ? (ssize_t)low : -1;
}

_in_child_ static bool is_overwritten(const struct curfew_extra_fd *fds, size_t n, size_t i) {
        ssize_t other = fds[i].source < fds[i].target ? find_target(fds, n, fds[i].source) : -1;

        return other >= 0 && fds[other].source != fds[other].target;
}

_in_child_ static int check_sources(const struct curfew_extra_fd *fds, size_t n) {
        long r = 0;

        for (size_t i = 0; i < n && r >= 0; ++i)
                r = sys_call(SYS_fcntl, fds[i].source, F_GETFD);
        return r < 0 ? (int)r : 0;
}

/* Duplicate to where no target is, from `*next` on. A duplicate on a target's number is no harm: it
 * is replaced in its turn. */
_in_child_ static int move_away(
        const struct curfew_extra_fd *fds, size_t n, int *source, long *next) {
        do {
                long r = sys_call(SYS_fcntl, *source, F_DUPFD_CLOEXEC, *next);

                if (r < 0)
                        return r == -EINVAL ? -EMFILE : (int)r;
                *next = r + 1;
        } while (find_target(fds, n, (int)*next - 1) >= 0);

        *source = (int)*next - 1;
        return 0;
}

_in_child_ static int make_way(struct curfew_extra_fd *fds, size_t n) {
        long next = 0;
        int r = 0;

        for (size_t i = 0; i < n && r == 0; ++i) {
                if (!is_overwritten(fds, n, i))
                        continue;
                if (next == 0)
                        r = check_sources(fds, n);
                if (r == 0)
                        r = move_away(fds, n, &fds[i].source, &next);
        }
        return r;
}

_in_child_ static int put_in_place(const struct curfew_extra_fd *fd) {
        long r = fd->source == fd->target ? sys_call(SYS_fcntl, fd->target, F_SETFD, 0)
                                          : sys_call(SYS_dup3, fd->source, fd->target, 0);

        return r < 0 ? (int)r : 0;
}

/* The number that an entry of the directory is, or -1. */
_in_child_ static int entry_number(const struct dirent64_head *entry) {
        int fd = 0;

        if (entry->name[0] == '.')
                return -1;
        for (const char *digit = entry->name; *digit; ++digit)
                fd = 10 * fd + (*digit - '0');
        return fd;
}

_in_child_ static void close_unless_wanted(
        const struct curfew_extra_fd *fds, size_t n, int fd, int dir) {
        if (fd >= 0 && fd != dir && find_target(fds, n, fd) < 0)
                sys_call(SYS_close, fd);
}

_in_child_ static void close_listed(const struct curfew_extra_fd *fds, size_t n, int dir) {
        _Alignas(struct dirent64_head) char buf[2048] = { 0 };
        long size;

        while ((size = sys_call(SYS_getdents64, dir, buf, sizeof(buf))) > 0) {
                for (long at = 0; at < size;) {
                        const struct dirent64_head *entry = (const void *)(buf + at);

                        at += entry->size;
                        close_unless_wanted(fds, n, entry_number(entry), dir);
                }
        }
        sys_call(SYS_close, dir);
}

_in_child_ static void close_possible(const struct curfew_extra_fd *fds, size_t n) {
        uint64_t limit[2] = { MAX_OPEN, MAX_OPEN };

        sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, limit);
        for (int fd = 0; fd < MAX_OPEN && (uint64_t)fd < limit[1]; ++fd)
                if (find_target(fds, n, fd) < 0)
                        sys_call(SYS_close, fd);
}

_in_child_ static void close_others_slowly(const struct curfew_extra_fd *fds, size_t n) {
        long dir = sys_call(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);

        if (dir < 0)
                close_possible(fds, n);
        else
                close_listed(fds, n, (int)dir);
}

_in_child_ static void close_others(const struct curfew_extra_fd *fds, size_t n) {
        unsigned next = 0;

        for (size_t i = 0; i <= n; ++i) {
                unsigned end = i < n ? (unsigned)fds[i].target : ~0U;

                if (next < end && sys_call(SYS_close_range, next, end - (i < n), 0) < 0) {
                        close_others_slowly(fds, n);
                        return;
                }
                next = end + 1;
        }
}

_in_child_ int descriptors_unshare(const struct curfew_extra_fd *fds, size_t n) {
        unsigned end = 0;
        long r;

        for (size_t i = 0; i < n; ++i)
                if ((unsigned)fds[i].source >= end)
                        end = (unsigned)fds[i].source + 1;

        r = sys_call(SYS_close_range, end, ~0U, CLOSE_RANGE_UNSHARE);
        if (r < 0)
                r = sys_call(SYS_unshare, CLONE_FILES);
        return r < 0 ? (int)r : 0;
}

_in_child_ int descriptors_arrange(struct curfew_extra_fd *fds, size_t n) {
        int r = make_way(fds, n);

        for (size_t i = 0; i < n && r == 0; ++i)
                r = put_in_place(&fds[i]);
        if (r == 0)
                close_others(fds, n);
        return r;
}
