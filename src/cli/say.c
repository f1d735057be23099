// SPDX-License-Identifier: MIT
#include "say.h"
#include "curfew.h"
#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A line on stderr may have to wait for who reads it. Before the command starts and after it has
 * ended that may take a second: then it is lost, and nothing else is. In between a second would be
 * a step that is late, for each line that tells of one. So there a line is written if there is room
 * for it, and else kept until there is, which the loop that supervises looks for.
 */

#define MAX_LINE    4096 /* PIPE_BUF: lines of several curfews into one pipe don't mix */
#define MAX_WAITING ((size_t)4 * MAX_LINE)
#define PATIENCE    CURFEW_SEC

static int put(const char *line, size_t size) {
        struct output output;
        int r;

        output_open(STDERR_FILENO, &output);
        r = output_write_all(&output, line, size, curfew_now() + PATIENCE);
        output_close(&output);
        return r;
}

/* What isn't UTF-8, whatever the locale is, and what would do more than be shown, becomes '?': so a
 * line stays one line and can't pretend to be another. It only becomes shorter. */
static size_t make_plain(char *line) {
        size_t n = 0;

        for (const char *p = line; *p;) {
                uint32_t c = 0;
                size_t size = utf8_decode(p, &c);

                if (utf8_is_plain(c))
                        memmove(line + n, p, size);
                else
                        line[n] = '?';
                n += utf8_is_plain(c) ? size : 1;
                p += size > 0 ? size : 1;
        }
        return n;
}

/* A name that the user typed may be of any length and have anything in it; the line is cut. */
__attribute__((__format__(printf, 3, 0))) static size_t compose(
        char line[MAX_LINE], const char *program, const char *format, va_list ap) {
        size_t n = 0;

        line[0] = 0;
        if (program)
                n = (size_t)snprintf(line, MAX_LINE, "%.1024s: ", program);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer loses it on the way */
        vsnprintf(line + n, MAX_LINE - n, format, ap);

        n = make_plain(line);
        line[n++] = '\n';
        return n;
}

/* There is nobody to tell that there is nobody to tell. */
void say(const char *format, ...) {
        char line[MAX_LINE];
        va_list ap;

        va_start(ap, format);
        put(line, compose(line, "curfew", format, ap));
        va_end(ap);
}

int say_as(const char *program, const char *format, ...) {
        char line[MAX_LINE];
        va_list ap;
        int r;

        va_start(ap, format);
        r = put(line, compose(line, program, format, ap));
        va_end(ap);
        return r;
}

static void forget(struct speech *speech, size_t size) {
        speech->size -= size;
        memmove(speech->waiting, speech->waiting + size, speech->size);
}

static size_t first_line(const struct speech *speech) {
        const char *end = memchr(speech->waiting, '\n', speech->size);

        return (size_t)(end - speech->waiting) + 1;
}

void speech_flush(struct speech *speech) {
        ssize_t n = 1;

        while (speech->size > 0 && n > 0) {
                n = output_write(&speech->output, speech->waiting, first_line(speech));
                if (n > 0)
                        forget(speech, (size_t)n);
        }
        if (n < 0 && n != -EAGAIN)
                speech->error = (int)n;
        if (speech->error < 0)
                speech->size = 0;
}

static bool has_room(struct speech *speech, size_t size) {
        if (speech->output.fd < 0)
                output_open(STDERR_FILENO, &speech->output);
        if (!speech->waiting)
                speech->waiting = malloc(MAX_WAITING);
        return speech->waiting && size <= MAX_WAITING - speech->size;
}

void speech_say(struct speech *speech, const char *format, ...) {
        char line[MAX_LINE];
        va_list ap;
        size_t n;

        va_start(ap, format);
        n = compose(line, speech->program, format, ap);
        va_end(ap);

        if (speech->error < 0 || !has_room(speech, n))
                return;
        memcpy(speech->waiting + speech->size, line, n);
        speech->size += n;
        speech_flush(speech);
}

int speech_fd(const struct speech *speech) {
        return speech->size > 0 ? speech->output.fd : -1;
}

int speech_end(struct speech *speech) {
        int64_t until = curfew_now() + PATIENCE;

        while (speech->size > 0 && speech->error == 0) {
                size_t n = first_line(speech);

                speech->error = output_write_all(&speech->output, speech->waiting, n, until);
                forget(speech, n);
        }
        output_close(&speech->output);
        free(speech->waiting);
        speech->waiting = NULL;
        speech->size = 0;
        return speech->error;
}
