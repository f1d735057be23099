// SPDX-License-Identifier: MIT
#include "record.h"
#include "say.h"
#include "show.h"
#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * What needs a library beyond libc is not in this program, so that it stays one small file that
 * starts at once, but in the full one: all of this program, and that. Asked for it, this one
 * executes that one, before anything else has been done: with the same arguments, in the same
 * process. It is looked for beside this file (a build tree), then where an installation has it.
 *
 * Without a /proc only the place where it was to be installed is known.
 */

#ifndef CURFEW_LIBEXECDIR
#define CURFEW_LIBEXECDIR "/usr/local/libexec"
#endif

#define FULL "curfew-full"

/* `from` is what this file's folder has to be followed by. Returns only if that is not there. */
static void execute(const char *folder, const char *from, char *const argv[]) {
        char path[4096];
        int n = snprintf(path, sizeof(path), "%s%s" FULL, folder, from);

        if (n > 0 && (size_t)n < sizeof(path))
                execv(path, argv);
}

static void execute_full(char *const argv[]) {
        char folder[4096];
        ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder));
        char *slash;

        folder[n > 0 && n < (ssize_t)sizeof(folder) ? n : 0] = 0;
        slash = strrchr(folder, '/');
        if (slash) {
                slash[1] = 0;
                execute(folder, "", argv);
                execute(folder, "../libexec/curfew/", argv);
        }
        execute(CURFEW_LIBEXECDIR, "/curfew/", argv);
}

/* `what` needs the full program, which is not there. */
static void say_missing(const char *what) {
        say("%s needs the program '" FULL
            "', which is not installed: neither beside this one nor in "
            "" CURFEW_LIBEXECDIR "/curfew",
                what);
}

int record_open(const struct opts *opts, struct record **ret) {
        *ret = NULL;
        if (!opts->report && !opts->events && !opts->timeline)
                return 0;

        execute_full(opts->line);
        say_missing(opts->report ? "'--report'" : opts->events ? "'--events'" : "'--timeline'");
        return -ENOENT;
}

int show_main(char *const argv[]) {
        execute_full(argv);
        say_missing("'curfew show'");
        return STATUS_FAILED;
}

int record_fd(const struct record *record) {
        (void)record;
        return -1;
}

void record_dispatch(struct record *record) {
        (void)record;
}

void record_start(struct record *record, struct curfew_run *run, const struct curfew_ctx *ctx) {
        (void)record, (void)run, (void)ctx;
}

void record_failure(struct record *record, enum curfew_stage stage, int error, const char *text,
        int64_t deadline) {
        (void)record, (void)stage, (void)error, (void)text, (void)deadline;
}

void record_look(struct record *record) {
        (void)record;
}

void record_warning(struct record *record, const struct curfew_step_taken *sent) {
        (void)record, (void)sent;
}

void record_output(struct record *record, int error) {
        (void)record, (void)error;
}

void record_event(struct record *record, const struct curfew_event *event) {
        (void)record, (void)event;
}

int record_close(struct record *record, const struct curfew_result *result, int status) {
        (void)record, (void)result;
        return status;
}
