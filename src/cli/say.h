// SPDX-License-Identifier: MIT
#pragma once

/* Write "curfew: …" and a newline to stderr: always one line, written at once. */
void say(const char *format, ...) __attribute__((__format__(printf, 1, 2)));

/* The same under another program's name, or without any (NULL). Returns a negative errno if it
 * could not be written. */
int say_as(const char *program, const char *format, ...) __attribute__((__format__(printf, 2, 3)));
