// SPDX-License-Identifier: MIT
#include "account.h"

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

void account_step(struct speech *speech, const char *name, const struct curfew_step_taken *step,
        const char *why) {
        char left_out[48] = "";

        if (step->left_out > 0)
                snprintf(left_out, sizeof(left_out), "; %u had it from the terminal",
                        step->left_out);
        speech_say(speech, "sending signal %s to command '%s' after %.3fs (%s), %u process%s%s%s%s",
                curfew_signal_name(step->signal), name, seconds(step->at), why, step->reached,
                plural(step->reached), left_out, step->error < 0 ? "; not to all: " : "",
                step->error < 0 ? strerror(-step->error) : "");
}

/* Of the leader: known to the moment if all has ended with it. */
static void tell_exit(struct speech *speech, const char *name, struct curfew_run *run) {
        const struct curfew_result *result = curfew_run_result(run);
        int64_t after = result ? result->exited : curfew_now() - curfew_run_started(run);

        speech_say(speech, "command '%s' exited after %.3fs", name, seconds(after));
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

static void tell_end(struct speech *speech, const char *name, const struct curfew_result *result) {
        char status[64] = "", end[96] = "";

        describe_status(result, status, sizeof(status));
        describe_end(result, end, sizeof(end));
        speech_say(speech, "command '%s': %s; %s", name, status, end);
}

void account_event(struct speech *speech, const char *name, const struct curfew_event *event,
        const char *why) {
        switch (event->type) {
        case CURFEW_EVENT_STEP: account_step(speech, name, &event->step, why); break;
        case CURFEW_EVENT_EXIT: tell_exit(speech, name, event->run); break;
        case CURFEW_EVENT_END: tell_end(speech, name, curfew_run_result(event->run)); break;
        }
}

void account_trouble(struct speech *speech, const char *name, const struct curfew_result *result) {
        if (result->core_dumped)
                speech_say(speech, "the monitored command dumped core");
        if (result->status == CURFEW_STATUS_UNKNOWN)
                speech_say(speech, "command '%s' ended in a way that is not known", name);
        if (result->end == CURFEW_END_GIVEN_UP && result->left == 0)
                speech_say(speech,
                        "something of command '%s' could not be killed, and can't be seen", name);
        else if (result->end == CURFEW_END_GIVEN_UP)
                speech_say(speech, "%u processes of command '%s' could not be killed", result->left,
                        name);
}

void account_leftovers(struct speech *speech, const char *name) {
        speech_say(
                speech, "stopping what command '%s' has left running (--leave lets it be)", name);
}

void account_wanted(struct speech *speech, const char *name) {
        speech_say(speech, "command '%s' is stopped: it needs the terminal, and doesn't have it",
                name);
}

void account_silence(struct speech *speech, const char *name) {
        speech_say(speech,
                "command '%s' has printed nothing; if it holds back what it prints into a pipe, "
                "PYTHONUNBUFFERED=1 or 'stdbuf -oL' may help",
                name);
}
