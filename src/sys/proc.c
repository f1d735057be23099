// SPDX-License-Identifier: MIT
#include "sys/proc.h"
#include "base/ascii.h"
#include "base/clock.h"
#include "sys/call.h"
#include "sys/dir.h"

#include <signal.h>
#include <string.h>

/*
 * A number in /proc is a process only for a moment; what makes it an identity is the time of its
 * start beside it. So that is read with everything else, and a list knows a process by both. The
 * clock tick it is counted in is long enough for a number to come round in theory; in practice that
 * takes a wrap of all numbers within one.
 *
 * Descent is read from task/TID/children, where the kernel keeps it anyway: the cost is that of the
 * tree, not of the machine. Without that file (CONFIG_PROC_CHILDREN) nothing is found below a
 * process. Only the members of a group need a look at every process there is.
 *
 * The keeper does this, too, and has no C library: so these are bare system calls, and what little
 * there is to format and to parse is done by hand.
 */

/* "/proc/PID/name", or with a thread "/proc/PID/task/TID/name". */
static void make_path(char path[80], pid_t pid, pid_t tid, const char *name) {
        char *p = dir_append(path, "/proc/");

        p = dir_append_number(p, (uint64_t)pid);
        if (tid > 0)
                p = dir_append_number(dir_append(p, "/task/"), (uint64_t)tid);
        dir_append(dir_append(p, "/"), name);
}

static int read_file(pid_t pid, const char *name, char *buf, size_t size) {
        char path[80];
        long fd, n;

        make_path(path, pid, 0, name);
        fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return (int)fd;

        do
                n = sys_call(SYS_read, fd, buf, size - 1);
        while (n == -EINTR);
        sys_call(SYS_close, fd);
        if (n < 0)
                return (int)n;

        buf[n] = 0;
        return (int)n;
}

static int64_t parse_number(const char *text) {
        bool negative = *text == '-';
        int64_t value = 0;

        for (text += negative; ascii_digit(*text, 10) >= 0; ++text)
                value = (int64_t)((uint64_t)value * 10 + (uint64_t)ascii_digit(*text, 10));
        return negative ? -value : value;
}

/* "pid (comm) state ppid pgrp … starttime …" (proc_pid_stat(5)): comm may hold anything, blanks and
 * parentheses included, so the fields are counted from the last ')'. */
static int parse_stat(const char *text, struct proc_stat *stat) {
        const char *name = strchr(text, '('), *p = strrchr(text, ')');
        size_t n;

        if (!name || !p || p[1] != ' ')
                return -ESRCH;

        n = (size_t)(p - name - 1);
        n = n < sizeof(stat->name) ? n : sizeof(stat->name) - 1;
        memcpy(stat->name, name + 1, n);
        stat->state = p[2];

        for (int field = 3; field <= 22; ++field) {
                p = strchr(p + 1, ' ');
                if (!p)
                        return -ESRCH;
                switch (field) {
                case 4: stat->parent = (pid_t)parse_number(p + 1); break;
                case 5: stat->group = (pid_t)parse_number(p + 1); break;
                case 20: stat->n_threads = (int)parse_number(p + 1); break;
                case 22: stat->start = (uint64_t)parse_number(p + 1); break;
                }
        }
        return 0;
}

int proc_stat(pid_t pid, struct proc_stat *ret) {
        struct proc_stat stat = { .pid = pid };
        char buf[1024];
        int r = read_file(pid, "stat", buf, sizeof(buf));

        if (r == 0 || r == -ENOENT)
                r = -ESRCH;
        if (r > 0)
                r = parse_stat(buf, &stat);
        if (r < 0)
                return r;

        *ret = stat;
        return 0;
}

bool proc_is_ours(void) {
        pid_t own = (pid_t)sys_call(SYS_getpid);
        char text[24] = "", path[80];
        long n = sys_call(SYS_readlinkat, AT_FDCWD, "/proc/self", text, sizeof(text) - 1);

        if (n == -ENOENT || (n > 0 && parse_number(text) != own))
                return false;
        make_path(path, own, own, "children");
        return sys_call(SYS_faccessat, AT_FDCWD, path, R_OK) != -ENOENT;
}

/* "… 1/123 4567": the last field is the number that was given out last (proc_loadavg(5)). */
static pid_t last_pid(void) {
        char buf[128] = "";
        const char *p;
        long fd = sys_call(SYS_openat, AT_FDCWD, "/proc/loadavg", O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return 0;
        sys_call(SYS_read, fd, buf, sizeof(buf) - 1);
        sys_call(SYS_close, fd);
        p = strrchr(buf, ' ');
        return p ? (pid_t)parse_number(p + 1) : 0;
}

struct proc_moment proc_now(void) {
        struct timespec now = { 0 };
        struct proc_moment moment;

        clock_gettime(CLOCK_BOOTTIME, &now);
        moment.tick = (uint64_t)now.tv_sec * PROC_TICKS +
                      (uint64_t)now.tv_nsec / (CLOCK_SEC / PROC_TICKS);
        moment.last = last_pid();
        return moment;
}

bool proc_is_keeper(const struct proc_stat *stat) {
        return strcmp(stat->name, PROC_KEEPER) == 0;
}

int proc_open(const struct proc_stat *stat, struct proc_stat *ret_now) {
        long fd = sys_call(SYS_pidfd_open, stat->pid, 0);
        int r;

        if (fd < 0)
                return (int)fd;

        r = proc_stat(stat->pid, ret_now);
        if (r == 0 && (ret_now->start != stat->start || proc_is_dead(ret_now)))
                r = -ESRCH;
        if (r < 0) {
                sys_call(SYS_close, fd);
                return r;
        }
        return (int)fd;
}

int proc_signal(const struct proc_stat *stat, int signal, bool cont) {
        struct proc_stat now;
        int fd = proc_open(stat, &now);
        long r;

        if (fd < 0)
                return fd;

        r = sys_call(SYS_pidfd_send_signal, fd, signal, NULL, 0);
        if (r == 0 && cont)
                sys_call(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0);
        sys_call(SYS_close, fd);
        return (int)r;
}

/* A line "Key:\t0000000000000001" of /proc/PID/status: a set of signals. */
static bool has_signal(const char *status, const char *key, int signal) {
        const char *p = strstr(status, key);
        uint64_t set = 0;

        if (!p)
                return false;
        for (p += strlen(key) + 1; ascii_digit(*p, 16) >= 0; ++p)
                set = set << 4 | (uint64_t)ascii_digit(*p, 16);
        return signal > 0 && set >> (signal - 1) & 1;
}

enum proc_answer proc_answer(pid_t pid, int signal) {
        char buf[4096];

        if (read_file(pid, "status", buf, sizeof(buf)) <= 0 ||
                !has_signal(buf, "\nShdPnd:", signal) || !has_signal(buf, "\nSigCgt:", signal))
                return PROC_HAS_ANSWERED;
        if (!strstr(buf, "\nState:\tR") || has_signal(buf, "\nSigBlk:", signal))
                return PROC_MAY_ANSWER;
        return PROC_WILL_ANSWER;
}

bool proc_is_in_cgroup(pid_t pid, const char *name) {
        size_t n = strlen(name);
        char buf[4096 + 256];

        if (read_file(pid, "cgroup", buf, sizeof(buf)) <= 0)
                return false;
        for (const char *p = strchr(buf, '/'); p; p = strchr(p + 1, '/'))
                if (strncmp(p + 1, name, n) == 0 && (p[1 + n] == '/' || p[1 + n] == '\n'))
                        return true;
        return false;
}

unsigned proc_cgroup_depth(pid_t pid, const char *prefix) {
        size_t n = strlen(prefix);
        char buf[4096 + 256];
        unsigned depth = 0;

        if (read_file(pid, "cgroup", buf, sizeof(buf)) <= 0)
                return 0;
        for (const char *p = strchr(buf, '/'); p; p = strchr(p + 1, '/'))
                depth += strncmp(p + 1, prefix, n) == 0;
        return depth;
}

void proc_list_deinit(struct proc_list *list) {
        free(list->items);
        *list = (struct proc_list)PROC_LIST_NULL;
}

static bool has(const struct proc_list *list, const struct proc_stat *stat) {
        for (size_t i = 0; i < list->n; ++i)
                if (proc_is_same(&list->items[i], stat))
                        return true;
        return false;
}

int proc_list_add(struct proc_list *list, const struct proc_stat *stat) {
        if (has(list, stat))
                return 0;

        if (list->n == list->capacity) {
                size_t capacity = list->capacity > 0 ? 2 * list->capacity : 16;
                struct proc_stat *items = realloc(list->items, capacity * sizeof(*items));

                if (!items)
                        return -ENOMEM;
                list->items = items;
                list->capacity = capacity;
        }

        list->items[list->n++] = *stat;
        return 0;
}

void proc_list_keep_older(struct proc_list *list, size_t first, const struct proc_moment *moment) {
        size_t n = first;

        for (size_t i = first; i < list->n; ++i)
                if (!proc_is_younger(&list->items[i], moment))
                        list->items[n++] = list->items[i];
        list->n = n;
}

static bool is_shortage(int r) {
        return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

int proc_list_shortage(const struct proc_list *list) {
        return is_shortage(list->error) ? list->error : 0;
}

static void note_error(struct proc_list *list, int r) {
        if (list->error == 0 || is_shortage(r))
                list->error = r;
}

static int add_alive(struct proc_list *list, pid_t pid, pid_t parent) {
        struct proc_stat stat;
        int r = pid > 0 ? proc_stat(pid, &stat) : -ESRCH;

        if (r < 0) {
                if (r != -ESRCH)
                        note_error(list, r);
                return 0;
        }
        if (proc_is_dead(&stat)) {
                ++list->n_dead;
                return 0;
        }
        if (parent > 0 && stat.parent != parent)
                return 0;
        return proc_list_add(list, &stat);
}

/* Whatever stands between two numbers separates them, and a number may go on in the next piece. */
int proc_list_add_file(struct proc_list *list, int dir, const char *path, pid_t parent) {
        long fd = sys_call(SYS_openat, dir, path, O_RDONLY | O_CLOEXEC), n = 0;
        char buf[1024] = "";
        pid_t pid = 0;
        int r = 0;

        if (fd < 0)
                return (int)fd;

        while (r >= 0 && (n = sys_call(SYS_read, fd, buf, sizeof(buf))) > 0)
                for (long i = 0; i < n && r >= 0; ++i) {
                        int digit = ascii_digit(buf[i], 10);

                        if (digit < 0)
                                r = add_alive(list, pid, parent);
                        pid = digit < 0 ? 0 : 10 * pid + digit;
                }
        if (r >= 0)
                r = n < 0 ? (int)n : add_alive(list, pid, parent);
        sys_call(SYS_close, fd);
        return r;
}

/* A process or thread that is gone has no children any more; they have another parent by now. */
static int forgive_gone(int r) {
        return r == -ENOENT || r == -ESRCH ? 0 : r;
}

static int add_children_of(struct proc_list *list, pid_t pid, pid_t tid) {
        char path[80];

        make_path(path, pid, tid, "children");
        return forgive_gone(proc_list_add_file(list, AT_FDCWD, path, pid));
}

int proc_list_add_children(struct proc_list *list, const struct proc_stat *stat) {
        pid_t pid = stat->pid, tid;
        char path[80];
        struct dir dir;
        int r;

        if (stat->n_threads == 1)
                return add_children_of(list, pid, pid);

        make_path(path, pid, 0, "task");
        r = dir_open(&dir, AT_FDCWD, path);
        if (r < 0)
                return forgive_gone(r);

        while (r >= 0 && (tid = dir_next_number(&dir)) > 0)
                r = add_children_of(list, pid, tid);
        if (r >= 0)
                r = forgive_gone(dir_error(&dir));
        dir_close(&dir);
        return r;
}

bool proc_is_childless(pid_t pid) {
        _cleanup_(proc_list_deinit) struct proc_list list = PROC_LIST_NULL;
        const struct proc_stat stat = { .pid = pid }; /* of so many threads as there may be */

        return proc_list_add_children(&list, &stat) == 0 && list.n == 0 && list.error == 0;
}

/* The list grows behind the index that walks it, so this is the whole tree, level by level. */
int proc_list_add_descendants(struct proc_list *list) {
        int r = 0;

        for (size_t i = 0; i < list->n && r >= 0; ++i) {
                const struct proc_stat stat = list->items[i];

                r = proc_list_add_children(list, &stat);
        }
        return r;
}

int proc_list_add_group(struct proc_list *list, pid_t group) {
        struct proc_stat stat;
        struct dir dir;
        pid_t pid;
        int r = dir_open(&dir, AT_FDCWD, "/proc");

        if (r < 0)
                return r;

        while (r >= 0 && (pid = dir_next_number(&dir)) > 0) {
                int error = proc_stat(pid, &stat);

                if (is_shortage(error)) /* whatever else: most of them are not in the group */
                        note_error(list, error);
                else if (error == 0 && stat.group == group && !proc_is_dead(&stat))
                        r = proc_list_add(list, &stat);
        }
        if (r >= 0)
                r = dir_error(&dir);
        dir_close(&dir);
        return r;
}
