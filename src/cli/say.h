// SPDX-License-Identifier: MIT
#pragma once

/* Write "curfew: …" and a newline to stderr: always one line, written at once. */
void say(const char *format, ...) __attribute__((__format__(printf, 1, 2)));
