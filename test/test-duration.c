// SPDX-License-Identifier: MIT
#include "curfew.h"
#include "test.h"

#include <locale.h>

#define BROKEN INT64_MIN

static int64_t parse(const char *text) {
        int64_t duration = -42;
        int r = curfew_duration_parse(text, &duration);

        if (r == 0)
                return duration;
        assert_eq(r, -EINVAL);
        assert_eq(duration, -42); /* untouched */
        return BROKEN;
}

static void check(const char *text, int64_t expected) {
        int64_t duration = parse(text);

        if (duration != expected)
                test_fail(__FILE__, __LINE__, "\"%s\": %" PRId64 ", not %" PRId64, text, duration,
                        expected);
}

static const struct {
        const char *text;
        int64_t duration;
} table[] = {
        /* Decimal numbers and suffixes. */
        { "0", 0 },
        { "1", CURFEW_SEC },
        { "10", 10 * CURFEW_SEC },
        { "007", 7 * CURFEW_SEC },
        { "+1", CURFEW_SEC },
        { " 1", CURFEW_SEC },
        { " \t\n\v\f\r+1", CURFEW_SEC },
        { "1s", CURFEW_SEC },
        { "1m", CURFEW_MIN },
        { "1h", CURFEW_HOUR },
        { "1d", 24 * CURFEW_HOUR },
        { "1.", CURFEW_SEC },
        { "1.s", CURFEW_SEC },
        { ".5", 500 * CURFEW_MSEC },
        { ".5m", 30 * CURFEW_SEC },
        { "0.5h", 30 * CURFEW_MIN },
        { "1.5d", 36 * CURFEW_HOUR },

        /* Exponents. */
        { "1e3", 1000 * CURFEW_SEC },
        { "1E3", 1000 * CURFEW_SEC },
        { "1e+3", 1000 * CURFEW_SEC },
        { "1e-3", CURFEW_MSEC },
        { "1e0m", CURFEW_MIN },
        { "1e3d", 24000 * CURFEW_HOUR },
        { "1.25e1", 12500 * CURFEW_MSEC },
        { "125e-1", 12500 * CURFEW_MSEC },
        { ".0125e3", 12500 * CURFEW_MSEC },
        { "1e0000000000000000000000000000002", 100 * CURFEW_SEC },

        /* Hexadecimal, where d, e and the like are digits. */
        { "0x10", 16 * CURFEW_SEC },
        { "0X1F", 31 * CURFEW_SEC },
        { "0x1d", 29 * CURFEW_SEC },
        { "0x1e3", 483 * CURFEW_SEC },
        { "0x1s", CURFEW_SEC },
        { "0x1m", CURFEW_MIN },
        { "0x.8", 500 * CURFEW_MSEC },
        { "0x1.", CURFEW_SEC },
        { "0x1p0", CURFEW_SEC },
        { "0x1p0d", 24 * CURFEW_HOUR },
        { "0x1p4", 16 * CURFEW_SEC },
        { "0x1p5", 32 * CURFEW_SEC },
        { "0X1P-1", 500 * CURFEW_MSEC },
        { "0x1p-2m", 15 * CURFEW_SEC },
        { "0x1p-3", 125 * CURFEW_MSEC },
        { "0x10p-5", 500 * CURFEW_MSEC },
        { "0x.0001p+17", 2 * CURFEW_SEC },

        /* Exact where a binary fraction isn't, and up where it has to be rounded. */
        { "0.1", 100 * CURFEW_MSEC },
        { "0.3", 300 * CURFEW_MSEC },
        { "0.7m", 42 * CURFEW_SEC },
        { "2.675", 2675 * CURFEW_MSEC },
        { "1.1d", INT64_C(95040) * CURFEW_SEC },
        { "0.000000001", 1 },
        { "0.0000000010", 1 },
        { "0.0000000011", 2 },
        { "0.0000000001", 1 },
        { "0.9999999991", CURFEW_SEC },
        { "1.0000000000000000000000000000000000000000000000001", CURFEW_SEC + 1 },
        { "1.0000000000000000000000000000000000000000000000000", CURFEW_SEC },
        { "0.00000000001666666666666666666666666666666666m", 1 },
        { "0.00000000001666666666666666666666666666666667m", 2 },
        { "0x1p-30", 1 },
        { "0x1p-29", 2 },
        { "0x0.00000000000000000001", 1 },
        { "1e-9", 1 },
        { "1e-10", 1 },
        { "1e-400", 1 },
        { "1e-10000", 1 },
        { "1e-10000d", 1 },
        { "0x1p-100000", 1 },
        { "1e-99999999999999999999999999", 1 },
        { "0e-10000", 0 },
        { "0.000", 0 },
        { "0x0p0", 0 },
        { "0e99999999999999999999999999", 0 },
        { "-0", 0 },
        { " -0.0d", 0 },

        /* For ever. */
        { "inf", CURFEW_FOREVER },
        { "INF", CURFEW_FOREVER },
        { "+Infinity", CURFEW_FOREVER },
        { "infs", CURFEW_FOREVER },
        { "infd", CURFEW_FOREVER },
        { "infinitym", CURFEW_FOREVER },
        { "1e400", CURFEW_FOREVER },
        { "1e99999999999999999999999999", CURFEW_FOREVER },
        { "0x1p99999", CURFEW_FOREVER },
        { "9223372036.854775806", INT64_MAX - 1 },
        { "9223372036.854775807", CURFEW_FOREVER },
        { "9223372036.8547758061", CURFEW_FOREVER },
        { "9223372036.854775808", CURFEW_FOREVER },
        { "106751.9911673006459027d", INT64_MAX - 1 },
        { "106751.991167300645903d", CURFEW_FOREVER },
        { "18446744073709551616", CURFEW_FOREVER },
        { "99999999999999999999999999999999999d", CURFEW_FOREVER },

        /* No durations. */
        { "", BROKEN },
        { " ", BROKEN },
        { "+", BROKEN },
        { "-", BROKEN },
        { ".", BROKEN },
        { "s", BROKEN },
        { "e3", BROKEN },
        { ".e3", BROKEN },
        { "nan", BROKEN },
        { "NAN(1)", BROKEN },
        { "in", BROKEN },
        { "infi", BROKEN },
        { "inf1", BROKEN },
        { "-inf", BROKEN },
        { "-1", BROKEN },
        { " -0.1", BROKEN },
        { " -1e-10000", BROKEN },
        { "+-1", BROKEN },
        { "- 1", BROKEN },
        { "1ms", BROKEN },
        { "1S", BROKEN },
        { "1 s", BROKEN },
        { "1s ", BROKEN },
        { "1 ", BROKEN },
        { "1ss", BROKEN },
        { "1w", BROKEN },
        { "1x", BROKEN },
        { "1..2", BROKEN },
        { "1.2.3", BROKEN },
        { "1,5", BROKEN },
        { "1e", BROKEN },
        { "1e+", BROKEN },
        { "1e-s", BROKEN },
        { "1e1.5", BROKEN },
        { "1e3e3", BROKEN },
        { "1_0", BROKEN },
        { "0x", BROKEN },
        { "0x.", BROKEN },
        { "0xs", BROKEN },
        { "0x1p", BROKEN },
        { "0x1g", BROKEN },
        { "x1", BROKEN },
        { "1/2", BROKEN },
        { "1:2", BROKEN },
};

static void test_table(void) {
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); ++i)
                check(table[i].text, table[i].duration);

        assert_eq(curfew_duration_parse(NULL, &(int64_t){ 0 }), -EINVAL);
}

/* Longer than anything that could be converted by way of a fixed number of digits. */
static void test_long(void) {
        enum { N = 99990 };
        static char text[N + 32];

        memset(text, '0', N);
        check(text, 0);
        text[0] = '.';
        check(text, 0);
        strcpy(text + N, "1");
        check(text, 1);
        strcpy(text + N, "1e99990"); /* N - 1 zeros behind the point */
        check(text, CURFEW_SEC);
        strcpy(text + N, "1e99989m");
        check(text, 6 * CURFEW_SEC);

        memset(text, '9', N);
        strcpy(text + N, "");
        check(text, CURFEW_FOREVER);
        strcpy(text + N, "e-99990");
        check(text, CURFEW_SEC);
        strcpy(text + N, "e-99991");
        check(text, 100 * CURFEW_MSEC);
        strcpy(text + N, "e-99989");
        check(text, 10 * CURFEW_SEC);
}

static uint64_t next_random(uint64_t *state) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

/* Every duration, written out, is read back. */
static void test_round_trip(void) {
        uint64_t state = 88172645463325252;

        for (int i = 0; i < 200000; ++i) {
                int64_t duration = (int64_t)(next_random(&state) >> (1 + i % 63));
                char text[64];

                snprintf(text, sizeof(text), "%" PRId64 ".%09" PRId64, duration / CURFEW_SEC,
                        duration % CURFEW_SEC);
                check(text, duration);
                snprintf(text, sizeof(text), "%" PRId64 "e-9s", duration);
                check(text, duration);
                snprintf(text, sizeof(text), ".00%" PRId64 "E%d", duration,
                        snprintf(NULL, 0, "%" PRId64, duration) + 2 - 9);
                check(text, duration);
        }
}

#ifdef __SIZEOF_INT128__
static int64_t ceiling(unsigned __int128 dividend, unsigned __int128 divisor) {
        unsigned __int128 quotient = dividend / divisor + (dividend % divisor != 0);

        return quotient > INT64_MAX ? CURFEW_FOREVER : (int64_t)quotient;
}

/* Random numbers of up to 18 digits with a random point and suffix, against 128-bit arithmetic. */
static void test_random_decimal(void) {
        static const struct {
                const char *suffix;
                unsigned seconds;
        } units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
        uint64_t state = 362436069362436069;

        for (int i = 0; i < 200000; ++i) {
                uint64_t digits = next_random(&state) % UINT64_C(1000000000000000000);
                size_t unit = next_random(&state) % 5;
                int places = (int)(next_random(&state) % 19);
                unsigned __int128 divisor = 1;
                char text[64];

                digits >>= next_random(&state) % 60;
                for (int j = 0; j < places; ++j)
                        divisor *= 10;
                snprintf(text, sizeof(text), "%" PRIu64 "e-%d%s", digits, places,
                        units[unit].suffix);
                check(text, ceiling((unsigned __int128)digits * units[unit].seconds * CURFEW_SEC,
                                    divisor));
                snprintf(text, sizeof(text), "%" PRIu64 ".%0*" PRIu64 "%s",
                        (uint64_t)(digits / divisor), places ? places : 1,
                        (uint64_t)(digits % divisor), units[unit].suffix);
                check(text, ceiling((unsigned __int128)digits * units[unit].seconds * CURFEW_SEC,
                                    divisor));
        }
}

static void test_random_hexadecimal(void) {
        uint64_t state = 521288629521288629;

        for (int i = 0; i < 200000; ++i) {
                uint64_t digits = next_random(&state) >> (1 + next_random(&state) % 63);
                int bits = (int)(next_random(&state) % 64);
                int shift = (int)(next_random(&state) % 16);
                char text[64];

                snprintf(text, sizeof(text), "0x%" PRIx64 "p-%d", digits, bits);
                check(text, ceiling((unsigned __int128)digits * CURFEW_SEC,
                                    (unsigned __int128)1 << bits));
                snprintf(text, sizeof(text), "0x%" PRIx64 ".%04xp%d", digits >> 16,
                        (unsigned)(digits & 0xffff), shift);
                check(text, ceiling((unsigned __int128)digits * CURFEW_SEC << shift,
                                    (unsigned __int128)1 << 16));
        }
}
#endif

/* The point is a point in every locale. */
static void test_locale(void) {
        static const char *const locales[] = { "de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "tr_TR" };

        for (size_t i = 0; i < sizeof(locales) / sizeof(locales[0]); ++i) {
                if (!setlocale(LC_ALL, locales[i]))
                        continue;
                check("1.5", 1500 * CURFEW_MSEC);
                check("INF", CURFEW_FOREVER);
        }
        setlocale(LC_ALL, "C");
}

int main(void) {
        test_table();
        test_long();
        test_round_trip();
#ifdef __SIZEOF_INT128__
        test_random_decimal();
        test_random_hexadecimal();
#endif
        test_locale();
        return 0;
}
