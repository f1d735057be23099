// SPDX-License-Identifier: MIT
#pragma once

/* What somebody typed, in the middle of a message. */

struct quoted {
        char text[3072];
};

/* `text` in the quotes that GNU's programs would put around it here, with what can't be shown
 * escaped as in C; what is too long for a message is cut. Returns `quoted->text`. */
const char *quote(const char *text, struct quoted *quoted);
