// SPDX-License-Identifier: MIT
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * One table holds what there is to know of an option: its names, what its argument is called and
 * what the help says of it. getopt_long(3) could read the command line too, but what it tells of a
 * mistake is not enough to say in one line what would have been right, and differs between glibc
 * and musl.
 *
 * As in GNU's programs: parsing stops at the first operand, and long names may be shortened as long
 * as they stay unique.
 */

static int fail(struct parse *parse, enum parse_fault fault, const struct parse_option *option) {
        parse->fault = fault;
        parse->option = option;
        return -EINVAL;
}

/* The option that the word names, in full or cut short. */
static int find_long(struct parse *parse, const struct parse_option **ret) {
        const struct parse_option *found = NULL;
        size_t n = (size_t)parse->length - 2;

        for (size_t i = 0; i < parse->n_options; ++i) {
                const struct parse_option *option = &parse->options[i];

                if (strncmp(option->name, parse->word + 2, n) != 0)
                        continue;
                if (strlen(option->name) == n) {
                        *ret = option;
                        return 0;
                }
                if (found) {
                        parse->other = option;
                        return fail(parse, PARSE_AMBIGUOUS, found);
                }
                found = option;
        }

        *ret = found;
        return found ? 0 : fail(parse, PARSE_UNKNOWN, NULL);
}

/* The argument of an option: `attached`, or what comes next. */
static int take_argument(struct parse *parse, const struct parse_option *option,
        const char *attached, const char **ret) {
        parse->value = attached;
        if (!option->argument && attached)
                return fail(parse, PARSE_UNEXPECTED, option);
        if (option->argument && !attached) {
                attached = *parse->next;
                if (!attached)
                        return fail(parse, PARSE_MISSING, option);
                ++parse->next;
        }

        *ret = attached;
        return 1;
}

static int parse_long(
        struct parse *parse, const struct parse_option **ret_option, const char **ret_value) {
        const char *word = parse->word, *equals = strchr(word, '=');
        int r;

        parse->length = (int)strcspn(word, "=");
        r = find_long(parse, ret_option);
        return r < 0 ? r : take_argument(parse, *ret_option, equals ? equals + 1 : NULL, ret_value);
}

/* "-pv", "-k5", "-pk5", "-k 5": an argument takes all that is left of the word, or the next one. */
static int parse_letter(
        struct parse *parse, const struct parse_option **ret_option, const char **ret_value) {
        const struct parse_option *option = NULL;
        const char *attached = NULL;

        parse->word = parse->letters;
        parse->length = 1;
        for (size_t i = 0; i < parse->n_options; ++i)
                if (parse->options[i].key == *parse->word)
                        option = &parse->options[i];
        if (!option)
                return fail(parse, PARSE_UNKNOWN, NULL);

        parse->letters = parse->word[1] ? parse->word + 1 : NULL;
        if (option->argument) {
                attached = parse->letters;
                parse->letters = NULL;
        }
        *ret_option = option;
        return take_argument(parse, option, attached, ret_value);
}

int parse_next(
        struct parse *parse, const struct parse_option **ret_option, const char **ret_value) {
        const char *word = *parse->next;

        if (parse->letters)
                return parse_letter(parse, ret_option, ret_value);
        if (!word || word[0] != '-' || word[1] == 0)
                return 0;

        ++parse->next;
        if (strcmp(word, "--") == 0)
                return 0;
        if (word[1] == '-') {
                parse->word = word;
                return parse_long(parse, ret_option, ret_value);
        }
        parse->letters = word + 1;
        return parse_letter(parse, ret_option, ret_value);
}

static size_t min3(size_t a, size_t b, size_t c) {
        size_t d = a < b ? a : b;

        return c < d ? c : d;
}

/* How many letters have to be typed, left out or replaced to make `b` of the first `n` of `a`. */
static size_t distance(const char *a, size_t n, const char *b) {
        size_t row[32];
        size_t m = strlen(b);

        for (size_t j = 0; j <= m; ++j)
                row[j] = j;
        for (size_t i = 1; i <= n; ++i) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= m; ++j) {
                        size_t above = row[j];

                        row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
                        diagonal = above;
                }
        }
        return row[m];
}

const struct parse_option *parse_nearest(const struct parse *parse) {
        const struct parse_option *nearest = NULL;
        size_t n = (size_t)parse->length - 2;
        size_t best = 3; /* what is further away was meant to be something else */

        for (size_t i = 0; i < parse->n_options && parse->length > 2; ++i) {
                size_t d = distance(parse->word + 2, n, parse->options[i].name);

                if (d < best && d < n) {
                        best = d;
                        nearest = &parse->options[i];
                }
        }
        return nearest;
}

void parse_print_help(const struct parse_option *options, size_t n) {
        char names[80] = "";
        size_t used = 0;

        for (size_t i = 0; i < n; ++i) {
                const struct parse_option *option = &options[i];

                if (used == 0 && option->key < PARSE_LONG)
                        used = (size_t)snprintf(names, sizeof(names), "-%c, ", option->key);
                else
                        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s",
                                used == 0 ? "    " : ", ");
                used += (size_t)snprintf(names + used, sizeof(names) - used, "--%s%s%s",
                        option->name, option->argument ? "=" : "", option->argument ?: "");
                if (!option->help)
                        continue;
                printf("  %-26s  %s\n", names, option->help);
                used = 0;
        }
}
