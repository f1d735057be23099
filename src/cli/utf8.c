// SPDX-License-Identifier: MIT
#include "utf8.h"

size_t utf8_decode(const char *text, uint32_t *ret) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned char first = (unsigned char)text[0];
        size_t n = first < 0x80           ? 1
                   : (first >> 5) == 0x06 ? 2
                   : (first >> 4) == 0x0e ? 3
                   : (first >> 3) == 0x1e ? 4
                                          : 0;
        uint32_t character = n == 1 ? first : first & (0x7fU >> n);

        for (size_t i = 1; i < n; ++i) {
                if (((unsigned char)text[i] & 0xc0) != 0x80)
                        return 0;
                character = character << 6 | ((unsigned char)text[i] & 0x3f);
        }
        if (n == 0 || character < least[n] || character > 0x10ffff || character >> 11 == 0x1b)
                return 0;
        *ret = character;
        return n;
}

bool utf8_is_plain(uint32_t character) {
        return character >= 0x20 && (character < 0x7f || character >= 0xa0) &&
               !(character >= 0x2028 && character <= 0x202e) &&
               !(character >= 0x2066 && character <= 0x2069);
}
