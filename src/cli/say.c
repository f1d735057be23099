// SPDX-License-Identifier: MIT
#include "say.h"
#include "curfew.h"
#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE CURFEW_SEC

/* There is nobody to tell that there is nobody to tell; and who doesn't read for a second must not
 * hold up what has to be done. */
static void put(const char *line, size_t size) {
        struct output output;

        output_open(STDERR_FILENO, &output);
        output_write_all(&output, line, size, curfew_now() + PATIENCE);
        output_close(&output);
}

/* A name that the user typed may be of any length and have control characters in it; the line is
 * cut and they are shown as '?', so that a line stays one line and can't pretend to be another. */
void say(const char *format, ...) {
        static const char prefix[] = "curfew: ";
        char line[4096]; /* PIPE_BUF: lines of several curfews into one pipe don't mix */
        size_t n = sizeof(prefix) - 1;
        va_list ap;

        memcpy(line, prefix, n);
        va_start(ap, format);
        vsnprintf(line + n, sizeof(line) - n, format, ap);
        va_end(ap);

        for (; line[n]; ++n)
                if ((unsigned char)line[n] < ' ' || line[n] == 0x7f)
                        line[n] = '?';
        line[n++] = '\n';
        put(line, n);
}
