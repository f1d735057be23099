// SPDX-License-Identifier: MIT
#include "cli/full/story.h"

#include <stdio.h>
#include <string.h>

#define INDENT 10 /* of what stands behind the name of a line */

static const json_t *get(const json_t *object, const char *key) {
        return json_object_get(object, key);
}

static const char *text(const json_t *object, const char *key) {
        const char *value = json_string_value(get(object, key));

        return value ? value : "";
}

static double number(const json_t *object, const char *key) {
        return json_number_value(get(object, key));
}

static long long count(const json_t *object, const char *key) {
        return json_integer_value(get(object, key));
}

static bool is(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/* As a person reads it: 0.042 s, 12.3 s, 1 h 2 min 3 s. */
static void tell_time(double seconds) {
        long long whole = seconds < 1e15 ? (long long)seconds : 0, minutes = whole / 60;

        if (whole >= 86400)
                printf("%lld d %lld h %lld min", minutes / 1440, minutes / 60 % 24, minutes % 60);
        else if (whole >= 3600)
                printf("%lld h %lld min %lld s", minutes / 60, minutes % 60, whole % 60);
        else if (whole >= 60)
                printf("%lld min %.1f s", minutes, seconds - (double)(60 * minutes));
        else
                printf("%.3f s", seconds);
}

static void tell_count(long long n) {
        printf("%lld process%s", n, n == 1 ? "" : "es");
}

static enum pen_color color_of(const char *verdict, const json_t *report) {
        if (is(verdict, "exited"))
                return count(get(report, "status"), "exited") == 0 ? PEN_GREEN : PEN_RED;
        return is(verdict, "deadline") || is(verdict, "idle") || is(verdict, "cancelled")
                       ? PEN_YELLOW
                       : PEN_RED;
}

/* In one line, as it would be typed, but for what a shell would need around it. */
static void tell_command(const struct pen *pen, const json_t *argv, int columns) {
        int room = columns;

        for (size_t i = 0; i < json_array_size(argv); ++i) {
                const char *word = json_string_value(json_array_get(argv, i));
                bool is_plain = word[0] && !strpbrk(word, " \t\n\"'\\$&|;<>()*?#`");

                room -= (i > 0) + 2 * !is_plain;
                if (room < 4 && i > 0) {
                        pen_glyph(pen, " …", " ~");
                        return;
                }
                printf("%s%s", i > 0 ? " " : "", is_plain ? "" : "'");
                room -= pen_text(pen, word, room - 2);
                printf("%s", is_plain ? "" : "'");
        }
}

static void tell_status(const struct pen *pen, const json_t *report) {
        const json_t *status = get(report, "status");

        if (get(status, "exited")) {
                printf("exited with %lld", count(status, "exited"));
        } else if (get(status, "signalled")) {
                printf("died of signal ");
                pen_text(pen, text(status, "signalled"), 16);
                printf("%s", json_is_true(get(status, "core")) ? ", with a core dump" : "");
        } else {
                printf("ended in a way that is not known");
        }
}

static void tell_exited(const struct pen *pen, const json_t *report) {
        printf("It ");
        tell_status(pen, report);
        printf(" after ");
        tell_time(number(get(report, "times"), "exit"));
        if (count(get(report, "status"), "exited") == 124)
                printf(", a status of its own: it was not stopped at a deadline");
        if (is(text(report, "verdict"), "signalled"))
                printf("; curfew hadn't sent it");
        if (is(text(report, "verdict"), "warned"))
                printf(", its warning");
}

static void tell_stopped(const struct pen *pen, const json_t *report, const char *verdict) {
        const json_t *cause = get(report, "cause");

        if (is(verdict, "idle")) {
                printf("It had no output for ");
                tell_time(number(report, "idle"));
        } else if (is(verdict, "cancelled")) {
                printf("It was interrupted");
                if (text(cause, "text")[0]) {
                        printf(" (");
                        pen_text(pen, text(cause, "text"), 40);
                        printf(")");
                }
        } else if (json_is_number(get(report, "deadline"))) {
                printf("Its time of ");
                tell_time(number(report, "deadline"));
                printf(" was over");
        } else {
                printf("Its time was over");
        }
        if (json_is_object(get(report, "failure"))) {
                printf(" before it could start");
                return;
        }
        printf("; it ");
        tell_status(pen, report);
}

static void tell_remains(const json_t *report) {
        long long killed = count(get(report, "killed"), "count");
        long long left = count(get(report, "survivors"), "count");

        if (killed > 0) {
                printf("; ");
                tell_count(killed);
                printf(" had to be killed");
        }
        if (left > 0) {
                printf("; ");
                tell_count(left);
                printf(" left running");
        } else if (is(text(report, "end"), "empty")) {
                bool sure = !is(text(report, "guarantee"), "group");

                printf("; nothing is %s of it", sure ? "left" : "found left");
        }
}

void story_tell_verdict(const struct pen *pen, const json_t *report) {
        const char *verdict = text(report, "verdict");
        const json_t *failure = get(report, "failure");

        pen_color(pen, PEN_BOLD);
        pen_color(pen, color_of(verdict, report));
        pen_text(pen, verdict, 16);
        pen_color(pen, PEN_PLAIN);
        printf("  ");
        tell_command(
                pen, get(get(report, "command"), "argv"), pen->width - (int)strlen(verdict) - 2);
        putchar('\n');

        if (is(verdict, "failed")) {
                printf("It could not be started: ");
                pen_text(pen, text(failure, "error"), 256);
                printf(" (");
                pen_text(pen, text(failure, "stage"), 32);
                printf(")");
        } else if (is(verdict, "exited") || is(verdict, "signalled") || is(verdict, "warned")) {
                tell_exited(pen, report);
        } else if (is(verdict, "lost")) {
                printf("It ");
                tell_status(pen, report);
        } else {
                tell_stopped(pen, report, verdict);
        }
        tell_remains(report);
        printf(".\n");
}

/* The name of a line. */
static void begin(const struct pen *pen, const char *name) {
        pen_color(pen, PEN_BOLD);
        printf("%-*s", INDENT, name);
        pen_color(pen, PEN_PLAIN);
}

/* Names and pids, from a column to the end of the line; of `n`, of whom the list has the first. */
static void tell_names(const struct pen *pen, const json_t *list, long long n, int column) {
        size_t told = 0;

        for (; told < json_array_size(list); ++told) {
                const json_t *item = json_array_get(list, told);
                int room = pen->width - column - 14;
                char pid[24];

                snprintf(pid, sizeof(pid), " %lld", count(item, "pid"));
                if (told > 0 && room < (int)(strlen(text(item, "name")) + strlen(pid)) + 2)
                        break;
                printf("%s", told > 0 ? ", " : "");
                column += pen_text(pen, text(item, "name"), room > 8 ? room : 8);
                column += printf("%s", pid) + 2;
        }
        if ((long long)told < n)
                printf(" and %lld more", n - (long long)told);
}

static void tell_word(const struct pen *pen, const char *word, int columns) {
        int n = pen_text(pen, word, columns);

        pen_blank(columns - n);
}

/* Returns how many columns it took. */
static int tell_sent(const struct pen *pen, const json_t *sent) {
        int n = 34;

        printf("%9.3f s  ", number(sent, "time"));
        tell_word(pen, text(sent, "signal"), 6);
        tell_word(pen, text(sent, "whom"), 6);
        printf(" %4lld reached", count(sent, "reached"));
        if (count(sent, "left_out") > 0)
                n += printf(", %lld had it", count(sent, "left_out"));
        if (json_is_string(get(sent, "error"))) {
                n += printf("; not all: ");
                n += pen_text(pen, text(sent, "error"), 60);
        }
        return n;
}

static void tell_steps(const struct pen *pen, const json_t *report) {
        const json_t *steps = get(report, "steps");
        const json_t *warned = get(report, "warned");

        if (json_is_object(warned)) {
                begin(pen, "Warned");
                tell_sent(pen, warned);
                putchar('\n');
        }
        for (size_t i = 0; i < json_array_size(steps); ++i) {
                const json_t *step = json_array_get(steps, i), *ended = get(step, "ended");
                int column = INDENT;

                begin(pen, i == 0 ? "Steps" : "");
                column += tell_sent(pen, step);
                if (json_array_size(ended) > 0) {
                        column += printf("; ended: ");
                        tell_names(pen, ended, (long long)json_array_size(ended), column);
                }
                putchar('\n');
        }
}

static void tell_counted(const struct pen *pen, const char *name, const json_t *counted) {
        long long n = count(counted, "count");

        if (n == 0)
                return;
        begin(pen, name);
        tell_names(pen, get(counted, "processes"), n, INDENT);
        putchar('\n');
}

static void tell_start(const struct pen *pen, const json_t *report) {
        const json_t *command = get(report, "command");

        begin(pen, "Started");
        pen_text(pen, text(report, "started"), 40);
        printf(" on ");
        pen_text(pen, text(report, "host"), 64);
        if (json_is_string(get(command, "directory"))) {
                printf(" in ");
                pen_text(pen, text(command, "directory"), 256);
        }
        if (json_is_integer(get(command, "pid")))
                printf(", pid %lld", count(command, "pid"));
        putchar('\n');
}

static void tell_end(const struct pen *pen, const json_t *report) {
        const json_t *times = get(report, "times");
        bool is_all = count(get(report, "survivors"), "count") == 0;

        begin(pen, "Ended");
        if (json_is_number(get(times, "exit"))) {
                printf("the command after ");
                tell_time(number(times, "exit"));
                printf(", ");
        }
        printf(is_all ? "all of it after " : "curfew after ");
        tell_time(number(times, "end"));
        printf(is_all ? "; curfew with status %lld\n" : " with status %lld\n",
                count(report, "exit_status"));
}

static void tell_output(const struct pen *pen, const json_t *report) {
        const json_t *output = get(report, "output");

        if (!json_is_false(get(output, "complete")))
                return;
        begin(pen, "Output");
        printf("cut: ");
        pen_text(pen, text(output, "error"), 60);
        putchar('\n');
}

static void tell_use(const struct pen *pen, const json_t *report) {
        const json_t *usage = get(report, "rusage");

        if (json_is_object(usage)) {
                begin(pen, "Used");
                printf("%.3f s user, %.3f s system, %.1f MiB\n", number(usage, "utime"),
                        number(usage, "stime"), number(usage, "maxrss") / (1 << 20));
        }
}

static void tell_hold(const struct pen *pen, const json_t *report) {
        const json_t *sampling = get(report, "sampling");

        if (!json_is_string(get(report, "backend")))
                return;
        begin(pen, "Held");
        pen_text(pen, text(report, "backend"), 32);
        printf(", ");
        pen_text(pen, text(report, "guarantee"), 32);
        putchar('\n');
        begin(pen, "Watched");
        tell_count((long long)json_array_size(get(report, "processes")));
        printf(", every %.3f s or more often", number(sampling, "interval"));
        if (count(sampling, "omitted") > 0)
                printf("; %lld more are not listed", count(sampling, "omitted"));
        putchar('\n');
}

void story_tell_details(const struct pen *pen, const json_t *report) {
        tell_start(pen, report);
        tell_steps(pen, report);
        tell_counted(pen, "Killed", get(report, "killed"));
        tell_counted(pen, "Left", get(report, "survivors"));
        if (!json_is_object(get(report, "failure")))
                tell_end(pen, report);
        tell_output(pen, report);
        tell_use(pen, report);
        tell_hold(pen, report);
}
