// SPDX-License-Identifier: MIT
#pragma once

/*
 * What a test needs: assertions that print both values, and a skip that gives its reason. A test
 * is a plain program whose main() calls its static functions by name; a forgotten one is an unused
 * function, which does not compile.
 */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define assert_int_(a, op, b)                                                                      \
        do {                                                                                       \
                intmax_t a_ = (intmax_t)(a), b_ = (intmax_t)(b);                                   \
                if (!(a_ op b_))                                                                   \
                        test_fail(__FILE__, __LINE__, "%s: %jd, %jd", #a " " #op " " #b, a_, b_);  \
        } while (0)

#define assert_eq(a, b) assert_int_(a, ==, b)
#define assert_ne(a, b) assert_int_(a, !=, b)
#define assert_lt(a, b) assert_int_(a, <, b)
#define assert_le(a, b) assert_int_(a, <=, b)
#define assert_gt(a, b) assert_int_(a, >, b)
#define assert_ge(a, b) assert_int_(a, >=, b)

#define assert_true(x)                                                                             \
        do {                                                                                       \
                if (!(x))                                                                          \
                        test_fail(__FILE__, __LINE__, "%s is false", #x);                          \
        } while (0)
#define assert_false(x) assert_true(!(x))
#define assert_null(x)  assert_true((x) == NULL)

#define assert_str(a, b)                                                                           \
        do {                                                                                       \
                const char *a_ = (a), *b_ = (b);                                                   \
                if (!a_ || !b_ || strcmp(a_, b_) != 0)                                             \
                        test_fail(__FILE__, __LINE__, "%s: \"%s\", \"%s\"", #a " == " #b,          \
                                a_ ? a_ : "(null)", b_ ? b_ : "(null)");                           \
        } while (0)

__attribute__((noreturn, format(printf, 3, 4))) static inline void test_fail(
        const char *file, int line, const char *format, ...) {
        va_list ap;

        fprintf(stderr, "%s:%d: ", file, line);
        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fputc('\n', stderr);
        abort();
}

/* Ends the program as skipped, except where a skip is a failure (CURFEW_MUST_WORK=1, as in CI). */
__attribute__((noreturn)) static inline void test_skip(const char *reason) {
        const char *must = getenv("CURFEW_MUST_WORK");

        fprintf(stderr, "skipped: %s\n", reason);
        exit(must && strcmp(must, "1") == 0 ? 1 : 77);
}

/* A test that hangs is a failure; the bound says nothing about speed. CURFEW_SLOW is how many times
 * longer everything takes here, as on a machine that is interpreted. */
static inline void test_bound(unsigned seconds) {
        const char *slow = getenv("CURFEW_SLOW");

        alarm(slow ? seconds * (unsigned)atoi(slow) : seconds);
}

/* How many descriptors this process has. */
static inline unsigned test_count_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_true(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}
