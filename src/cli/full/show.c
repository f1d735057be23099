// SPDX-License-Identifier: MIT
#include "cli/show.h"
#include "cli/full/bars.h"
#include "cli/full/story.h"
#include "cli/say.h"
#include "cli/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * A report may come from anywhere, so that it is one is found out first: below this file nothing
 * asks whether what the schema promises is there. What it says is text from elsewhere, too, and
 * goes to the terminal through pen_text().
 */

/* Each of a list is as `format` has it, for json_unpack(), with these keys. */
static int check_each(
        const json_t *object, const char *list_name, json_error_t *error, const char *format, ...) {
        json_t *list = json_object_get(object, list_name);
        int r = 0;

        if (!json_is_array(list)) {
                snprintf(error->text, sizeof(error->text), "'%s' is no list", list_name);
                return -EINVAL;
        }
        for (size_t i = 0; i < json_array_size(list); ++i) {
                json_t *item = json_array_get(list, i);
                char text[JSON_ERROR_TEXT_LENGTH];
                va_list keys;

                va_start(keys, format);
                r = json_vunpack_ex(item, error, JSON_VALIDATE_ONLY, format, keys);
                va_end(keys);
                if (r == 0)
                        continue;
                snprintf(text, sizeof(text), "%.20s, item %zu: %.100s", list_name, i + 1,
                        error->text);
                memcpy(error->text, text, sizeof(text));
                return -EINVAL;
        }
        return 0;
}

#define SENT_FORMAT "{s:F, s:s, s:s, s:i}"
#define SENT_KEYS   "time", "signal", "whom", "reached"

static int check_steps(json_t *report, json_error_t *error) {
        json_t *steps = json_object_get(report, "steps");
        json_t *warned = json_object_get(report, "warned");

        if (check_each(report, "steps", error, SENT_FORMAT, SENT_KEYS) < 0)
                return -EINVAL;
        for (size_t i = 0; i < json_array_size(steps); ++i)
                if (check_each(json_array_get(steps, i), "ended", error, "{s:i, s:s}", "pid",
                            "name") < 0)
                        return -EINVAL;
        if (json_is_object(warned) &&
                json_unpack_ex(warned, error, JSON_VALIDATE_ONLY, SENT_FORMAT, SENT_KEYS) < 0)
                return -EINVAL;
        return 0;
}

static int check_parts(json_t *report, json_error_t *error) {
        if (json_unpack_ex(report, error, JSON_VALIDATE_ONLY,
                    "{s:o, s:s, s:i, s:{s:F}, s:{s:i}, s:{s:i}, s:{s:F, s:i}}", "command",
                    "verdict", "exit_status", "times", "end", "killed", "count", "survivors",
                    "count", "sampling", "interval", "omitted") < 0)
                return -EINVAL;
        if (check_each(json_object_get(report, "command"), "argv", error, "s") < 0 ||
                check_each(json_object_get(report, "killed"), "processes", error, "{s:i, s:s}",
                        "pid", "name") < 0 ||
                check_each(json_object_get(report, "survivors"), "processes", error, "{s:i, s:s}",
                        "pid", "name") < 0 ||
                check_each(report, "processes", error, "{s:i, s:i, s:s, s:F, s:o}", "pid", "parent",
                        "name", "started", "ended") < 0)
                return -EINVAL;
        return check_steps(report, error);
}

static int check(const char *name, json_t *report) {
        const char *schema = json_string_value(json_object_get(report, "schema"));
        json_error_t error = { 0 };

        if (json_object_get(report, "event")) {
                say("'%s' is no report: these are events; '--report' makes one", name);
                return -EINVAL;
        }
        if (!schema || strncmp(schema, "curfew-report/", 14) != 0) {
                say("'%s' is no report: it has no \"schema\": \"curfew-report/1\"", name);
                return -EINVAL;
        }
        if (strcmp(schema, "curfew-report/1") != 0) {
                say("'%s' is a report of another version of curfew: '%s'", name, schema);
                return -EINVAL;
        }
        if (check_parts(report, &error) < 0) {
                say("'%s' is no sound report: %s", name, error.text);
                return -EINVAL;
        }
        return 0;
}

/* NULL: a line has been said. */
static json_t *load(const char *name) {
        FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
        json_error_t error = { 0 };
        json_t *report;

        if (!file) {
                say("cannot read '%s': %s", name, strerror(errno));
                return NULL;
        }
        errno = 0;
        report = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error);
        if (ferror(file))
                say("cannot read '%s': %s", name, strerror(errno));
        else if (!report)
                say("'%s' is no report: line %d, column %d: %s", name, error.line, error.column,
                        error.text);
        if (ferror(file)) {
                json_decref(report);
                report = NULL;
        }
        if (file != stdin)
                fclose(file);
        if (report && check(name, report) < 0) {
                json_decref(report);
                report = NULL;
        }
        return report;
}

static int show(const char *name, bool all) {
        json_t *report = load(name);
        struct pen pen;
        int r;

        if (!report)
                return STATUS_FAILED;
        pen_init(&pen);
        story_tell_verdict(&pen, report);
        putchar('\n');
        r = bars_draw(&pen, report, all);
        if (r < 0)
                say("cannot draw '%s': %s", name, strerror(-r));
        else if (json_array_size(json_object_get(report, "processes")) > 0)
                putchar('\n');
        story_tell_details(&pen, report);
        json_decref(report);
        return r < 0 ? STATUS_FAILED : 0;
}

int show_main(char *const argv[]) {
        const char *name = NULL;
        bool all = false;

        for (char *const *arg = argv + 2; *arg; ++arg) {
                if (strcmp(*arg, "--all") == 0) {
                        all = true;
                } else if ((*arg)[0] == '-' && (*arg)[1]) {
                        say("unknown option '%s' for 'curfew show': '--all'", *arg);
                        return STATUS_FAILED;
                } else if (name) {
                        name = NULL;
                        break;
                } else {
                        name = *arg;
                }
        }
        if (name)
                return show(name, all);
        say("'curfew show' takes one REPORT, the file that '--report' has written; or '-'");
        return STATUS_FAILED;
}
