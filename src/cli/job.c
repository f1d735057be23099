// SPDX-License-Identifier: MIT
#include "job.h"
#include "account.h"
#include "command.h"
#include "context.h"
#include "failure.h"
#include "files.h"
#include "inherit.h"
#include "init.h"
#include "pass.h"
#include "record.h"
#include "relay.h"
#include "say.h"
#include "self.h"
#include "signals.h"
#include "status.h"
#include "terminal.h"
#include "verdict.h"
#include "waker.h"
#include "warning.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * One command in a loop around the supervisor and the signals that curfew receives.
 *
 * The first signal that asks for an end cancels the context, and the stop plan runs just as it does
 * at the deadline. A further one says that this takes too long, and goes on to the plan's next
 * step, but only if a person has pressed a key for it. A process that sends one again is not
 * impatient: GNU timeout sends its child two at once, a service manager asks everybody in a service
 * and the shell everybody in a job, this process and what it supervises; none of them wants a
 * clean-up to be cut short, and whoever does has SIGKILL. One signal never does both, so that a
 * Ctrl-C within the grace of a deadline doesn't take away a clean-up that is going on. What the
 * terminal sends may be for the command alone: see terminal.c. A command that has not been executed
 * yet is not stopped but given up.
 *
 * In a container the signals are the command's: see pass.c.
 *
 * What curfew exits with is decided at the end, from the result alone: see verdict.c.
 */

#define PATIENCE CURFEW_SEC /* with a reader, once the time is over */

struct job {
        const struct opts *opts;
        struct curfew_ctx *ctx;
        struct curfew *sup;
        struct curfew_run *run;
        struct record *record; /* or NULL: nobody asked for one */
        struct inherited inherited;
        struct files files;
        struct relay *relay; /* or NULL: nobody looks at the output */
        struct terminal terminal;
        struct waker waker;
        struct pass pass;     /* if it is the first process of a container */
        struct speech speech; /* from the start to the end */
        sigset_t ignored;     /* signals that the command is to ignore */
        sigset_t stops;       /* signals that ask for an end */
        int signals;
        int stopped_by; /* the first signal that asked for an end, or 0 */
        bool is_init;
        bool reaps; /* what is orphaned: as init, or where a zombie can't be told from a process */
        bool has_exited; /* the command */
        bool is_stopping;
        bool is_draining; /* the run has ended, and not all of its output has been passed on */
        bool has_told;    /* that it has left something running */
        bool has_told_wanted;
        int64_t warn_at;
};

#define JOB_NULL                                                                                   \
        {                                                                                          \
                .files = FILES_NULL, .terminal = TERMINAL_NULL, .pass = PASS_NULL,                 \
                .speech = SPEECH_NULL, .signals = -1                                               \
        }

static void job_deinit(struct job *job) {
        job->run = curfew_run_free(job->run);
        job->sup = curfew_free(job->sup);
        job->ctx = curfew_ctx_unref(job->ctx);
        inherit_deinit(&job->inherited);
        if (job->signals >= 0)
                close(job->signals);
        job->signals = -1;
        terminal_close(&job->terminal, false);
        job->relay = relay_free(job->relay);
        files_close(&job->files);
}

static int open_signals(struct job *job, const struct self *self) {
        sigset_t also;
        int r;

        sigemptyset(&also);
        signals_ignored(self, job->opts, &job->ignored);
        signals_stops(&job->stops);
        if (job->reaps)
                sigaddset(&also, SIGCHLD);
        if (job->is_init)
                pass_received(job->opts, &also, &job->stops);
        sigaddset(&also, SIGCONT);
        sigaddset(&also, SIGTTIN);
        sigaddset(&also, SIGTTOU);
        if (job->terminal.fd >= 0)
                sigaddset(&also, SIGTSTP);

        r = signals_open(&also);
        if (r < 0)
                return r;
        job->signals = r;
        if (job->is_init)
                signals_heed(self);
        return 0;
}

/* Returns a negative errno, after a line has been said about it. */
static int job_init(struct job *job, const struct opts *opts) {
        struct self self;
        int r;

        job->opts = opts;
        job->speech.program = "curfew";
        job->pass.opts = opts;
        job->pass.terminal = &job->terminal;
        job->pass.speech = &job->speech;
        r = files_open(opts, &job->files);
        if (r < 0)
                return r;
        r = context_make(opts, &job->ctx);
        if (r < 0)
                return r;

        self_read(&self);
        job->is_init = opts->init || init_is_ours();
        job->reaps = job->is_init || !self.has_proc;
        if (job->reaps)
                init_begin();
        if (!opts_want_group(opts))
                terminal_open(&job->terminal);
        r = inherit_find(self.n_fds, &job->inherited);
        if (r >= 0)
                r = open_signals(job, &self);
        if (r >= 0 && opts->idle > 0)
                r = relay_new(&job->files, &job->relay);
        if (r >= 0)
                r = curfew_new(&job->sup);
        if (r < 0)
                say("cannot supervise a command: %s", strerror(-r));
        return r;
}

/* Without a terminal it leads a group of its own: there is no shell whose job it could be. */
static bool shares_group(const struct job *job) {
        return job->opts->foreground || job->terminal.fd >= 0;
}

static int64_t earlier(int64_t a, int64_t b) {
        return a < b ? a : b;
}

/* 0, or the exit status, or the negative number of the signal to die of. */
static int job_start(struct job *job) {
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        const struct command command = {
                .opts = job->opts,
                .files = &job->files,
                .inherited = &job->inherited,
                .ignored = &job->ignored,
                .stops = &job->stops,
                .shares_group = shares_group(job),
                .has_pipes = job->relay,
                .ret_stage = &stage,
        };
        int r;

        job->warn_at = warning_time(&job->opts->warn, job->ctx);
        if (curfew_ctx_deadline(job->ctx) != CURFEW_FOREVER)
                waker_set(&job->waker, curfew_ctx_deadline(job->ctx));
        r = command_start(&command, job->sup, job->ctx, &job->run);
        if (r >= 0) {
                inherit_let_go(&job->inherited, !job->relay, job->opts->lifeline);
                job->pass.run = job->run;
                terminal_listen(&job->terminal, job->run, job->opts->stop);
                relay_begin(job->relay, job->run);
                record_start(job->record, job->run, job->ctx);
                return 0;
        }

        return failure_tell(job->opts, job->record,
                &(struct failure){ stage, r, curfew_ctx_deadline(job->ctx),
                        curfew_ctx_err(job->ctx), job->signals, &job->stops });
}

static pid_t leader_of(const struct job *job) {
        return job->has_exited ? -1 : curfew_run_pid(job->run);
}

/* Its time, for whatever reason. */
static bool is_over(const struct job *job) {
        return curfew_ctx_err(job->ctx) < 0;
}

static void stop_by(struct job *job, int signal) {
        char text[16] = "SIG";

        if (job->stopped_by)
                return;
        job->stopped_by = signal;
        strcat(text, curfew_signal_name(signal));
        curfew_ctx_cancel_cause(job->ctx, signal, text);
}

static void pass_on(struct job *job, int signal, bool from_terminal) {
        bool is_stop = rawsig_has(&job->stops, signal);
        int r = pass_signal(&job->pass, leader_of(job), signal, is_stop, from_terminal);

        if (r == -ESRCH && is_stop)
                stop_by(job, signal);
}

/* Who was stopped had nothing to say; and who still wants the terminal is stopped again. */
static void note_continued(struct job *job) {
        relay_touch(job->relay);
        terminal_note_wanted(&job->terminal, false);
}

static void handle_signal(struct job *job, int signal, bool from_terminal) {
        bool is_key = from_terminal && (signal == SIGINT || signal == SIGQUIT);

        if (is_key) /* first of all: who else has got it may kill this process for it */
                curfew_run_note_signal(job->run, signal);
        record_look(job->record);
        if (signal == SIGCHLD) /* it has woken us, that is all */
                return;
        if (signal == SIGCONT)
                note_continued(job);
        if (job->is_init)
                pass_on(job, signal, from_terminal);
        else if (signal == SIGCONT ||
                 (is_key && terminal_leaves_interrupt(&job->terminal, leader_of(job))))
                return;
        else if (signal == SIGTSTP)
                terminal_note_stop(&job->terminal, leader_of(job), from_terminal);
        else if (signal == SIGTTIN || signal == SIGTTOU)
                terminal_note_wanted(&job->terminal, true);
        else if (!rawsig_has(&job->stops, signal))
                curfew_run_signal(job->run, CURFEW_LEADER, signal);
        else if (!job->stopped_by)
                stop_by(job, signal);
        else if (is_key)
                curfew_run_skip(job->run);
}

static void handle_signals(struct job *job) {
        bool from_terminal = false;
        int signal;

        while ((signal = signals_next(job->signals, &from_terminal)) > 0)
                handle_signal(job, signal, from_terminal);
}

/* Why it is being stopped. A deadline that isn't ours has no text of ours. */
static const char *why(const struct job *job) {
        struct curfew_cause cause;

        if (curfew_ctx_cause(job->ctx, &cause) == 0)
                return job->has_exited ? "left over" : "asked from outside";
        return cause.code == -ETIMEDOUT ? "inherited deadline" : cause.text;
}

/* That a daemon is stopped may be a surprise. */
static void tell_leftovers(struct job *job, const struct curfew_event *event) {
        if (event->type != CURFEW_EVENT_STEP || !job->has_exited || job->has_told ||
                job->pass.asked || is_over(job))
                return;

        job->has_told = true;
        account_leftovers(&job->speech, job->opts->argv[0]);
}

/* Whoever stops curfew from now on must not make this endless. */
static void note_step(struct job *job) {
        if (!job->is_stopping)
                waker_set(&job->waker, curfew_now());
        job->is_stopping = true;
}

static void tell_events(struct job *job) {
        struct curfew_event event;

        while (curfew_next_event(job->sup, &event) > 0) {
                job->has_exited = job->has_exited || event.type == CURFEW_EVENT_EXIT;
                if (event.type == CURFEW_EVENT_STEP)
                        note_step(job);
                record_event(job->record, &event);
                if (job->opts->verbose)
                        account_event(&job->speech, job->opts->argv[0], &event, why(job));
                else
                        tell_leftovers(job, &event);
        }
}

/* What is being stopped already needs no warning. */
static void warn(struct job *job) {
        if (job->warn_at > curfew_now())
                return;
        job->warn_at = CURFEW_FOREVER;
        if (!job->is_stopping && !is_over(job))
                warning_send(job->opts, job->run, job->record, &job->speech);
}

static int64_t idle_time(const struct job *job) {
        int64_t last = job->relay ? relay_last(job->relay) : 0;

        if (!job->relay || relay_is_held_up(job->relay) || is_over(job))
                return CURFEW_FOREVER;
        return job->opts->idle < CURFEW_FOREVER - last ? last + job->opts->idle : CURFEW_FOREVER;
}

static void see_to_silence(struct job *job) {
        if (idle_time(job) > curfew_now())
                return;
        curfew_ctx_cancel_cause(job->ctx, VERDICT_IDLE_CODE, "idle");
        if (!relay_has_read(job->relay))
                account_silence(&job->speech, job->opts->argv[0]);
}

/* Of a job that is stopped the shell would tell. */
static void see_to_terminal(struct job *job) {
        if (!terminal_proceed(&job->terminal, leader_of(job)) || job->has_told_wanted)
                return;
        job->has_told_wanted = true;
        speech_say(&job->speech,
                "command '%s' is stopped: it needs the terminal, and doesn't have it",
                job->opts->argv[0]);
}

/* Do what is due at this time, as far as it isn't the supervisor's. */
static void do_what_is_due(struct job *job) {
        warn(job);
        see_to_silence(job);
        see_to_terminal(job);
        pass_proceed(&job->pass, job->is_stopping || job->has_exited);
        if (job->has_exited && job->pass.asked && job->opts->leftovers == OPTS_WAIT)
                stop_by(job, job->pass.asked); /* who was asked to end leaves nothing to wait for */
}

/* Who reads what an ended command has left in its pipes may take the time that is left; after that
 * only for as long as it is being read. */
static int64_t drain_time(const struct job *job) {
        if (!job->is_draining)
                return CURFEW_FOREVER;
        return is_over(job) ? relay_last(job->relay) + PATIENCE : curfew_ctx_deadline(job->ctx);
}

static int64_t next_due(const struct job *job) {
        int64_t due = earlier(earlier(job->warn_at, idle_time(job)), job->pass.due);

        return earlier(due, earlier(drain_time(job), terminal_due(&job->terminal)));
}

/* Until something happens or is due. Signals, output and lines are dealt with. */
static int wait_for_something(struct job *job) {
        bool runs = !job->is_draining;
        struct pollfd fds[RELAY_FDS + 4] = {
                [RELAY_FDS] = { .fd = curfew_fd(job->sup), .events = POLLIN },
                [RELAY_FDS + 1] = { .fd = job->signals, .events = POLLIN },
                [RELAY_FDS + 2] = { .fd = speech_fd(&job->speech), .events = POLLOUT },
                [RELAY_FDS + 3] = { .fd = runs ? record_fd(job->record) : -1, .events = POLLIN },
        };
        int64_t due = next_due(job), left = due == CURFEW_FOREVER ? 0 : due - curfew_now();
        struct timespec timeout = { 0 };

        relay_poll(job->relay, fds);
        if (left > 0)
                timeout = (struct timespec){ left / CURFEW_SEC, left % CURFEW_SEC };
        if (ppoll(fds, RELAY_FDS + 4, due == CURFEW_FOREVER ? NULL : &timeout, NULL) < 0 &&
                errno != EINTR)
                return -errno;
        handle_signals(job);
        relay_move(job->relay, fds);
        speech_flush(&job->speech);
        if (runs && fds[RELAY_FDS].revents)
                record_look(job->record);
        return 0;
}

/* Whether nothing is left to be done: the run has ended, and what it has left in its pipes has been
 * passed on, which is its output as well. */
static bool has_ended(struct job *job) {
        if (!job->is_draining && curfew_run_result(job->run)) {
                relay_end(job->relay);
                job->is_draining = true;
                job->warn_at = CURFEW_FOREVER;
        }
        if (!job->is_draining)
                return false;
        return relay_state(job->relay) <= 0 || (is_over(job) && drain_time(job) <= curfew_now());
}

/* 0, or a negative errno after a line has been said. */
static int job_wait(struct job *job) {
        while (!has_ended(job)) {
                int r = wait_for_something(job);

                if (r == 0)
                        r = curfew_dispatch(job->sup);
                if (job->reaps)
                        init_reap(curfew_run_pid(job->run));
                if (r < 0) {
                        speech_say(&job->speech, "cannot supervise '%s' any longer: %s",
                                job->opts->argv[0], strerror(-r));
                        return r;
                }
                tell_events(job);
                record_dispatch(job->record);
                do_what_is_due(job);
        }
        return 0;
}

/* Whether all of the output has been passed on. */
static bool is_whole(struct job *job) {
        int r = relay_state(job->relay);

        if (job->relay)
                record_output(job->record, r > 0 ? -ETIMEDOUT : r);
        if (r == 0)
                return true;
        speech_say(&job->speech, "the output of command '%s' is cut: %s", job->opts->argv[0],
                r < 0 ? strerror(-r) : "it is not being read");
        return false;
}

/* The run has ended: what the program is to exit with. */
static int finish(struct job *job, const struct curfew_result *result) {
        int status = verdict_status(result, job->opts, job->stopped_by);

        status = opts_status(job->opts, status);
        if (!is_whole(job))
                status = verdict_cut(status, job->stopped_by);
        terminal_close(&job->terminal, verdict_was_interrupted(result));
        account_trouble(&job->speech, job->opts->argv[0], result);
        return status;
}

static int job_execute(struct job *job) {
        const struct curfew_result *result = NULL;
        int status = job_start(job);

        if (status == 0 && job_wait(job) < 0)
                status = STATUS_FAILED;
        else if (status == 0)
                result = curfew_run_result(job->run);
        if (result)
                status = finish(job, result);
        speech_end(&job->speech);
        return record_close(job->record, result, status);
}

int job_main(const struct opts *opts) {
        struct job job = JOB_NULL;
        int status = STATUS_FAILED;

        /* First of all: this may execute another program. */
        if (record_open(opts, &job.record) < 0)
                return status;
        if (job_init(&job, opts) >= 0)
                status = job_execute(&job);
        else
                status = record_close(job.record, NULL, status);
        job_deinit(&job);
        init_finish(opts->stop);
        return status;
}
