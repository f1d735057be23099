// SPDX-License-Identifier: MIT
#include "cli/timeout/opts.h"
#include "cli/parse.h"
#include "cli/rawsig.h"
#include "cli/say.h"
#include "cli/timeout/quote.h"
#include "curfew.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * Options and messages are GNU's: people and scripts look for their words. A mistake is a line with
 * what is wrong, if it is an option, a duration or a signal, and one that says where to read on.
 *
 * What getopt_long(3) says has plain quotes everywhere, the rest those of the locale.
 */

enum {
        KEY_HELP = PARSE_LONG,
        KEY_VERSION,
};

/* In GNU's order, which shows where a shortened name is ambiguous. */
static const struct parse_option options[] = {
        { 'f', "foreground", NULL, "stay in the terminal's foreground, and signal COMMAND" },
        { 'k', "kill-after", "DURATION", "if it is still there so long after the signal, KILL it" },
        { 'p', "preserve-status", NULL, "exit as COMMAND did, also when it timed out" },
        { 's', "signal", "SIGNAL", "send this at the deadline: a name or number ('kill -l')" },
        { 'v', "verbose", NULL, "say on stderr which signals are sent" },
        { KEY_HELP, "help", NULL, "print this and exit" },
        { KEY_VERSION, "version", NULL, "print the version and exit" },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static int fail(const char *program) {
        say_as(NULL, "Try '%s --help' for more information.", program);
        return -EINVAL;
}

static int parse_duration(const char *program, const char *text, int64_t *ret) {
        struct quoted quoted = { "" };

        if (curfew_duration_parse(text, ret) == 0)
                return 0;
        say_as(program, "invalid time interval %s", quote(text, &quoted));
        return fail(program);
}

/* Those that the C library doesn't let have a name can still be had by their number. */
static int parse_signal(const char *program, const char *text, int *ret) {
        const char *end = text;
        struct quoted quoted = { "" };
        int number = 0;

        if (curfew_signal_parse(text, ret) == 0)
                return 0;
        while (*end >= '0' && *end <= '9' && number <= RAWSIG_LAST)
                number = 10 * number + *end++ - '0';
        if (*end == 0 && number > SIGSYS && number <= RAWSIG_LAST) {
                *ret = number;
                return 0;
        }
        say_as(program, "%s: invalid signal", quote(text, &quoted));
        return fail(program);
}

static int apply(struct timeout_opts *opts, int key, const char *value) {
        switch (key) {
        case 'f': opts->foreground = true; break;
        case 'k': return parse_duration(opts->program, value, &opts->kill_after);
        case 'p': opts->preserve_status = true; break;
        case 's': return parse_signal(opts->program, value, &opts->signal);
        case 'v': opts->verbose = true; break;
        case KEY_HELP: opts->mode = TIMEOUT_HELP; break;
        case KEY_VERSION: opts->mode = TIMEOUT_VERSION; break;
        }
        return 0;
}

static void say_ambiguous(const char *program, const struct parse *parse) {
        size_t n = (size_t)parse->length - 2, used = 0;
        char names[256] = "";

        for (size_t i = 0; i < N_OPTIONS; ++i)
                if (strncmp(options[i].name, parse->word + 2, n) == 0)
                        used += (size_t)snprintf(
                                names + used, sizeof(names) - used, " '--%s'", options[i].name);
        say_as(program, "option '%s' is ambiguous; possibilities:%s", parse->word, names);
}

static int fail_option(const char *program, const struct parse *parse) {
        bool is_letter = parse->length == 1;

        switch (parse->fault) {
        case PARSE_UNKNOWN:
                if (is_letter)
                        say_as(program, "invalid option -- '%c'", *parse->word);
                else
                        say_as(program, "unrecognized option '%s'", parse->word);
                break;
        case PARSE_AMBIGUOUS: say_ambiguous(program, parse); break;
        case PARSE_UNEXPECTED:
                say_as(program, "option '--%s' doesn't allow an argument", parse->option->name);
                break;
        case PARSE_MISSING:
                if (is_letter)
                        say_as(program, "option requires an argument -- '%c'", *parse->word);
                else
                        say_as(program, "option '--%s' requires an argument", parse->option->name);
                break;
        }
        return fail(program);
}

static int parse_options(struct timeout_opts *opts, struct parse *parse) {
        while (opts->mode == TIMEOUT_RUN) {
                const struct parse_option *option;
                const char *value = NULL;
                int r = parse_next(parse, &option, &value);

                if (r < 0)
                        return fail_option(opts->program, parse);
                if (r == 0)
                        return 0;
                r = apply(opts, option->key, value);
                if (r < 0)
                        return r;
        }
        return 0;
}

int timeout_opts_parse(char *const argv[], struct timeout_opts *ret) {
        struct timeout_opts opts = { .program = argv[0], .signal = SIGTERM };
        struct parse parse = { .options = options, .n_options = N_OPTIONS, .next = argv + 1 };
        int r = parse_options(&opts, &parse);

        if (r == 0 && opts.mode == TIMEOUT_RUN) {
                if (!parse.next[0] || !parse.next[1])
                        return fail(opts.program);
                r = parse_duration(opts.program, parse.next[0], &opts.duration);
                opts.argv = (const char *const *)parse.next + 1;
        }
        if (r == 0)
                *ret = opts;
        return r;
}

void timeout_opts_print_help(const char *program) {
        printf("Usage: %s [OPTION]... DURATION COMMAND [ARG]...\n"
               "Run COMMAND, and send it the TERM signal if it is still running after "
               "DURATION.\n\n",
                program);
        parse_print_help(options, N_OPTIONS);
        printf("\nDURATION is a number, as 1.5, with an optional unit behind it: s for seconds "
               "(the\n"
               "default), m for minutes, h for hours, d for days. 0 means no limit.\n\n"
               "With -f what COMMAND has started gets no signal, and COMMAND may read from the\n"
               "terminal although it was not started by a shell's prompt.\n\n"
               "Exit status:\n"
               "  124  COMMAND timed out, and there is no --preserve-status\n"
               "  125  %s itself failed\n"
               "  126  COMMAND was found, but can't be run\n"
               "  127  COMMAND was not found\n"
               "  137  COMMAND, or %s itself, was sent the KILL signal (128+9)\n"
               "  -    else COMMAND's own\n\n"
               "This is curfew under another name. Under its own it also ends what COMMAND has\n"
               "started elsewhere: see 'curfew --help'.\n",
                program, program);
}
