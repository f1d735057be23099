// SPDX-License-Identifier: MIT
#pragma once

#include "output.h"

/* Write "curfew: …" and a newline to stderr: always one line, written at once. */
void say(const char *format, ...) __attribute__((__format__(printf, 1, 2)));

/* The same under another program's name, or without any (NULL). Returns a negative errno if it
 * could not be written. */
int say_as(const char *program, const char *format, ...) __attribute__((__format__(printf, 2, 3)));

/* What is said while something is supervised, which must not be late for it: whoever doesn't read
 * has it kept for them, in order, until the end. Opened at the first line. */
struct speech {
        const char *program;
        struct output output;
        char *waiting; /* whole lines, but for the first of them, which may have begun */
        size_t size;
        int error; /* with which it has ended */
};

#define SPEECH_NULL                                                                                \
        { .output = OUTPUT_NULL }

void speech_say(struct speech *speech, const char *format, ...)
        __attribute__((__format__(printf, 2, 3)));

/* What to poll for POLLOUT, or -1: nothing waits. And write it, as far as that goes. */
int speech_fd(const struct speech *speech);
void speech_flush(struct speech *speech);

/* Write all of it, unless it isn't read for a second. 0, or a negative errno: not all has been. */
int speech_end(struct speech *speech);
