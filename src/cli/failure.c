// SPDX-License-Identifier: MIT
#include "failure.h"
#include "say.h"
#include "signals.h"
#include "status.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* What is taken for a command but hardly is one. NULL: nothing of the kind. */
static const char *explain_misplaced(const struct opts *opts) {
        int64_t unused;

        if (opts->argv[0][0] == '-')
                return "no such command, and options go before DURATION and COMMAND";
        if ((opts->init || opts->no_deadline) && curfew_duration_parse(opts->argv[0], &unused) == 0)
                return "no such command, and with '--init' or '--no-deadline' there is no DURATION";
        return NULL;
}

/* A file system can time out, too. */
static bool is_time_out(const struct failure *failure) {
        return failure->error == -ETIMEDOUT && failure->over == -ETIMEDOUT;
}

/* Whether that is the time which this program has been given, and not its own DURATION. */
static bool is_inherited(void) {
        struct curfew_ctx *ctx;
        bool is_over;

        if (curfew_ctx_from_environment(NULL, &ctx) < 0)
                return false;
        is_over = curfew_ctx_err(ctx) < 0;
        curfew_ctx_unref(ctx);
        return is_over;
}

static const char *explain_time_out(const struct failure *failure) {
        bool is_early = failure->stage == CURFEW_STAGE_CONTEXT;

        if (is_inherited())
                return is_early ? "the time that CURFEW_DEADLINE gives it is over already"
                                : "the time that CURFEW_DEADLINE gives it was over before it was "
                                  "executed";
        return is_early ? "its time is over already" : "its time was over before it was executed";
}

/* The signal that was the end of it, or 0: a key at the terminal has reached the command as well. A
 * context that was cancelled by then has lost its parent or its lifeline. */
static int signal_of(const struct failure *failure) {
        bool is_ended = failure->error == -ECANCELED || failure->error == -ECHILD;
        int signal = is_ended ? signals_next_stop(failure->signals, failure->stops) : 0;

        return is_ended && signal == 0 && failure->over == -ECANCELED ? SIGHUP : signal;
}

static const char *explain(const struct opts *opts, const struct failure *failure) {
        const char *misplaced = explain_misplaced(opts);
        enum curfew_stage stage = failure->stage;
        int error = failure->error;

        if (is_time_out(failure))
                return explain_time_out(failure);
        if (stage == CURFEW_STAGE_LOOKUP && error == -ENOENT && misplaced)
                return misplaced;
        if (stage == CURFEW_STAGE_LOOKUP && error == -EPERM)
                return "PATH has it first relative to the current directory; write ./ before it to "
                       "run that";
        if (stage == CURFEW_STAGE_CLONE && error == -EINVAL)
                return "it takes a call that an emulator such as qemu-user doesn't know";
        if (stage == CURFEW_STAGE_TREE && opts->guarantee != CURFEW_GUARANTEE_NONE)
                return "what it starts can't be held as well here as '--require' demands: see "
                       "'curfew doctor'";
        if (stage == CURFEW_STAGE_EXEC && error == -ENOENT && access(opts->argv[0], F_OK) == 0)
                return "the interpreter that it names is not there";
        return strerror(-error);
}

static int status_of(const struct failure *failure) {
        if (is_time_out(failure))
                return STATUS_TIMED_OUT;
        if (failure->stage != CURFEW_STAGE_LOOKUP && failure->stage != CURFEW_STAGE_EXEC)
                return STATUS_FAILED;
        return failure->error == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN;
}

int failure_tell(const struct opts *opts, struct record *record, const struct failure *failure) {
        const char *text = explain(opts, failure);
        int signal = signal_of(failure);

        record_failure(record, failure->stage, failure->error, text, failure->deadline);
        if (signal > 0)
                return -signal;
        say("cannot run '%s': %s (%s)", opts->argv[0], text, curfew_stage_name(failure->stage));
        return status_of(failure);
}
