// SPDX-License-Identifier: MIT
#include "cli/timeout/quote.h"

#include <stdbool.h>
#include <stdint.h>
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

/* The length of the character that begins here, or 0 if none does: RFC 3629, without the controls
 * beyond ASCII and what separates lines. */
static size_t utf8_length(const char *text) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned char first = (unsigned char)text[0];
        size_t n = first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
        uint32_t code = first & (0x7fU >> n);

        for (size_t i = 1; i < n; ++i) {
                if (((unsigned char)text[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | ((unsigned char)text[i] & 0x3f);
        }
        if (n == 0 || code < least[n] || code > 0x10ffff || (code & 0xfffff800) == 0xd800)
                return 0;
        return code < 0xa0 || code == 0x2028 || code == 0x2029 ? 0 : n;
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
