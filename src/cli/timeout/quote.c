// SPDX-License-Identifier: MIT
#include "cli/timeout/quote.h"
#include "cli/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * Which quotes GNU's programs use follows from the character set: ‘ and ’ where that is UTF-8, else
 * ' twice. A character that isn't printable in it is shown by its bytes, in octal. The set is what
 * the environment says, not what a C library makes of it: musl knows no other than UTF-8.
 */

static bool locale_is_utf8(void) {
        static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
        const char *value = NULL;
        size_t n;

        for (size_t i = 0; i < 3 && (!value || !*value); ++i)
                value = getenv(names[i]);
        value = value ? strchr(value, '.') : NULL;
        if (!value)
                return false;

        n = strcspn(++value, "@");
        return (n == 5 && strncasecmp(value, "UTF-8", n) == 0) ||
               (n == 4 && strncasecmp(value, "UTF8", n) == 0);
}

/* The length of the printable character beyond ASCII that begins here, or 0 if none does. */
static size_t utf8_length(const char *text) {
        uint32_t c = 0;
        size_t n = utf8_decode(text, &c);

        return c < 0xa0 || c == 0x2028 || c == 0x2029 ? 0 : n;
}

/* How the first character is to be shown; returns how many bytes it has. */
static size_t show(const char *text, bool utf8, const char *close, char ret[8]) {
        static const char letters[] = "\a\b\f\n\r\t\v\\";
        const char *letter = strchr(letters, text[0]);
        size_t n = utf8 ? utf8_length(text) : 0;

        if (strncmp(text, close, strlen(close)) == 0) {
                sprintf(ret, "\\%s", close);
                return strlen(close);
        }
        if (letter) {
                sprintf(ret, "\\%c", "abfnrtv\\"[letter - letters]);
                return 1;
        }
        if (n == 0 && (text[0] < ' ' || text[0] > '~')) {
                sprintf(ret, "\\%03o", (unsigned)(unsigned char)text[0]);
                return 1;
        }
        n = n == 0 ? 1 : n;
        memcpy(ret, text, n);
        ret[n] = 0;
        return n;
}

const char *quote(const char *text, struct quoted *quoted) {
        bool utf8 = locale_is_utf8();
        const char *open = utf8 ? "\u2018" : "'", *close = utf8 ? "\u2019" : "'";
        size_t used = (size_t)sprintf(quoted->text, "%s", open);

        while (*text && used + 16 < sizeof(quoted->text)) {
                char shown[8];

                text += show(text, utf8, close, shown);
                used += (size_t)sprintf(quoted->text + used, "%s", shown);
        }
        strcpy(quoted->text + used, close);
        return quoted->text;
}
