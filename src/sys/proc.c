// SPDX-License-Identifier: MIT
#include "sys/proc.h"
#include "base/ascii.h"
#include "sys/call.h"
#include "sys/dir.h"
#include "sys/numbers.h"

#include <poll.h>
#include <signal.h>
#include <string.h>

/*
 * A number is a process only for a moment. What stays bound to one is an open directory /proc/PID:
 * what is read below it is that process or nothing, and it takes signals as a pidfd does
 * (pidfd_send_signal(2)). So a process is opened once, by its number, and after that the number is
 * not used any more. Where /proc doesn't show a process (hidepid=, a security module, a process
 * that is not dumpable) a pidfd takes its place: it can be signalled, but little is known of it.
 *
 * Descriptors are the host's, and few. A process that can't be held any longer is known by its
 * number and the time of its start, and opened anew. The clock tick that this is counted in is long
 * enough for a number to come round in theory; in practice that takes a wrap of all numbers within
 * one.
 *
 * The keeper does this, too, and has no C library: so these are bare system calls, and what little
 * there is to format and to parse is done by hand.
 */

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP (1UL << 2)
#endif

static int read_file(int dir, const char *path, char *buf, size_t size) {
        long fd = sys_call(SYS_openat, dir, path, O_RDONLY | O_CLOEXEC), n;

        if (fd < 0)
                return (int)fd;
        do
                n = sys_call(SYS_read, fd, buf, size - 1);
        while (n == -EINTR);
        sys_call(SYS_close, fd);
        buf[n > 0 ? n : 0] = 0;
        return (int)n;
}

static int64_t parse_number(const char *text) {
        bool negative = *text == '-';
        int64_t value = 0;

        for (text += negative; ascii_digit(*text, 10) >= 0; ++text)
                value = (int64_t)((uint64_t)value * 10 + (uint64_t)ascii_digit(*text, 10));
        return negative ? -value : value;
}

/* "pid (comm) state ppid pgrp session … num_threads … starttime …" (proc_pid_stat(5)): comm may
 * hold anything, blanks and parentheses included, so the fields are counted from the last ')'. */
static int parse_stat(const char *text, struct proc *proc) {
        const char *name = strchr(text, '('), *p = strrchr(text, ')');
        size_t n;

        if (!name || !p || p[1] != ' ')
                return -ESRCH;

        n = (size_t)(p - name - 1);
        n = n < sizeof(proc->name) ? n : sizeof(proc->name) - 1;
        memcpy(proc->name, name + 1, n);
        proc->state = p[2];

        for (int field = 3; field <= 22; ++field) {
                p = strchr(p + 1, ' ');
                if (!p)
                        return -ESRCH;
                switch (field) {
                case 4: proc->parent = (pid_t)parse_number(p + 1); break;
                case 5: proc->group = (pid_t)parse_number(p + 1); break;
                case 6: proc->session = (pid_t)parse_number(p + 1); break;
                case 20: proc->n_threads = (int)parse_number(p + 1); break;
                case 22: proc->start = (uint64_t)parse_number(p + 1); break;
                }
        }
        return 0;
}

/* A zombie is not left running, and nothing can be done to it; unless only its first thread is one.
 */
static bool is_dead(const struct proc *proc) {
        return (proc->state == 'Z' || proc->state == 'X') && proc->n_threads <= 1;
}

static int read_stat(int fd, struct proc *proc) {
        char buf[1024];
        int r = read_file(fd, "stat", buf, sizeof(buf));

        if (r == 0 || r == -ENOENT)
                return -ESRCH;
        if (r > 0)
                r = parse_stat(buf, proc);
        return r == 0 ? is_dead(proc) : r;
}

static int open_dir(pid_t pid) {
        char path[32];

        dir_append_number(dir_append(path, "/proc/"), (uint64_t)pid);
        return (int)sys_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool has_ended(int pidfd) {
        struct pollfd fd = { .fd = pidfd, .events = POLLIN };
        const struct timespec none = { 0 };

        return sys_call(SYS_ppoll, &fd, 1, &none, NULL, 0) > 0;
}

/* Its groups are known: to ask for these takes no right. */
int proc_hold_hidden(pid_t pid, struct proc *ret) {
        struct proc proc = { .pid = pid, .hidden = true };

        proc.fd = (int)sys_call(SYS_pidfd_open, pid, 0);
        if (proc.fd == -EINVAL || proc.fd == -ENOENT) /* it is not a first thread */
                return -ESRCH;
        if (proc.fd < 0)
                return proc.fd;
        proc.group = (pid_t)sys_call(SYS_getpgid, pid);
        proc.session = (pid_t)sys_call(SYS_getsid, pid);
        if (has_ended(proc.fd)) {
                proc_release(&proc);
                return 1;
        }
        *ret = proc;
        return 0;
}

bool proc_is_shortage(int r) {
        return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

int proc_hold(pid_t pid, struct proc *ret) {
        struct proc proc = { .pid = pid, .fd = open_dir(pid) };
        int r = proc.fd < 0 ? proc.fd : read_stat(proc.fd, &proc);

        if (r == 0) {
                *ret = proc;
                return 0;
        }
        proc_release(&proc);
        return r > 0 || r == -ESRCH || proc_is_shortage(r) ? r : proc_hold_hidden(pid, ret);
}

int proc_hold_known(pid_t pid, struct proc *ret) {
        int fd = open_dir(pid);

        if (fd < 0)
                return fd == -ENOENT ? -ESRCH : fd;
        *ret = (struct proc){ .pid = pid, .fd = fd };
        return 0;
}

void proc_release(struct proc *proc) {
        if (proc->fd >= 0)
                sys_call(SYS_close, proc->fd);
        proc->fd = -1;
}

static int open_again(const struct proc *proc) {
        struct proc now = { .pid = proc->pid };
        int fd = proc->hidden ? -ESRCH : open_dir(proc->pid), r;

        if (fd < 0)
                return fd == -ENOENT ? -ESRCH : fd; /* it has been seen */
        r = read_stat(fd, &now);
        if (r == 0 && now.start == proc->start)
                return fd;
        sys_call(SYS_close, fd);
        return r < 0 ? r : -ESRCH;
}

int proc_borrow(const struct proc *proc) {
        return proc->fd >= 0 ? proc->fd : open_again(proc);
}

void proc_give_back(const struct proc *proc, int fd) {
        if (fd != proc->fd)
                sys_call(SYS_close, fd);
}

static int send(const struct proc *proc, int signal, bool cont, unsigned long flags) {
        int fd = proc_borrow(proc);
        long r;

        if (fd < 0)
                return fd;
        r = sys_call(SYS_pidfd_send_signal, fd, signal, NULL, flags);
        if (r == 0 && cont)
                sys_call(SYS_pidfd_send_signal, fd, SIGCONT, NULL, flags);
        proc_give_back(proc, fd);
        return (int)r;
}

bool proc_is_there(const struct proc *proc) {
        return send(proc, 0, false, 0) != -ESRCH;
}

int proc_signal(const struct proc *proc, int signal, bool cont) {
        return send(proc, signal, cont, 0);
}

int proc_signal_group(const struct proc *proc, int signal, bool cont) {
        return send(proc, signal, cont, PIDFD_SIGNAL_PROCESS_GROUP);
}

/* A file of any length, piece by piece, each with the end of the one before. What the kernel says
 * of a process is made as a whole: so a read that brings less than there is room for is the last.
 */
struct pieces {
        int fd;
        bool is_last;
        size_t used;
        char text[4096];
};

static int pieces_open(struct pieces *pieces, int dir, const char *path) {
        pieces->fd = (int)sys_call(SYS_openat, dir, path, O_RDONLY | O_CLOEXEC);
        pieces->is_last = false;
        pieces->used = 0;
        return pieces->fd;
}

/* Returns whether there is one, or a negative errno. */
static int pieces_next(struct pieces *pieces, size_t keep) {
        size_t kept = pieces->used < keep ? pieces->used : keep;
        size_t room = sizeof(pieces->text) - 1 - kept;
        long n;

        if (pieces->is_last)
                return 0;
        memcpy(pieces->text, pieces->text + pieces->used - kept, kept);
        do
                n = sys_call(SYS_read, pieces->fd, pieces->text + kept, room);
        while (n == -EINTR);
        if (n < 0)
                return (int)n;
        pieces->is_last = (size_t)n < room;
        pieces->used = kept + (size_t)n;
        pieces->text[pieces->used] = 0;
        return 1;
}

/* A line "Key:\t0000000000000001" of /proc/PID/status, all of it: a set of signals. */
static bool has_signal(const char *status, const char *key, int signal) {
        const char *p = strstr(status, key);
        uint64_t set = 0;

        if (!p)
                return false;
        for (p += strlen(key) + 1; ascii_digit(*p, 16) >= 0; ++p)
                set = set << 4 | (uint64_t)ascii_digit(*p, 16);
        return *p == '\n' && signal > 0 && set >> (signal - 1) & 1;
}

#define SET_LINE 64 /* the line of a set is shorter */

/* They stand behind the groups, of which a process may have 65,536. */
bool proc_handles(const struct proc *proc, int signal) {
        int fd = proc->hidden ? -ESRCH : proc_borrow(proc), r;
        struct pieces pieces;
        bool handles = false;

        if (fd < 0)
                return true;
        r = pieces_open(&pieces, fd, "status");
        proc_give_back(proc, fd);
        if (r < 0)
                return true;
        while (!handles && (r = pieces_next(&pieces, SET_LINE)) > 0)
                handles = has_signal(pieces.text, "\nSigCgt:", signal) ||
                          has_signal(pieces.text, "\nSigIgn:", signal);
        sys_call(SYS_close, pieces.fd);
        return handles || r < 0;
}

/* It is read, not asked for: a security module may let it be seen and not opened. */
int proc_is_ours(void) {
        pid_t own = (pid_t)sys_call(SYS_getpid);
        char text[24] = "", path[64];
        struct numbers numbers;
        char *p;
        int r;

        if (sys_call(SYS_readlinkat, AT_FDCWD, "/proc/self", text, sizeof(text) - 1) <= 0 ||
                parse_number(text) != own)
                return 0;
        p = dir_append_number(dir_append(path, "/proc/"), (uint64_t)own);
        p = dir_append_number(dir_append(p, "/task/"), (uint64_t)own);
        dir_append(p, "/children");
        r = numbers_read(&numbers, AT_FDCWD, path);
        if (r == 0)
                numbers_deinit(&numbers);
        return proc_is_shortage(r) ? r : r == 0;
}

/* The one is a number, the other "… 1/123 4567" (proc_sys_kernel(5), proc_loadavg(5)). The second
 * is there always, but in a container it may have been written by somebody else. */
pid_t proc_last(void) {
        char buf[128];
        const char *p;

        if (read_file(AT_FDCWD, "/proc/sys/kernel/ns_last_pid", buf, sizeof(buf)) > 0)
                return (pid_t)parse_number(buf);
        if (read_file(AT_FDCWD, "/proc/loadavg", buf, sizeof(buf)) <= 0)
                return 0;
        p = strrchr(buf, ' ');
        return p ? (pid_t)parse_number(p + 1) : 0;
}

struct proc_moment proc_now(void) {
        struct timespec now = { 0 };

        clock_gettime(CLOCK_BOOTTIME, &now);
        return (struct proc_moment){
                .tick = (uint64_t)now.tv_sec * PROC_TICKS +
                        (uint64_t)now.tv_nsec / (CLOCK_SEC / PROC_TICKS),
                .last = proc_last(),
        };
}

/* Between the two the numbers may have come round. */
bool proc_is_younger(const struct proc *proc, const struct proc_moment *moment, pid_t now) {
        if (proc->start > 0 && proc->start < moment->tick)
                return false;
        if (moment->last == 0 || proc->pid > moment->last)
                return true;
        return now < moment->last && proc->pid <= now;
}

/* "/memfd:NAME (deleted)", or where it was installed, "…/NAME". */
static bool is_image(const char *path) {
        const char *name = strrchr(path, '/');
        size_t n = strlen(PROC_IMAGE);

        if (strncmp(path, "/memfd:", 7) == 0)
                return strncmp(path + 7, PROC_IMAGE, n) == 0;
        return name && strcmp(name + 1, PROC_IMAGE) == 0;
}

/* Anybody can take the name, but not by accident the program. */
bool proc_is_keeper(const struct proc *proc) {
        char path[4096] = "";
        long n;
        int fd;

        if (strcmp(proc->name, PROC_KEEPER) != 0)
                return false;
        fd = proc_borrow(proc);
        if (fd < 0)
                return false;
        n = sys_call(SYS_readlinkat, fd, "exe", path, sizeof(path) - 1);
        proc_give_back(proc, fd);
        return n > 0 && is_image(path);
}

/* Of every hierarchy, each of which has a line and a path. */
unsigned proc_cgroup_depth(const struct proc *proc, const char *prefix) {
        size_t n = strlen(prefix);
        struct pieces pieces;
        unsigned depth = 0;
        int fd = proc_borrow(proc), r;

        if (fd < 0)
                return 0;
        r = pieces_open(&pieces, fd, "cgroup");
        proc_give_back(proc, fd);
        if (r < 0)
                return 0;
        while (pieces_next(&pieces, n) > 0)
                for (const char *p = strchr(pieces.text, '/'); p; p = strchr(p + 1, '/'))
                        depth += strncmp(p + 1, prefix, n) == 0;
        sys_call(SYS_close, pieces.fd);
        return depth;
}
