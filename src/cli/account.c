// SPDX-License-Identifier: MIT
#include "account.h"
#include "say.h"

#include <stdio.h>
#include <string.h>

/*
 * The line of a step begins as GNU timeout's does; what GNU doesn't have is curfew's own:
 *
 *         curfew: sending signal INT to command 'python3' after 2.001s (deadline), 3 processes
 *         curfew: command 'python3' exited after 2.304s
 *         curfew: command 'python3': exit status 0; nothing left after 2.310s, by step 1 (INT)
 *
 * What a key at the terminal has done already is told behind it: "0 processes; 3 had it from the
 * terminal".
 */

static double seconds(int64_t duration) {
        return (double)duration / (double)CURFEW_SEC;
}

static const char *plural(unsigned n) {
        return n == 1 ? "" : "es";
}

void account_step(const char *name, const struct curfew_step_taken *step, const char *why) {
        char left_out[48] = "";

        if (step->left_out > 0)
                snprintf(left_out, sizeof(left_out), "; %u had it from the terminal",
                        step->left_out);
        say("sending signal %s to command '%s' after %.3fs (%s), %u process%s%s%s%s",
                curfew_signal_name(step->signal), name, seconds(step->at), why, step->reached,
                plural(step->reached), left_out, step->error < 0 ? "; not to all: " : "",
                step->error < 0 ? strerror(-step->error) : "");
}

void account_exit(const char *name, int64_t after) {
        say("command '%s' exited after %.3fs", name, seconds(after));
}

static void describe_status(const struct curfew_result *result, char *text, size_t size) {
        switch (result->status) {
        case CURFEW_STATUS_EXITED: snprintf(text, size, "exit status %d", result->code); break;
        case CURFEW_STATUS_SIGNALED:
                snprintf(text, size, "died of signal %s%s", curfew_signal_name(result->code),
                        result->core_dumped ? ", core dumped" : "");
                break;
        case CURFEW_STATUS_UNKNOWN: snprintf(text, size, "exit status unknown"); break;
        }
}

/* Where a daemon can get away, no more is known than that there is nobody to be found. */
static void describe_end(const struct curfew_result *result, char *text, size_t size) {
        bool sure = result->guarantee >= CURFEW_GUARANTEE_TRACKED;
        const char *nothing = sure ? "nothing left" : "nothing found left";
        double wall = seconds(result->wall);
        unsigned step = result->ended_by;

        if (result->end != CURFEW_END_EMPTY)
                snprintf(text, size, "%u process%s left after %.3fs", result->left,
                        plural(result->left), wall);
        else if (step > 0)
                snprintf(text, size, "%s after %.3fs, by step %u (%s)", nothing, wall, step,
                        curfew_signal_name(result->steps[step - 1].signal));
        else
                snprintf(text, size, "%s after %.3fs", nothing, wall);
}

void account_end(const char *name, const struct curfew_result *result) {
        char status[64] = "", end[96] = "";

        describe_status(result, status, sizeof(status));
        describe_end(result, end, sizeof(end));
        say("command '%s': %s; %s", name, status, end);
}
