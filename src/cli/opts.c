// SPDX-License-Identifier: MIT
#include "opts.h"
#include "say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * One table holds what there is to know of an option: its names, what its argument is called and
 * what the help says of it. getopt_long(3) could read the command line too, but what it tells of a
 * mistake is not enough to say in one line what would have been right, and differs between glibc
 * and musl.
 *
 * As in GNU timeout, whose options these are: parsing stops at the first operand, long names may be
 * shortened as long as they stay unique, and the last of two wins.
 */

enum {
        KEY_STOP = 256, /* above all letters: long names only */
        KEY_LEFTOVERS,
        KEY_GUARANTEE,
        KEY_INIT,
        KEY_HELP,
        KEY_VERSION,
};

struct option {
        int key; /* the letter, if there is one */
        const char *name;
        const char *argument;
        const char *help;
};

static const struct option options[] = {
        { 's', "signal", "SIGNAL", "what to ask with, such as INT (default: TERM)" },
        { 'k', "kill-after", "DURATION",
                "the time to stop in, before what is left is killed\n"
                "(default: 10s; 0: it never is)" },
        { KEY_STOP, "stop", "PLAN",
                "the steps of stopping instead, each with its time,\n"
                "such as INT:5s,TERM:5s" },
        { 'p', "preserve-status", NULL, "exit as COMMAND did even if it timed out" },
        { 'f', "foreground", NULL,
                "leave COMMAND in the terminal's foreground, to\n"
                "read from it and get Ctrl-C, and ask it alone" },
        { KEY_LEFTOVERS, "leftovers", "HOW",
                "what to do with what COMMAND leaves running:\n"
                "stop it after a second (the default), wait, leave" },
        { KEY_GUARANTEE, "guarantee", "WHAT",
                "run nothing unless all it starts can be held so\n"
                "well: sealed, tracked or group" },
        { KEY_INIT, "init", NULL,
                "be a container's first process: no DURATION, reap\n"
                "what is orphaned, stop the rest when COMMAND ends" },
        { 'v', "verbose", NULL, "say on stderr what is done and how it ended" },
        { KEY_HELP, "help", NULL, "print this and exit" },
        { KEY_VERSION, "version", NULL, "print the version and exit" },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))
#define TRY       "Try 'curfew --help'"

struct parser {
        struct opts opts;
        char *const *next; /* the argument to be read next */
        int stop_from;     /* key of an option that has set the stop plan, or 0 */
};

static int parse_duration(const char *text, const char *what, int64_t *ret) {
        int r = curfew_duration_parse(text, ret);

        if (r < 0)
                say("invalid duration '%s'%s: a number, optionally followed by s, m, h or d", text,
                        what);
        return r;
}

static int set_signal(struct opts *opts, const char *value) {
        int signal;
        int r = curfew_signal_parse(value, &signal);

        if (r == 0 && signal > 0) {
                opts->stop[0].signal = signal;
                return 0;
        }
        say("invalid signal '%s' for '--signal': %s", value,
                r == 0 ? "it stops nothing" : "a name such as INT or RTMIN+1, or a number");
        return -EINVAL;
}

static int set_kill_after(struct opts *opts, const char *value) {
        int64_t grace;
        int r = parse_duration(value, " for '--kill-after'", &grace);

        if (r == 0)
                opts->stop[0].grace = grace == 0 ? CURFEW_FOREVER : grace;
        return r;
}

/* Say which step of a plan it is that can't be read. */
static void say_broken_step(const char *plan) {
        struct curfew_step unused[CURFEW_MAX_STEPS];
        char step[256];

        for (;;) {
                size_t n = strcspn(plan, ",");

                snprintf(step, sizeof(step), "%.*s", (int)n, plan);
                if (plan[n] == 0 || curfew_plan_parse(step, unused) < 0)
                        break;
                plan += n + 1;
        }
        say("invalid step '%s' for '--stop': [leader:|group:|tree:]SIGNAL[:DURATION], such as "
            "INT:5s",
                step);
}

static int set_stop(struct opts *opts, const char *value) {
        int r = curfew_plan_parse(value, opts->stop);

        if (r == -E2BIG)
                say("too many steps for '--stop': at most %d", CURFEW_MAX_STEPS);
        else if (r < 0)
                say_broken_step(value);
        return r;
}

/* The plan is set as a whole or by its default's parts. */
static int set_stop_from(struct parser *parser, int key) {
        bool is_whole = key == KEY_STOP, was_whole = parser->stop_from == KEY_STOP;

        if (parser->stop_from != 0 && is_whole != was_whole) {
                say("'--stop' says all that '--signal' and '--kill-after' could say: use one or "
                    "the other");
                return -EINVAL;
        }
        parser->stop_from = key;
        return 0;
}

/* The index of `value` among the words, from `first` on. */
static int set_word(
        const char *option, const char *value, const char *const words[], unsigned n, int *ret) {
        for (unsigned i = 0; i < n; ++i)
                if (strcmp(value, words[i]) == 0) {
                        *ret = (int)i;
                        return 0;
                }
        say("invalid word '%s' for '--%s': %s, %s or %s", value, option, words[0], words[1],
                words[2]);
        return -EINVAL;
}

static int set_leftovers(struct opts *opts, const char *value) {
        static const char *const words[] = { "stop", "wait", "leave" };
        int word, r = set_word("leftovers", value, words, 3, &word);

        if (r == 0)
                opts->leftovers = (enum opts_leftovers)word;
        return r;
}

static int set_guarantee(struct opts *opts, const char *value) {
        static const char *const words[] = { "group", "tracked", "sealed" };
        int word, r = set_word("guarantee", value, words, 3, &word);

        if (r == 0)
                opts->guarantee = (enum curfew_guarantee)(CURFEW_GUARANTEE_GROUP + (unsigned)word);
        return r;
}

static int apply(struct parser *parser, const struct option *option, const char *value) {
        struct opts *opts = &parser->opts;
        int r;

        switch (option->key) {
        case 's':
        case 'k':
        case KEY_STOP:
                r = value ? set_stop_from(parser, option->key) : -EINVAL;
                if (r < 0)
                        return r;
                if (option->key == KEY_STOP)
                        return set_stop(opts, value);
                return option->key == 's' ? set_signal(opts, value) : set_kill_after(opts, value);
        case KEY_LEFTOVERS: return set_leftovers(opts, value);
        case KEY_GUARANTEE: return set_guarantee(opts, value);
        case KEY_INIT: opts->init = true; break;
        case 'p': opts->preserve_status = true; break;
        case 'f': opts->foreground = true; break;
        case 'v': opts->verbose = true; break;
        case KEY_HELP: opts->mode = OPTS_HELP; break;
        case KEY_VERSION: opts->mode = OPTS_VERSION; break;
        }
        return 0;
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

static void say_unknown(const char *arg, size_t n) {
        const struct option *nearest = NULL;
        size_t best = 3; /* what is further away was meant to be something else */

        for (size_t i = 0; i < N_OPTIONS; ++i) {
                size_t d = distance(arg + 2, n - 2, options[i].name);

                if (d < best && d < n - 2) {
                        best = d;
                        nearest = &options[i];
                }
        }

        if (nearest)
                say("unknown option '%.*s': did you mean '--%s'?", (int)n, arg, nearest->name);
        else
                say("unknown option '%.*s'. " TRY, (int)n, arg);
}

/* The option that the first `n` characters of `arg` name, in full or cut short. */
static const struct option *find_long(const char *arg, size_t n) {
        const struct option *found = NULL;

        for (size_t i = 0; i < N_OPTIONS; ++i) {
                if (strncmp(options[i].name, arg + 2, n - 2) != 0)
                        continue;
                if (strlen(options[i].name) == n - 2)
                        return &options[i];
                if (found) {
                        say("ambiguous option '%.*s': '--%s' or '--%s'", (int)n, arg, found->name,
                                options[i].name);
                        return NULL;
                }
                found = &options[i];
        }

        if (!found)
                say_unknown(arg, n);
        return found;
}

/* The argument of an option: `attached`, or what comes next. */
static int take_argument(struct parser *parser, const struct option *option, const char *attached,
        const char **ret) {
        if (!option->argument && attached) {
                say("option '--%s' takes no argument, so not '%s'", option->name, attached);
                return -EINVAL;
        }
        if (option->argument && !attached) {
                attached = *parser->next;
                if (!attached) {
                        say("option '--%s' needs its %s. " TRY, option->name, option->argument);
                        return -EINVAL;
                }
                ++parser->next;
        }

        *ret = attached;
        return 0;
}

static int parse_long(struct parser *parser, const char *arg) {
        size_t n = strcspn(arg, "=");
        const struct option *option = find_long(arg, n);
        const char *value;
        int r;

        if (!option)
                return -EINVAL;
        r = take_argument(parser, option, arg[n] ? arg + n + 1 : NULL, &value);
        if (r < 0)
                return r;
        return apply(parser, option, value);
}

static const struct option *find_letter(char letter) {
        for (size_t i = 0; i < N_OPTIONS; ++i)
                if (options[i].key == letter)
                        return &options[i];

        say("unknown option '-%c'. " TRY, letter);
        return NULL;
}

/* "-pv", "-k5", "-pk5", "-k 5": an argument takes all that is left of the word, or the next one. */
static int parse_letters(struct parser *parser, const char *arg) {
        while (*++arg) {
                const struct option *option = find_letter(*arg);
                const char *value = NULL;
                int r;

                if (!option)
                        return -EINVAL;
                if (option->argument) {
                        r = take_argument(parser, option, arg[1] ? arg + 1 : NULL, &value);
                        if (r < 0)
                                return r;
                }

                r = apply(parser, option, value);
                if (r < 0 || option->argument)
                        return r;
        }
        return 0;
}

static int parse_options(struct parser *parser) {
        while (*parser->next && parser->opts.mode == OPTS_RUN) {
                const char *arg = *parser->next;
                int r;

                if (arg[0] != '-' || arg[1] == 0)
                        break;
                ++parser->next;
                if (strcmp(arg, "--") == 0)
                        break;

                r = arg[1] == '-' ? parse_long(parser, arg) : parse_letters(parser, arg);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_operands(struct parser *parser) {
        struct opts *opts = &parser->opts;
        int r;

        if (!parser->next[0]) {
                say("missing %sCOMMAND. " TRY, opts->init ? "" : "DURATION and ");
                return -EINVAL;
        }
        if (opts->init) {
                opts->argv = (const char *const *)parser->next;
                return 0;
        }
        r = parse_duration(parser->next[0], "", &opts->duration);
        if (r < 0)
                return r;
        if (!parser->next[1]) {
                say("missing COMMAND after '%s'. " TRY, parser->next[0]);
                return -EINVAL;
        }

        opts->argv = (const char *const *)parser->next + 1;
        return 0;
}

/* In the foreground the command shares its group with others, who are not asked to stop. */
static int settle_foreground(struct parser *parser) {
        struct opts *opts = &parser->opts;

        if (!opts->foreground)
                return 0;
        if (parser->stop_from != KEY_STOP)
                opts->stop[0].whom = CURFEW_LEADER;

        for (size_t i = 0; i < CURFEW_MAX_STEPS && opts->stop[i].signal != 0; ++i)
                if (opts->stop[i].whom == CURFEW_GROUP) {
                        say("a 'group:' step needs a group of the command's own, which "
                            "'--foreground' denies it: 'leader:' or 'tree:'");
                        return -EINVAL;
                }
        return 0;
}

/* Called by that name it behaves as that does: what the command leaves is not its business. */
static bool is_timeout(const char *name) {
        const char *slash = name ? strrchr(name, '/') : NULL;

        return name && strcmp(slash ? slash + 1 : name, "timeout") == 0;
}

int opts_parse(char *const argv[], struct opts *ret) {
        struct parser parser = {
                .opts = { .stop = { { .signal = SIGTERM } } },
                .next = argv[0] ? argv + 1 : argv,
        };
        int r;

        if (is_timeout(argv[0]))
                parser.opts.leftovers = OPTS_LEAVE;
        r = parse_options(&parser);
        if (r == 0 && parser.opts.mode == OPTS_RUN) {
                r = parse_operands(&parser);
                if (r == 0)
                        r = settle_foreground(&parser);
        }
        if (r == 0)
                *ret = parser.opts;
        return r;
}

static void print_option(const struct option *option) {
        const char *line = option->help;
        char letter[] = "-x, ", names[64];

        letter[1] = (char)option->key;
        snprintf(names, sizeof(names), "%s--%s%s%s", option->key < KEY_STOP ? letter : "    ",
                option->name, option->argument ? "=" : "", option->argument ?: "");

        for (const char *left = names; *line; left = "") {
                int length = (int)strcspn(line, "\n");

                printf("  %-26s  %.*s\n", left, length, line);
                line += length + (line[length] == '\n');
        }
}

void opts_print_help(void) {
        printf("Usage: curfew [OPTION]... DURATION COMMAND [ARG]...\n"
               "       curfew [OPTION]... --init COMMAND [ARG]...\n"
               "       curfew left\n"
               "\n"
               "Run COMMAND. If it still runs after DURATION, ask it and what it has started to\n"
               "stop, give them time to clean up, and kill what is left then.\n"
               "\n");
        for (size_t i = 0; i < N_OPTIONS; ++i)
                print_option(&options[i]);
        printf("\n"
               "DURATION is a number, optionally followed by s (the default), m, h or d. 0 is no\n"
               "limit. COMMAND finds the time it has in CURFEW_DEADLINE; 'curfew left' prints\n"
               "what is left of it, in seconds, or inf.\n"
               "\n"
               "Ctrl-C, TERM, HUP or QUIT stops COMMAND in the same way; a second one goes on to\n"
               "the next step. USR1 and the like are passed on to it.\n"
               "\n"
               "Exit status: 124 if COMMAND timed out, 137 if it had to be killed then; 125 if\n"
               "curfew failed, 126 if COMMAND can't be run, 127 if it isn't found; else that of\n"
               "COMMAND.\n");
}
