// SPDX-License-Identifier: MIT
#include "say.h"
#include "curfew.h"
#include "output.h"
#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_LINE 4096 /* PIPE_BUF: lines of several curfews into one pipe don't mix */
#define PATIENCE CURFEW_SEC

/* Who doesn't read for a second must not hold up what has to be done. */
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
__attribute__((__format__(printf, 2, 0))) static int say_line(
        const char *program, const char *format, va_list ap) {
        char line[MAX_LINE] = "";
        size_t n = 0;

        if (program)
                n = (size_t)snprintf(line, sizeof(line), "%.1024s: ", program);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer loses it on the way */
        vsnprintf(line + n, sizeof(line) - n, format, ap);

        n = make_plain(line);
        line[n++] = '\n';
        return put(line, n);
}

/* There is nobody to tell that there is nobody to tell. */
void say(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        say_line("curfew", format, ap);
        va_end(ap);
}

int say_as(const char *program, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = say_line(program, format, ap);
        va_end(ap);
        return r;
}
