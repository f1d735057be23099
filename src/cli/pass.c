// SPDX-License-Identifier: MIT
#include "pass.h"
#include "rawsig.h"
#include "send.h"

#include <stdio.h>

/*
 * In a container the signals of its first process are how one talks to the server in it: HUP has it
 * read its configuration, USR1 open its log anew, and what its image names as STOPSIGNAL has it
 * finish what it is doing and end: QUIT for one, WINCH for another, RTMIN+3 for a third. Nobody but
 * the server knows which of them means what. So each goes to it as it came, and to it alone: the
 * workers below it are its own to talk to, and a database's die of what has itself shut down in
 * good order.
 *
 * Nor does anybody else know how long that takes. A stop that has been asked for has no end here
 * unless somebody has given one, by -k or a plan: then the plan has begun with the signal that
 * came, in the place of its first step's, and its other steps follow, each when the one before has
 * had its time. SIGKILL at the end of it goes to whom it has asked: to all if one of its steps did,
 * else to the command. What the command leaves when it has ended, in whatever way, is asked by the
 * plan as after any other command.
 *
 * A deadline is not a signal, and none of this changes it.
 */

/* What it is to the command, or 0: nothing. */
static int rewritten(const struct opts *opts, int signal) {
        int other = opts->rewrite[signal];

        if (other == OPTS_DROP)
                return 0;
        return other == 0 ? signal : other;
}

static bool asks_for_end(const struct opts *opts, int signal) {
        return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT ||
               signal == opts->stop[0].signal;
}

void pass_received(const struct opts *opts, sigset_t *ret, sigset_t *ret_stops) {
        sigfillset(ret);
        sigemptyset(ret_stops);
        for (int signal = 1; signal <= RAWSIG_LAST; ++signal) {
                int other = rewritten(opts, signal);

                if (other > 0 && (asks_for_end(opts, signal) || asks_for_end(opts, other)))
                        rawsig_add(ret_stops, signal);
        }
}

static enum curfew_whom whom_first(const struct opts *opts) {
        return opts->group ? CURFEW_GROUP : CURFEW_LEADER;
}

/* All that one of the steps has asked. */
static enum curfew_whom whom_last(const struct opts *opts) {
        enum curfew_whom widest = whom_first(opts);

        for (int i = 1; i < CURFEW_MAX_STEPS && opts->stop[i].signal != 0; ++i)
                if (opts->stop[i].whom < widest)
                        widest = opts->stop[i].whom;
        return widest;
}

/* For the signal that came. */
static int send(const struct pass *pass, int came, const struct curfew_step *step) {
        struct curfew_step_taken taken = { .signal = step->signal, .whom = step->whom };
        char why[16];

        snprintf(why, sizeof(why), "SIG%s", curfew_signal_name(came));
        return send_step(pass->opts, pass->run, pass->speech, why, &taken);
}

/* A step as it is to be taken next, and at the end SIGKILL. */
static struct curfew_step next_step(const struct pass *pass) {
        const struct curfew_step *plan = pass->opts->stop;

        if (pass->taken < CURFEW_MAX_STEPS && plan[pass->taken].signal != 0)
                return plan[pass->taken];
        return (struct curfew_step){ SIGKILL, whom_last(pass->opts), CURFEW_FOREVER };
}

static void count_step(struct pass *pass, int64_t grace) {
        int64_t now = curfew_now();

        ++pass->taken;
        if (grace == 0)
                grace = CURFEW_GRACE;
        else if (grace < 0)
                grace = 0;
        pass->due = grace < CURFEW_FOREVER - now ? now + grace : CURFEW_FOREVER;
}

/* Who asks twice is not impatient: the time runs from the first. */
static void note_stop(struct pass *pass, int signal) {
        if (pass->asked)
                return;
        pass->asked = signal;
        count_step(pass, pass->opts->limits_stop ? pass->opts->stop[0].grace : CURFEW_FOREVER);
}

static int pass_on(struct pass *pass, int signal, bool is_stop) {
        struct curfew_step step = { rewritten(pass->opts, signal), whom_first(pass->opts), 0 };
        int r = step.signal == 0 ? 0 : send(pass, signal, &step);

        if (is_stop && r == 0)
                note_stop(pass, signal);
        return r;
}

/* What the terminal sends to us it sends to the command as well, if that is in our group. */
int pass_signal(struct pass *pass, pid_t leader, int signal, bool is_stop, bool from_terminal) {
        if (!from_terminal || !terminal_is_shared(pass->terminal, leader))
                return pass_on(pass, signal, is_stop);

        if (signal == SIGTSTP)
                terminal_note_stop(pass->terminal, leader, true);
        else if (signal == SIGTTIN || signal == SIGTTOU)
                terminal_note_wanted(pass->terminal, true);
        else if (is_stop && !terminal_leaves_interrupt(pass->terminal, leader))
                note_stop(pass, signal);
        return 0;
}

void pass_proceed(struct pass *pass, bool is_over) {
        struct curfew_step step;

        if (is_over)
                pass->due = CURFEW_FOREVER;
        if (pass->due > curfew_now())
                return;
        step = next_step(pass);
        count_step(pass, step.grace);
        send(pass, pass->asked, &step);
}
