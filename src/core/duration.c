// SPDX-License-Identifier: MIT
#include "core/duration.h"
#include "base/ascii.h"
#include "curfew.h"

#include <string.h>

/*
 * What is promised is exact: the smallest whole number of nanoseconds that isn't less than what is
 * written. strtold(3) can't give it. 0.1 has no binary fraction, so the nearest one is a little
 * more, and rounding that up makes 100000001 ns of it; 1e-10000 underflows to a plain zero, which
 * means "no limit"; and the decimal point is the locale's.
 *
 * A number is therefore never converted. It stays the digits that were written, in their radix, and
 * a place among them, or beyond either of their ends, where the point is; an exponent only moves
 * that place. With `unit` the nanoseconds that the suffix says,
 *
 *  - the digits before the point make an integer, from left to right, which is multiplied by the
 *    unit and saturates;
 *  - the digits behind it are multiplied by the unit as on paper, from right to left. What is
 *    carried out at the point are whole nanoseconds, less than a unit of them; a digit that stays
 *    behind the point and isn't zero is a part of one more.
 *
 * So it is one pass over the digits, however many there are, and nothing is ever wider than 64
 * bits. Hexadecimal is the same with 16: its exponent counts bits, of which four move the point by
 * one digit, and the rest multiply the unit by at most 8.
 */

struct number {
        const char *begin, *end; /* the digits, with at most one point between them */
        int radix;
        int64_t n_digits;
        int64_t point; /* so many digits are before the point */
        int64_t unit;
};

/* Beyond any text's length, and far enough from overflow that lengths can be added to it. */
#define EXPONENT_MAX (INT64_MAX / 4)

static int64_t saturating_mul_add(int64_t a, int64_t b, int64_t c) {
        int64_t product, sum;

        if (__builtin_mul_overflow(a, b, &product) || __builtin_add_overflow(product, c, &sum))
                return CURFEW_FOREVER;
        return sum;
}

static int64_t whole_part(const struct number *number) {
        int64_t whole = 0, i = 0;

        for (const char *p = number->begin; p < number->end && i < number->point; ++p) {
                if (*p == '.')
                        continue;
                whole = saturating_mul_add(whole, number->radix, ascii_digit(*p, number->radix));
                ++i;
        }

        /* The digits that are not written, up to the point, are zeros. */
        for (; i < number->point && whole > 0 && whole < CURFEW_FOREVER; ++i)
                whole = saturating_mul_add(whole, number->radix, 0);

        return saturating_mul_add(whole, number->unit, 0);
}

static int64_t fraction_part_up(const struct number *number) {
        const char *p = number->end;
        int64_t carry = 0, i = number->n_digits;
        bool rest = false;

        while (p > number->begin && i > number->point) {
                if (*--p == '.')
                        continue;
                carry += ascii_digit(*p, number->radix) * number->unit;
                rest |= carry % number->radix != 0;
                carry /= number->radix;
                --i;
        }

        /* Here too: zeros, down to the point. */
        for (; i > number->point && carry > 0; --i) {
                rest |= carry % number->radix != 0;
                carry /= number->radix;
        }

        return carry + rest;
}

/* Digits with at most one point. */
static bool read_digits(const char **text, const char *end, struct number *number) {
        const char *p = *text, *point = NULL;

        for (; p < end; ++p)
                if (*p == '.' && !point)
                        point = p;
                else if (ascii_digit(*p, number->radix) < 0)
                        break;

        number->begin = *text;
        number->end = p;
        number->n_digits = p - *text - (point != NULL);
        number->point = point ? point - *text : number->n_digits;
        *text = p;
        return number->n_digits > 0;
}

/* An exponent, if one is there: a letter without digits behind it is left to be no suffix. */
static int64_t read_exponent(const char **text, const char *end, char letter) {
        const char *p = *text;
        int64_t exponent = 0;
        bool negative;

        if (p == end || ascii_lower(*p++) != letter)
                return 0;
        negative = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
                ++p;
        if (p == end || ascii_digit(*p, 10) < 0)
                return 0;

        for (; p < end && ascii_digit(*p, 10) >= 0; ++p)
                if (exponent < EXPONENT_MAX / 10)
                        exponent = exponent * 10 + ascii_digit(*p, 10);

        *text = p;
        return negative ? -exponent : exponent;
}

static bool read_number(const char **text, const char *end, struct number *number) {
        int64_t exponent;

        if (ascii_begins(*text, end, "0x")) {
                *text += 2;
                number->radix = 16;
                if (!read_digits(text, end, number))
                        return false;
                exponent = read_exponent(text, end, 'p');
                number->point += exponent >> 2; /* rounds down, so that the rest is positive */
                number->unit <<= exponent & 3;
                return true;
        }

        number->radix = 10;
        if (!read_digits(text, end, number))
                return false;
        number->point += read_exponent(text, end, 'e');
        return true;
}

static bool read_infinity(const char **text, const char *end) {
        if (!ascii_begins(*text, end, "inf"))
                return false;
        *text += ascii_begins(*text, end, "infinity") ? 8 : 3;
        return true;
}

/* The seconds that a suffix stands for; 0 if it is none. */
static int64_t suffix_seconds(const char *text, const char *end) {
        if (text == end)
                return 1;
        if (end - text > 1)
                return 0;
        switch (*text) {
        case 's': return 1;
        case 'm': return 60;
        case 'h': return INT64_C(60) * 60;
        case 'd': return INT64_C(24) * 60 * 60;
        default: return 0;
        }
}

int duration_parse(const char *text, const char *end, int64_t *ret) {
        struct number number = { .unit = CURFEW_SEC };
        int64_t duration = CURFEW_FOREVER, seconds;
        bool negative, infinite;

        while (text < end && ascii_is_space(*text))
                ++text;
        negative = text < end && *text == '-';
        if (text < end && (*text == '-' || *text == '+'))
                ++text;

        infinite = read_infinity(&text, end);
        if (!infinite && !read_number(&text, end, &number))
                return -EINVAL;
        seconds = suffix_seconds(text, end);
        if (seconds == 0)
                return -EINVAL;

        if (!infinite) {
                number.unit *= seconds;
                duration = saturating_mul_add(whole_part(&number), 1, fraction_part_up(&number));
        }
        if (negative && duration > 0)
                return -EINVAL;

        *ret = duration;
        return 0;
}

_public_ int curfew_duration_parse(const char *text, int64_t *ret) {
        if (!text || !ret)
                return -EINVAL;
        return duration_parse(text, text + strlen(text), ret);
}
