// SPDX-License-Identifier: MIT
#include "opts.h"
#include "parse.h"
#include "say.h"
#include "status.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where they are the same, the options are GNU timeout's, and so is the last of two winning. */

enum {
        KEY_STOP = PARSE_LONG,
        KEY_WARN,
        KEY_IDLE,
        KEY_NO_DEADLINE,
        KEY_WITH_PARENT,
        KEY_LIFELINE,
        KEY_LEAVE,
        KEY_WAIT_TREE,
        KEY_REQUIRE,
        KEY_STDOUT,
        KEY_STDERR,
        KEY_REPORT,
        KEY_EVENTS,
        KEY_TIMELINE,
        KEY_INIT,
        KEY_HELP,
        KEY_VERSION,
};

static const struct parse_option options[] = {
        { 's', "signal", "SIGNAL", "ask with this signal (default: TERM)" },
        { 'k', "kill-after", "DURATION", "kill so long after asking (default: 10s; 0: never)" },
        { KEY_STOP, "stop", "PLAN", "ask in steps: INT:5s,TERM:5s or leader:INT,TERM" },
        { KEY_WARN, "warn", "SIGNAL@DURATION", "send a signal so long before the deadline" },
        { KEY_IDLE, "idle", "DURATION", "no output for so long is a deadline, too" },
        { KEY_NO_DEADLINE, "no-deadline", NULL, "there is no DURATION, only COMMAND" },
        { KEY_WITH_PARENT, "with-parent", NULL, "stop when the process that started curfew ends" },
        { KEY_LIFELINE, "lifeline", "FD", "stop when the other end of this pipe is gone" },
        { KEY_LEAVE, "leave", NULL, "leave alone what COMMAND leaves running, or" },
        { KEY_WAIT_TREE, "wait-tree", NULL, "wait for it (default: stop it after a second)" },
        { KEY_REQUIRE, "require", "GUARANTEE", "run only if held so well: sealed, tracked, group" },
        { 'f', "foreground", NULL, "ask COMMAND alone, and leave what it has started" },
        { 'a', "argv0", "ARG", "tell COMMAND that this is its name" },
        { 'p', "preserve-status", NULL, "exit as COMMAND did even if it timed out" },
        { KEY_STDOUT, "stdout", "FILE", NULL },
        { KEY_STDERR, "stderr", "FILE", "write COMMAND's output there" },
        { KEY_REPORT, "report", "FILE", "write there how it went, in JSON," },
        { KEY_EVENTS, "events", "FILE", "... as it happens, a line each," },
        { KEY_TIMELINE, "timeline", "FILE", "... or as a picture of all processes, in HTML" },
        { KEY_INIT, "init", NULL, "be a container's first process; no DURATION" },
        { 'g', "group", NULL, "... its signals are for COMMAND's whole group" },
        { 'r', "rewrite", "FROM:TO", "... one is another: TERM:QUIT; or nothing: INT:0" },
        { 'e', "success", "STATUS", "exit with 0 where the status would be this one" },
        { 'v', "verbose", NULL, "say on stderr what is done and how it ended" },
        { KEY_HELP, "help", NULL, NULL },
        { KEY_VERSION, "version", NULL, "print this, or the version" },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))
#define TRY       "Try 'curfew --help'"

static int parse_duration(const char *text, const char *option, int64_t *ret) {
        int r = curfew_duration_parse(text, ret);

        if (r < 0)
                say("invalid duration '%s'%s%s%s: a number, optionally followed by s, m, h or d",
                        text, option ? " for '--" : "", option ?: "", option ? "'" : "");
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
        int r = parse_duration(value, "kill-after", &grace);

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

/* A step without a grace, and when. By default it is for the leader: most of what that has started
 * knows nothing of the signal, and would die of it. */
static int set_warn(struct opts *opts, const char *value) {
        struct curfew_step steps[CURFEW_MAX_STEPS] = { 0 };
        const char *at = strchr(value, '@');
        char step[64];
        int64_t before = 0;
        int n = at ? (int)(at - value) : 0, r = -EINVAL;

        if (at && !memchr(value, ',', (size_t)n) && n < 32) {
                snprintf(step, sizeof(step), "%s%.*s",
                        memchr(value, ':', (size_t)n) ? "" : "leader:", n, value);
                r = curfew_plan_parse(step, steps);
        }
        if (r == 0 && steps[0].grace == 0)
                r = curfew_duration_parse(at + 1, &before);
        if (r < 0 || steps[0].grace != 0) {
                say("invalid warning '%s' for '--warn': [leader:|group:|tree:]SIGNAL@DURATION, "
                    "such as USR1@30s",
                        value);
                return -EINVAL;
        }
        if (before > 0)
                opts->warn = (struct opts_warn){ steps[0].signal, steps[0].whom, before };
        else
                opts->warn = (struct opts_warn){ 0 }; /* as 0 is no limit elsewhere */
        return 0;
}

/* "TERM:QUIT", "15:3"; "HUP:0" is nothing. */
static int set_rewrite(struct opts *opts, const char *value) {
        const char *colon = strchr(value, ':');
        char from_text[32] = "";
        int from = 0, to = 0, r = -EINVAL;

        if (colon && (size_t)(colon - value) < sizeof(from_text)) {
                memcpy(from_text, value, (size_t)(colon - value));
                r = curfew_signal_parse(from_text, &from);
        }
        if (r == 0)
                r = curfew_signal_parse(colon + 1, &to);
        if (r < 0 || from == 0 || rawsig_is_private(from) || rawsig_is_private(to)) {
                say("invalid word '%s' for '--rewrite': SIGNAL:SIGNAL, such as TERM:QUIT, or "
                    "HUP:0 to drop it",
                        value);
                return -EINVAL;
        }
        opts->rewrite[from] = (uint8_t)(to == 0 ? OPTS_DROP : to);
        return 0;
}

static int set_success(struct opts *opts, const char *value) {
        char *end;
        unsigned long status = strtoul(value, &end, 10);

        if (value[0] < '0' || value[0] > '9' || *end || status > 255) {
                say("invalid status '%s' for '--success': a number up to 255", value);
                return -EINVAL;
        }
        opts->successes[status / 32] |= UINT32_C(1) << status % 32;
        return 0;
}

int opts_status(const struct opts *opts, int status) {
        unsigned number = (unsigned)(status < 0 ? STATUS_SIGNAL - status : status);

        return opts->successes[number / 32] >> number % 32 & 1 ? 0 : status;
}

static int set_guarantee(struct opts *opts, const char *value) {
        for (unsigned i = CURFEW_GUARANTEE_GROUP; i <= CURFEW_GUARANTEE_SEALED; ++i) {
                enum curfew_guarantee guarantee = (enum curfew_guarantee)i;

                if (strcmp(value, curfew_guarantee_name(guarantee)) != 0)
                        continue;
                opts->guarantee = guarantee;
                return 0;
        }
        say("invalid word '%s' for '--require': sealed, tracked or group", value);
        return -EINVAL;
}

/* As early as can be: who ends after this is missed by nobody. */
static int set_parent(struct opts *opts) {
        opts->parent = getppid();
        if (opts->parent != 0)
                return 0;
        say("'--with-parent' sees no parent: it is outside of this PID namespace");
        return -EINVAL;
}

static int set_lifeline(struct opts *opts, const char *value) {
        char *end;
        long fd = strtol(value, &end, 10);

        if (*value < '0' || *value > '9' || *end || fd > INT_MAX) {
                say("invalid descriptor '%s' for '--lifeline': a number, such as 0", value);
                return -EINVAL;
        }
        opts->lifeline = (int)fd;
        return 0;
}

static void set_leftovers(struct opts *opts, int key) {
        opts->leftovers = key == KEY_LEAVE ? OPTS_LEAVE : OPTS_WAIT;
}

struct parser {
        struct opts opts;
        struct parse parse;
        int stop_from; /* key of an option that has set the stop plan, or 0 */
};

/* The plan is set as a whole or by its default's parts. */
static int set_plan(struct parser *parser, int key, const char *value) {
        bool is_whole = key == KEY_STOP, was_whole = parser->stop_from == KEY_STOP;

        if (parser->stop_from != 0 && is_whole != was_whole) {
                say("'--stop' says all that '--signal' and '--kill-after' could say: use one or "
                    "the other");
                return -EINVAL;
        }
        parser->stop_from = key;
        parser->opts.limits_stop = parser->opts.limits_stop || key != 's';
        if (is_whole)
                return set_stop(&parser->opts, value);
        return key == 's' ? set_signal(&parser->opts, value) : set_kill_after(&parser->opts, value);
}

static int apply(struct parser *parser, int key, const char *value) {
        struct opts *opts = &parser->opts;

        switch (key) {
        case 's':
        case 'k':
        case KEY_STOP: return set_plan(parser, key, value);
        case KEY_WARN: return set_warn(opts, value);
        case KEY_IDLE: return parse_duration(value, "idle", &opts->idle);
        case KEY_NO_DEADLINE: opts->no_deadline = true; break;
        case KEY_WITH_PARENT: return set_parent(opts);
        case KEY_LIFELINE: return set_lifeline(opts, value);
        case KEY_LEAVE:
        case KEY_WAIT_TREE: set_leftovers(opts, key); break;
        case KEY_REQUIRE: return set_guarantee(opts, value);
        case KEY_STDOUT: opts->out = value; break;
        case KEY_STDERR: opts->err = value; break;
        case KEY_REPORT: opts->report = value; break;
        case KEY_EVENTS: opts->events = value; break;
        case KEY_TIMELINE: opts->timeline = value; break;
        case KEY_INIT: opts->init = true; break;
        case 'g': opts->group = true; break;
        case 'r': return set_rewrite(opts, value);
        case 'e': return set_success(opts, value);
        case 'a': opts->argv0 = value; break;
        case 'p': opts->preserve_status = true; break;
        case 'f': opts->foreground = true; break;
        case 'v': opts->verbose = true; break;
        case KEY_HELP: opts->mode = OPTS_HELP; break;
        case KEY_VERSION: opts->mode = OPTS_VERSION; break;
        }
        return 0;
}

static void say_unknown(const struct parse *parse) {
        const struct parse_option *nearest = parse_nearest(parse);
        const char *dash = parse->length == 1 ? "-" : "";

        if (nearest)
                say("unknown option '%.*s': did you mean '--%s'?", parse->length, parse->word,
                        nearest->name);
        else
                say("unknown option '%s%.*s'. " TRY, dash, parse->length, parse->word);
}

static void say_fault(const struct parse *parse) {
        const struct parse_option *option = parse->option;

        switch (parse->fault) {
        case PARSE_UNKNOWN: say_unknown(parse); break;
        case PARSE_AMBIGUOUS:
                say("ambiguous option '%.*s': '--%s' or '--%s'", parse->length, parse->word,
                        option->name, parse->other->name);
                break;
        case PARSE_UNEXPECTED:
                say("option '--%s' takes no argument, so not '%s'", option->name, parse->value);
                break;
        case PARSE_MISSING:
                say("option '--%s' needs its %s. " TRY, option->name, option->argument);
                break;
        }
}

static int parse_options(struct parser *parser) {
        while (parser->opts.mode == OPTS_RUN) {
                const struct parse_option *option;
                const char *value = NULL;
                int r = parse_next(&parser->parse, &option, &value);

                if (r < 0)
                        say_fault(&parser->parse);
                if (r <= 0)
                        return r;
                r = apply(parser, option->key, value);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_operands(struct parser *parser) {
        struct opts *opts = &parser->opts;
        char *const *operands = parser->parse.next;
        bool has_duration = !opts->init && !opts->no_deadline;
        int r;

        if (!operands[0]) {
                say("missing %sCOMMAND. " TRY, has_duration ? "DURATION and " : "");
                return -EINVAL;
        }
        if (has_duration) {
                r = parse_duration(operands[0], NULL, &opts->duration);
                if (r < 0)
                        return r;
                if (!operands[1]) {
                        say("missing COMMAND after '%s'. " TRY, operands[0]);
                        return -EINVAL;
                }
                ++operands;
        }

        opts->argv = (const char *const *)operands;
        return 0;
}

bool opts_want_group(const struct opts *opts) {
        if (opts->group)
                return true;
        for (int i = 0; i < CURFEW_MAX_STEPS && opts->stop[i].signal != 0; ++i)
                if (opts->stop[i].whom == CURFEW_GROUP)
                        return true;
        return opts->warn.signal != 0 && opts->warn.whom == CURFEW_GROUP;
}

/* In the foreground the command shares its group with others, who are not asked to stop. As with
 * GNU timeout the time is the command's alone, and not that of what it has started. */
static int settle_foreground(struct parser *parser) {
        struct opts *opts = &parser->opts;

        if (!opts->foreground)
                return 0;
        if (parser->stop_from != KEY_STOP) {
                opts->stop[0].whom = CURFEW_LEADER;
                if (opts->leftovers == OPTS_STOP)
                        opts->leftovers = OPTS_LEAVE;
        }

        if (opts_want_group(opts)) {
                say("a 'group:' step needs a group of the command's own, which '--foreground' "
                    "denies it: 'leader:' or 'tree:'");
                return -EINVAL;
        }
        return 0;
}

/* Without it no signal is passed on but what means nothing to curfew. */
static int settle_init(const struct opts *opts) {
        bool rewrites = false;

        for (int i = 1; i <= RAWSIG_LAST; ++i)
                rewrites = rewrites || opts->rewrite[i] != 0;
        if (opts->init || (!rewrites && !opts->group))
                return 0;
        say("'--%s' is about the signals that '--init' passes on", rewrites ? "rewrite" : "group");
        return -EINVAL;
}

int opts_parse(char *const argv[], struct opts *ret) {
        struct parser parser = {
                .opts = { .line = argv, .stop = { { .signal = SIGTERM } }, .lifeline = -1 },
                .parse = {
                        .options = options,
                        .n_options = N_OPTIONS,
                        .next = argv[0] ? argv + 1 : argv,
                },
        };
        int r = parse_options(&parser);

        if (r == 0 && parser.opts.mode == OPTS_RUN) {
                r = parse_operands(&parser);
                if (r == 0)
                        r = settle_foreground(&parser);
                if (r == 0)
                        r = settle_init(&parser.opts);
        }
        if (r == 0)
                *ret = parser.opts;
        return r;
}

void opts_print_help(void) {
        printf("Usage: curfew [OPTION]... DURATION COMMAND [ARG]...\n"
               "   or: curfew left | doctor | show [--all] REPORT\n"
               "Run COMMAND. After DURATION (90, 1.5m, 2h, 3d; 0: never) ask it and all that it\n"
               "has started to stop, give them time to clean up, and kill what is left.\n");
        parse_print_help(options, N_OPTIONS);
        printf("Exit status: 124 timed out, 137 killed then, 125 curfew failed, 126 COMMAND\n"
               "can't be run, 127 it isn't found; else COMMAND's own. More: man curfew\n");
}
