// SPDX-License-Identifier: MIT
#include "failure.h"
#include "status.h"

#include <errno.h>
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

const char *failure_explain(const struct opts *opts, enum curfew_stage stage, int error) {
        const char *misplaced = explain_misplaced(opts);

        if (stage == CURFEW_STAGE_CONTEXT && error == -ETIMEDOUT)
                return "its time is over already";
        if (stage == CURFEW_STAGE_LOOKUP && error == -ENOENT && misplaced)
                return misplaced;
        if (stage == CURFEW_STAGE_LOOKUP && error == -EPERM)
                return "PATH has it first relative to the current directory; write ./ before it to "
                       "run that";
        if (stage == CURFEW_STAGE_TREE && opts->guarantee != CURFEW_GUARANTEE_NONE)
                return "what it starts can't be held as well here as '--require' demands: see "
                       "'curfew doctor'";
        if (stage == CURFEW_STAGE_EXEC && error == -ENOENT && access(opts->argv[0], F_OK) == 0)
                return "the interpreter that it names is not there";
        return strerror(-error);
}

int failure_status(enum curfew_stage stage, int error) {
        if (stage == CURFEW_STAGE_CONTEXT && error == -ETIMEDOUT)
                return STATUS_TIMED_OUT;
        if (stage != CURFEW_STAGE_LOOKUP && stage != CURFEW_STAGE_EXEC)
                return STATUS_FAILED;
        return error == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN;
}
