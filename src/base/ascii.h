// SPDX-License-Identifier: MIT
#pragma once

/* Characters as the C locale has them, whatever the locale of the process is: words of a protocol
 * must not change their meaning with the user's language (in Turkish, "int" is not "INT"). */

#include "base/base.h"

static inline bool ascii_is_space(char c) {
        return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline char ascii_lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* The value of a digit, decimal or hexadecimal, or -1. */
static inline int ascii_digit(char c, int radix) {
        int value = -1;

        c = ascii_lower(c);
        if (c >= '0' && c <= '9')
                value = c - '0';
        else if (c >= 'a' && c <= 'f')
                value = c - 'a' + 10;
        return value < radix ? value : -1;
}

/* Whether `text` begins with `word`, in any case. `word` is in lower case. */
static inline bool ascii_begins(const char *text, const char *end, const char *word) {
        while (*word && text < end && ascii_lower(*text) == *word) {
                ++text;
                ++word;
        }
        return *word == 0;
}
