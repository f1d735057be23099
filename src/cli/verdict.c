// SPDX-License-Identifier: MIT
#include "verdict.h"
#include "status.h"

/*
 * At its deadline a command has timed out, whatever it made of being stopped; that it had to be
 * killed is told apart. Else the command's own end is passed on, also the signal that it died of.
 * But if the program was interrupted and the command didn't choose to exit, it dies of the same
 * interruption: a shell's loop, for instance, goes on after a status and ends after that. A parent
 * that has ended and a lifeline that has hung up are what SIGHUP says.
 *
 * A command that had ended before any of that has come to an end of its own, whatever it has left
 * to be stopped. Only where that was to be waited for (--wait-tree), what was left timed out; if
 * the command was killed from outside, that tells more.
 */

static bool is_lost(const struct curfew_result *result) {
        return result->status == CURFEW_STATUS_UNKNOWN || result->end == CURFEW_END_GIVEN_UP;
}

static bool ended_by_itself(const struct curfew_result *result, const struct opts *opts) {
        if (result->n_steps == 0 || result->reason == CURFEW_REASON_LEFTOVERS)
                return true;
        return result->exited <= result->steps[0].at &&
               (result->status == CURFEW_STATUS_SIGNALED || opts->leftovers != OPTS_WAIT);
}

/* Whoever else has sent the same signal since can't be told apart. */
static bool has_died_of(
        const struct curfew_result *result, const struct curfew_step_taken *warned) {
        return warned->signal == result->code && warned->reached > 0 &&
               result->exited >= warned->at;
}

static enum verdict own_verdict(
        const struct curfew_result *result, const struct curfew_step_taken *warned) {
        if (result->status != CURFEW_STATUS_SIGNALED)
                return VERDICT_EXITED;
        return has_died_of(result, warned) ? VERDICT_WARNED : VERDICT_SIGNALLED;
}

enum verdict verdict_of(const struct curfew_result *result, const struct opts *opts,
        const struct curfew_step_taken *warned) {
        if (is_lost(result))
                return VERDICT_LOST;
        if (ended_by_itself(result, opts))
                return own_verdict(result, warned);
        if (result->reason == CURFEW_REASON_DEADLINE)
                return VERDICT_DEADLINE;
        if (result->reason == CURFEW_REASON_CANCELLED && result->cause.code == VERDICT_IDLE_CODE)
                return VERDICT_IDLE;
        return VERDICT_CANCELLED;
}

const char *verdict_name(enum verdict verdict) {
        static const char *const names[] = {
                [VERDICT_EXITED] = "exited",
                [VERDICT_SIGNALLED] = "signalled",
                [VERDICT_WARNED] = "warned",
                [VERDICT_DEADLINE] = "deadline",
                [VERDICT_IDLE] = "idle",
                [VERDICT_CANCELLED] = "cancelled",
                [VERDICT_LOST] = "lost",
        };

        return names[verdict];
}

static bool timed_out(const struct curfew_result *result, const struct opts *opts) {
        if (result->status != CURFEW_STATUS_UNKNOWN && ended_by_itself(result, opts))
                return false;
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

/* A step to the leader or the group may have come too late to kill anybody. */
static bool was_killed(const struct curfew_result *result) {
        for (unsigned i = 0; i < result->n_steps; ++i)
                if (result->steps[i].signal == SIGKILL &&
                        (result->steps[i].reached > 0 || result->steps[i].whom == CURFEW_TREE))
                        return true;
        return false;
}

int verdict_status(const struct curfew_result *result, const struct opts *opts, int stopped_by) {
        bool late = timed_out(result, opts);

        if (late && opts->preserve_status)
                return command_status(result);
        if (late)
                return was_killed(result) ? STATUS_SIGNAL + SIGKILL : STATUS_TIMED_OUT;
        if (result->reason == CURFEW_REASON_CANCELLED && result->status != CURFEW_STATUS_EXITED &&
                (stopped_by != 0 || result->cause.code != VERDICT_IDLE_CODE))
                return -(stopped_by ?: SIGHUP);
        if (result->status == CURFEW_STATUS_SIGNALED)
                return -result->code;
        return command_status(result);
}

int verdict_cut(int status, int stopped_by) {
        if (status == 0 && stopped_by)
                return -stopped_by;
        return status == 0 ? STATUS_FAILED : status;
}

bool verdict_was_interrupted(const struct curfew_result *result) {
        return result->status != CURFEW_STATUS_EXITED ||
               (result->reason != CURFEW_REASON_NONE && result->reason != CURFEW_REASON_LEFTOVERS);
}
