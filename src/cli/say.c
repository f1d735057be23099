// SPDX-License-Identifier: MIT
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A name that the user typed may be of any length and have control characters in it; the line is
 * cut and they are shown as '?', so that a line stays one line and can't pretend to be another. */
void say(const char *format, ...) {
        static const char prefix[] = "curfew: ";
        char line[4096]; /* PIPE_BUF: lines of several curfews into one pipe don't mix */
        size_t n = sizeof(prefix) - 1;
        ssize_t written;
        va_list ap;

        memcpy(line, prefix, n);
        va_start(ap, format);
        vsnprintf(line + n, sizeof(line) - n, format, ap);
        va_end(ap);

        for (; line[n]; ++n)
                if ((unsigned char)line[n] < ' ' || line[n] == 0x7f)
                        line[n] = '?';
        line[n++] = '\n';

        /* There is nobody to tell that there is nobody to tell. */
        written = write(STDERR_FILENO, line, n);
        (void)written;
}
