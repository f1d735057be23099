// SPDX-License-Identifier: MIT

/*
 * What a program costs that runs another one: from the start of the wrapper to its end, around a
 * child that has no C library and around one that has. The floor is a wrapper without a C library
 * (floor.c); what curfew owns meanwhile, and the others don't, is the tree. What that takes at
 * least shows another one without a C library (owner.c).
 *
 *     wrapper CHILD [WRAPPER…]
 *
 * where a WRAPPER is a command line up to the child's own, such as "timeout 10".
 */

#include "bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS 16
#define MAX_WAYS  32

struct line {
        char *words[MAX_WORDS];
};

static int null_fd = -1;

static int64_t by_line(const struct bench_way *way, unsigned n) {
        const struct line *line = way->arg;
        posix_spawn_file_actions_t actions;
        int64_t before = bench_now();

        posix_spawn_file_actions_init(&actions);
        for (int fd = 0; fd < 3; ++fd)
                posix_spawn_file_actions_adddup2(&actions, null_fd, fd);
        for (unsigned i = 0; i < n; ++i) {
                int status = 1;
                pid_t pid;

                if (posix_spawnp(&pid, line->words[0], &actions, NULL, line->words, environ) == 0)
                        waitpid(pid, &status, 0);
                if (status != 0)
                        return BENCH_MISSING;
        }
        posix_spawn_file_actions_destroy(&actions);
        return bench_now() - before;
}

/* The words of the wrapper, and the child. */
static struct line make_line(const char *wrapper, const char *child) {
        struct line line = { 0 };
        char *copy = strdup(wrapper), *save = NULL;
        size_t n = 0;

        if (!copy)
                bench_fail("strdup");
        for (char *word = strtok_r(copy, " ", &save); word && n < MAX_WORDS - 2;
                word = strtok_r(NULL, " ", &save))
                line.words[n++] = word;
        line.words[n] = (char *)child;
        return line;
}

/* Curfew's goal is in GNU timeout's times. */
static void set_goal(struct bench_way *way, const struct bench_way *timeout, double goal) {
        if (!timeout || strstr(way->name, "curfew") == NULL)
                return;
        way->floor = timeout->name;
        way->goal = goal;
}

static void table(const char *title, const char *child, char **wrappers, size_t n, double goal) {
        struct bench_way ways[MAX_WAYS] = { { "the child alone", by_line } };
        const struct bench_way *timeout = NULL;
        struct line lines[MAX_WAYS];

        lines[0] = make_line("", child);
        ways[0].arg = &lines[0];
        for (size_t i = 1; i <= n; ++i) {
                lines[i] = make_line(wrappers[i - 1], child);
                ways[i] = (struct bench_way){ wrappers[i - 1], by_line, &lines[i] };
                if (strncmp(wrappers[i - 1], "timeout", 7) == 0)
                        timeout = &ways[i];
        }
        for (size_t i = 1; i <= n; ++i)
                set_goal(&ways[i], timeout, goal);
        bench_table(title, ways, n + 1, bench_rounds(100), 10);
}

int main(int argc, char **argv) {
        if (argc < 2 || argc > MAX_WAYS) {
                fprintf(stderr, "usage: %s CHILD [WRAPPER…]\n", argv[0]);
                return 2;
        }
        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0)
                bench_fail("/dev/null");

        table("A whole process around a child without a C library; curfew beside timeout", argv[1],
                argv + 2, (size_t)argc - 2, 0.2);
        table("The same around /bin/true", "/bin/true", argv + 2, (size_t)argc - 2, 0.5);
        return 0;
}
