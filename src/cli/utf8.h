// SPDX-License-Identifier: MIT
#pragma once

/* Text that was written elsewhere, character by character. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character that `text` begins with, in UTF-8 (RFC 3629), and how many bytes it has; 0: these
 * bytes are none, and nothing is returned. */
size_t utf8_decode(const char *text, uint32_t *ret);

/* Whether it may be given to a terminal, or be part of a line: not if it is a control (of which
 * there are some beyond ASCII, too), parts lines, or turns the direction of writing. */
bool utf8_is_plain(uint32_t character);
