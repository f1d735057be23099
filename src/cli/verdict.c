// SPDX-License-Identifier: MIT
#include "verdict.h"
#include "status.h"

/*
 * At its deadline a command has timed out, whatever it made of being stopped; that it had to be
 * killed is told apart. Else the command's own end is passed on, also the signal that it died of.
 * But if the program was interrupted and the command didn't choose to exit, it dies of the same
 * interruption: a shell's loop, for instance, goes on after a status and ends after that.
 */

static bool is_lost(const struct curfew_result *result) {
        return result->status == CURFEW_STATUS_UNKNOWN || result->end == CURFEW_END_GIVEN_UP;
}

enum verdict verdict_of(const struct curfew_result *result) {
        if (is_lost(result))
                return VERDICT_LOST;
        switch (result->reason) {
        case CURFEW_REASON_DEADLINE: return VERDICT_DEADLINE;
        case CURFEW_REASON_CANCELLED:
                if (result->cause.code == VERDICT_IDLE_CODE)
                        return VERDICT_IDLE;
                return VERDICT_CANCELLED;
        case CURFEW_REASON_CALLER:
        case CURFEW_REASON_OUTSIDE: return VERDICT_CANCELLED;
        case CURFEW_REASON_LEFTOVERS:
        case CURFEW_REASON_NONE: break;
        }
        return result->status == CURFEW_STATUS_SIGNALED ? VERDICT_SIGNALLED : VERDICT_EXITED;
}

const char *verdict_name(enum verdict verdict) {
        static const char *const names[] = {
                [VERDICT_EXITED] = "exited",
                [VERDICT_SIGNALLED] = "signalled",
                [VERDICT_DEADLINE] = "deadline",
                [VERDICT_IDLE] = "idle",
                [VERDICT_CANCELLED] = "cancelled",
                [VERDICT_LOST] = "lost",
        };

        return names[verdict];
}

static bool timed_out(const struct curfew_result *result) {
        return result->reason == CURFEW_REASON_DEADLINE ||
               (result->reason == CURFEW_REASON_CANCELLED &&
                       result->cause.code == VERDICT_IDLE_CODE);
}

static int command_status(const struct curfew_result *result) {
        switch (result->status) {
        case CURFEW_STATUS_EXITED: return result->code;
        case CURFEW_STATUS_SIGNALED: return STATUS_SIGNAL + result->code;
        case CURFEW_STATUS_UNKNOWN: break;
        }
        return STATUS_FAILED;
}

static bool was_killed(const struct curfew_result *result) {
        for (unsigned i = 0; i < result->n_steps; ++i)
                if (result->steps[i].signal == SIGKILL)
                        return true;
        return false;
}

int verdict_status(const struct curfew_result *result, bool preserve_status, int stopped_by) {
        if (timed_out(result) && preserve_status)
                return command_status(result);
        if (timed_out(result))
                return was_killed(result) ? STATUS_SIGNAL + SIGKILL : STATUS_TIMED_OUT;
        if (result->reason == CURFEW_REASON_CANCELLED && result->status != CURFEW_STATUS_EXITED)
                return -stopped_by;
        if (result->status == CURFEW_STATUS_SIGNALED)
                return -result->code;
        return command_status(result);
}
