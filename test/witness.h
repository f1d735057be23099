// SPDX-License-Identifier: MIT
#pragma once

/* What the witnesses of a run have written down, see witness.c. */

#include "test.h"

#include <fcntl.h>
#include <poll.h>

#define WITNESS_LOG  3 /* the descriptor that they write to */
#define WITNESS_STAY 3 /* so many processes has "stay" */
#define WITNESS_MAX  64

struct witness {
        pid_t pid;
        unsigned up, usr1, term, done, exit, idle; /* so many lines */
        bool late; /* its first came when the host had been killed */
};

struct witness_log {
        char text[8192];
        size_t size;
        struct witness items[WITNESS_MAX];
        size_t n;
        bool killed;
};

static inline struct witness *witness_get(struct witness_log *log, pid_t pid) {
        for (size_t i = 0; i < log->n; ++i)
                if (log->items[i].pid == pid)
                        return &log->items[i];
        assert_lt(log->n, WITNESS_MAX);
        log->items[log->n] = (struct witness){ .pid = pid, .late = log->killed };
        return &log->items[log->n++];
}

static inline void witness_take_line(struct witness_log *log, const char *line) {
        struct witness *w;
        char word[8];
        int pid;

        if (sscanf(line, "%7s %d", word, &pid) != 2)
                test_fail(__FILE__, __LINE__, "not a witness: %s", line);
        w = witness_get(log, pid);
        w->up += strcmp(word, "up") == 0;
        w->usr1 += strcmp(word, "usr1") == 0;
        w->term += strcmp(word, "term") == 0;
        w->done += strcmp(word, "done") == 0;
        w->exit += strcmp(word, "exit") == 0;
        w->idle += strcmp(word, "idle") == 0;
}

/* Read more: 0 at the end of it, which is when all of them are gone. */
static inline size_t witness_read(struct witness_log *log, int fd) {
        size_t begin = log->size;
        ssize_t n = read(fd, log->text + log->size, sizeof(log->text) - 1 - log->size);

        assert_ge(n, 0);
        log->size += (size_t)n;
        log->text[log->size] = 0;
        for (char *line = log->text + begin; *line; line += strcspn(line, "\n") + 1)
                witness_take_line(log, line); /* a read gives whole lines, as the writes are */
        return (size_t)n;
}

static inline void witness_read_all(struct witness_log *log, int fd) {
        while (witness_read(log, fd) > 0)
                ;
}

/* The sum of a word's lines; `offset` is that of its field. */
static inline unsigned witness_sum(const struct witness_log *log, size_t offset) {
        unsigned sum = 0;

        for (size_t i = 0; i < log->n; ++i)
                sum += *(const unsigned *)((const char *)&log->items[i] + offset);
        return sum;
}

#define WITNESS_SUM(log, word) witness_sum(log, offsetof(struct witness, word))

/* Read until there are so many lines of a word. */
#define WITNESS_AWAIT(log, fd, word, count)                                                        \
        do {                                                                                       \
                while (WITNESS_SUM(log, word) < (count))                                           \
                        assert_gt(witness_read(log, fd), 0);                                       \
        } while (0)
