// SPDX-License-Identifier: MIT
#include "sys/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
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
 */

static int read_file(const char *path, char *buf, size_t size) {
        _cleanup_(close_fdp) int fd = -1;
        ssize_t n;

        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        n = read(fd, buf, size - 1);
        if (n < 0)
                return -errno;

        buf[n] = 0;
        return (int)n;
}

/* "pid (comm) state ppid pgrp … starttime …" (proc_pid_stat(5)): comm may hold anything, blanks and
 * parentheses included, so the fields are counted from the last ')'. The threads are field 20, the
 * start 22. */
int proc_stat(pid_t pid, struct proc_stat *ret) {
        struct proc_stat stat = { .pid = pid };
        char path[32], buf[1024], *p;
        int r;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        r = read_file(path, buf, sizeof(buf));
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;

        p = strrchr(buf, ')');
        if (!p || sscanf(p + 1, " %c %d %d", &stat.state, &stat.parent, &stat.group) != 3)
                return -ESRCH;

        for (int field = 2; field < 22; ++field) {
                p = strchr(p + 1, ' ');
                if (!p)
                        return -ESRCH;
                if (field == 19)
                        stat.n_threads = (int)strtol(p + 1, NULL, 10);
        }
        stat.start = strtoull(p + 1, NULL, 10);

        *ret = stat;
        return 0;
}

void proc_list_deinit(struct proc_list *list) {
        free(list->items);
        *list = (struct proc_list)PROC_LIST_NULL;
}

static bool has(const struct proc_list *list, pid_t pid, uint64_t start) {
        for (size_t i = 0; i < list->n; ++i)
                if (list->items[i].pid == pid && list->items[i].start == start)
                        return true;
        return false;
}

int proc_list_add(struct proc_list *list, const struct proc_stat *stat) {
        if (has(list, stat->pid, stat->start))
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

static void closedirp(DIR **dir) {
        if (*dir)
                closedir(*dir);
}

/* The number that a directory entry is, or 0. */
static pid_t entry_pid(const struct dirent *entry) {
        return isdigit((unsigned char)entry->d_name[0]) ? (pid_t)atoi(entry->d_name) : 0;
}

int proc_list_add_group(struct proc_list *list, pid_t group) {
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *entry;
        struct proc_stat stat;
        int r;

        dir = opendir("/proc");
        if (!dir)
                return -errno;

        while ((entry = readdir(dir))) {
                if (entry_pid(entry) == 0 || proc_stat(entry_pid(entry), &stat) < 0)
                        continue;
                if (stat.group != group || proc_is_dead(&stat))
                        continue;
                r = proc_list_add(list, &stat);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The children of one thread. The file holds all of them, and the kernel hands out a consistent
 * page at a time; a child that is missed because another exits meanwhile is found by the next
 * sweep. */
static int add_children(struct proc_list *list, pid_t pid, pid_t tid) {
        _cleanup_(freep) char *line = NULL;
        size_t size = 0;
        char path[64], *p;
        struct proc_stat stat;
        FILE *file;
        ssize_t n;
        int r = 0;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)tid);
        file = fopen(path, "re");
        if (!file)
                return errno == EMFILE || errno == ENFILE ? -errno : 0;
        n = getline(&line, &size, file);
        fclose(file);

        p = n > 0 ? line : NULL;
        while (p && r >= 0) {
                pid_t child = (pid_t)strtol(p, &p, 10);

                if (child == 0)
                        break;
                if (proc_stat(child, &stat) == 0 && stat.parent == pid && !proc_is_dead(&stat))
                        r = proc_list_add(list, &stat);
        }
        return r;
}

/* Any thread can have forked. */
static int add_children_of_threads(struct proc_list *list, pid_t pid) {
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *entry;
        char path[32];
        int r = 0;

        snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        dir = opendir(path);
        while (dir && r >= 0 && (entry = readdir(dir)))
                if (entry_pid(entry) != 0)
                        r = add_children(list, pid, entry_pid(entry));
        return r;
}

/* The list grows behind the index that walks it, so this is the whole tree, level by level. */
int proc_list_add_descendants(struct proc_list *list) {
        int r;

        for (size_t i = 0; i < list->n; ++i) {
                r = add_children_of_threads(list, list->items[i].pid);
                if (r < 0)
                        return r;
        }
        return 0;
}
