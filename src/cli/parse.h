// SPDX-License-Identifier: MIT
#pragma once

/* Reads a command line by a table of its options, one at a time. */

#include <stdbool.h>
#include <stddef.h>

#define PARSE_LONG 256 /* keys from here on have no letter */

struct parse_option {
        int key; /* the letter, if there is one */
        const char *name;
        const char *argument; /* what it is called; NULL: it takes none */
        const char *help;     /* NULL: it stands on the next one's line */
};

enum parse_fault {
        PARSE_UNKNOWN,    /* there is no such option */
        PARSE_AMBIGUOUS,  /* `option` and `other` both begin so */
        PARSE_UNEXPECTED, /* `option` takes no argument, so not `value` */
        PARSE_MISSING,    /* `option` needs an argument */
};

struct parse {
        const struct parse_option *options;
        size_t n_options;
        char *const *next;   /* the argument to be read next; at the end the first operand */
        const char *letters; /* what is left of a word of letters, or NULL */

        /* What is wrong, once something is. */
        enum parse_fault fault;
        const char *word; /* as it was typed */
        int length;       /* … up to its '='; 1: only the letter counts, to which it points */
        const char *value;
        const struct parse_option *option, *other;
};

/* 1: an option, and its value or NULL. 0: there are no more. -EINVAL: see above. */
int parse_next(struct parse *parse, const struct parse_option **ret_option, const char **ret_value);

/* What could have been meant by the unknown one, or NULL. */
const struct parse_option *parse_nearest(const struct parse *parse);

/* A line for each of them. */
void parse_print_help(const struct parse_option *options, size_t n);
