// SPDX-License-Identifier: MIT
#include_next <string.h>

/* As in glibc from 2.43 on: what is found in a string is const where the string is (C23). */

#define FOUND_IN(where, result)                                                                    \
        _Generic(0 ? (where) : (void *)1, const void * : (const void *)(result), default : (result))

#define memchr(s, c, n) FOUND_IN(s, memchr(s, c, n))
#define strchr(s, c)    FOUND_IN(s, strchr(s, c))
#define strpbrk(s, set) FOUND_IN(s, strpbrk(s, set))
#define strrchr(s, c)   FOUND_IN(s, strrchr(s, c))
#define strstr(s, word) FOUND_IN(s, strstr(s, word))
