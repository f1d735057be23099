// SPDX-License-Identifier: MIT
#include "cli/full/look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How much was read, with a NUL behind it, or -ESRCH. */
static ssize_t read_file(pid_t pid, const char *name, char *buf, size_t size) {
        char path[64];
        ssize_t n = -1;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
                n = read(fd, buf, size - 1);
                close(fd);
        }
        if (n < 0)
                return -ESRCH;
        buf[n] = 0;
        return n;
}

/* See proc_pid_stat(5): the name may have anything in it, so what follows is counted from the last
 * ')'. */
int look_stat(pid_t pid, struct curfew_process *ret, int64_t *ret_key) {
        char buf[1024], *name, *end, *p;
        struct curfew_process process = *ret;
        long long ticks;
        size_t n;

        if (read_file(pid, "stat", buf, sizeof(buf)) <= 0)
                return -ESRCH;
        name = strchr(buf, '(');
        end = strrchr(buf, ')');
        if (!name || !end || sscanf(end, ") %c %d", &process.state, &process.parent) != 2)
                return -ESRCH;
        p = end + 1;
        for (int field = 3; field <= 22 && p; ++field)
                p = strchr(p + (field > 3), ' ');
        if (!p)
                return -ESRCH;

        n = (size_t)(end - name - 1);
        memset(process.name, 0, sizeof(process.name));
        memcpy(process.name, name + 1, n < sizeof(process.name) ? n : sizeof(process.name) - 1);
        ticks = strtoll(p, NULL, 10);
        *ret_key = (int64_t)ticks * (CURFEW_SEC / sysconf(_SC_CLK_TCK));
        *ret = process;
        return 0;
}

/* Half a tick of the clock that it is told in. */
bool look_is_key(int64_t a, int64_t b) {
        int64_t difference = a < b ? b - a : a - b;

        return difference < CURFEW_SEC / sysconf(_SC_CLK_TCK) / 2;
}

bool look_is_same(pid_t pid, int64_t key) {
        struct curfew_process process = { 0 };
        int64_t now;

        return look_stat(pid, &process, &now) == 0 && look_is_key(key, now);
}

static int64_t read_clock(clockid_t clock) {
        struct timespec ts;

        clock_gettime(clock, &ts);
        return ts.tv_sec * CURFEW_SEC + ts.tv_nsec;
}

int64_t look_boot_offset(void) {
        return read_clock(CLOCK_BOOTTIME) - read_clock(CLOCK_MONOTONIC);
}

/* What a program that writes its state there has left of it is a row of NULs, which is no row of
 * empty arguments. */
static size_t without_padding(const char *buf, size_t n) {
        size_t end = n;

        while (end > 0 && buf[end - 1] == 0)
                --end;
        return n - end > 3 ? end + 1 : n;
}

static char *keep_args(const char *buf, size_t n, size_t *ret_size) {
        char *args = malloc(n + 1);

        *ret_size = 0;
        if (!args)
                return NULL;
        memcpy(args, buf, n);
        args[n] = 0;
        *ret_size = n > 0 && buf[n - 1] == 0 ? n : n + 1;
        return args;
}

char *look_args(pid_t pid, size_t *ret_size) {
        char buf[LOOK_MAX_ARGS + 1];
        ssize_t n = read_file(pid, "cmdline", buf, sizeof(buf));

        *ret_size = 0;
        return n <= 0 ? NULL : keep_args(buf, without_padding(buf, (size_t)n), ret_size);
}

char *look_argv(const char *const argv[], size_t *ret_size) {
        char buf[LOOK_MAX_ARGS];
        size_t size = 0;

        for (size_t i = 0; argv[i] && size < sizeof(buf); ++i) {
                size_t n = strlen(argv[i]) + 1, room = sizeof(buf) - size;

                memcpy(buf + size, argv[i], n < room ? n : room);
                size += n < room ? n : room;
        }
        return keep_args(buf, size, ret_size);
}
