// SPDX-License-Identifier: MIT
#include "cli/full/lines.h"
#include "cli/full/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A line is given to one write(2), so that a file has whole lines whenever it is looked at. A
 * reader may be slow: what it has no room for waits here, and what is too much even for that is
 * left out, and counted. A command is not held up by who watches it. The last line is never left
 * out, nor is one for want of room while nothing waits: the first may have a command line of
 * megabytes in it.
 */

#define LIMIT (4u << 20)

static void fail(struct lines *lines, int error) {
        lines->error = error;
        lines->size = 0;
        target_say(&lines->target, error);
}

void lines_flush(struct lines *lines) {
        size_t done = 0;
        ssize_t n = 0;

        while (done < lines->size && (n >= 0 || n == -EINTR)) {
                n = target_write_some(lines->target.fd, lines->waiting + done, lines->size - done);
                done += n > 0 ? (size_t)n : 0;
        }
        if (n < 0 && n != -EAGAIN) {
                fail(lines, (int)n);
                return;
        }
        if (done > 0)
                memmove(lines->waiting, lines->waiting + done, lines->size - done);
        lines->size -= done;
}

static int append(struct lines *lines, const char *text, size_t size) {
        size_t needed = lines->size + size;

        if (needed > lines->capacity) {
                char *waiting = realloc(lines->waiting, 2 * needed);

                if (!waiting)
                        return -ENOMEM;
                lines->waiting = waiting;
                lines->capacity = 2 * needed;
        }
        memcpy(lines->waiting + lines->size, text, size);
        lines->size = needed;
        return 0;
}

static int append_json(struct lines *lines, const json_t *line, size_t limit) {
        char *text = line ? json_print(line, JSON_COMPACT) : NULL;
        size_t n = text ? strlen(text) : 0;
        int r = -ENOMEM;

        if (text && lines->size > 0 && lines->size + n >= limit) {
                r = -ENOBUFS;
        } else if (text) {
                text[n] = '\n'; /* instead of the NUL */
                r = append(lines, text, n + 1);
        }
        free(text);
        return r;
}

static void append_omitted(struct lines *lines, int64_t now, size_t limit) {
        json_t *line = json_pack("{ss so si}", "event", "omitted", "time", json_seconds(now),
                "lines", (int)lines->omitted);

        if (append_json(lines, line, limit) == 0)
                lines->omitted = 0;
        json_decref(line);
}

void lines_add(struct lines *lines, json_t *line, int64_t now) {
        if (lines_wanted(lines)) {
                if (lines->size > 0)
                        lines_flush(lines);
                if (lines->omitted > 0)
                        append_omitted(lines, now, LIMIT);
                if (append_json(lines, line, LIMIT) < 0)
                        ++lines->omitted;
                lines_flush(lines);
        }
        json_decref(line);
}

int lines_finish(struct lines *lines, json_t *last, int64_t now) {
        int r, s;

        if (lines_wanted(lines)) {
                if (lines->omitted > 0)
                        append_omitted(lines, now, SIZE_MAX);
                r = append_json(lines, last, SIZE_MAX);
                s = target_write_all(lines->target.fd, lines->waiting, lines->size);
                if (r < 0 || s < 0)
                        fail(lines, s < 0 ? s : r);
        }
        json_decref(last);
        return lines->error;
}

void lines_deinit(struct lines *lines) {
        free(lines->waiting);
        target_deinit(&lines->target);
        *lines = (struct lines)LINES_NULL;
}
