// SPDX-License-Identifier: MIT
#include "cli/timeout/timeout.h"
#include "cli/rawsig.h"
#include "cli/say.h"
#include "cli/status.h"
#include "cli/timeout/opts.h"
#include "cli/timeout/quote.h"
#include "cli/timeout/signals.h"
#include "cli/timeout/start.h"
#include "curfew.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * Who calls this timeout gets GNU's: what it signals is its own process group, which the command is
 * in, and what the command leaves running, or puts elsewhere, is left alone. Nothing here owns a
 * tree.
 *
 * There are alarms, and signals. At an alarm the signal of the deadline is sent; any other signal
 * that is received is sent on. Whichever comes first winds up the second alarm, if there is one,
 * and from then on the signal of every alarm is KILL, also at the first alarm if that comes now.
 * ALRM from outside is an alarm. A signal that was sent to the group, which this process is in,
 * isn't received any more.
 *
 * What differs from GNU timeout 9.10 is no more than this, and only where nobody can depend on it:
 *
 *  - A process gets a signal once. GNU's sends it to the command and to the group, which mostly
 *    means twice, or three times if it was a key at the terminal; here the command gets it by
 * itself only where it isn't in the group, and the group gets no key again.
 *  - `-s STOP` stops the command and what descends from it, but not timeout, whose -k then works.
 *    Without -k nothing would ever follow: the command is left stopped and has timed out. (In a
 *    group of its own it is an orphan then, and the kernel sends it HUP and CONT.)
 *  - `-s CHLD` and the KILL after `-s ALRM` don't hang: neither signal is needed to go on.
 *  - Time is CLOCK_MONOTONIC's: setting the clock changes nothing.
 *  - A -v line into a broken pipe is lost, but doesn't send the command a PIPE.
 *  - PID 1 may be timeout's own parent.
 *  - Messages are English; the decimal point is a point; the quotes follow the environment even if
 *    the locale is not installed; a message of more than 4 KiB is cut.
 *  - A standard descriptor that was closed is one that fails for the command, not a closed one; and
 *    a name that is twice in the environment is there once. A descriptor above the limit on open
 *    files isn't passed on, and a limit below 16 is too low.
 *
 * CURFEW_DEADLINE is neither read nor written: the command has exactly the environment it is given.
 */

struct timeout {
        struct timeout_opts opts;
        struct timeout_limit limit; /* with the first alarm */
        struct curfew *sup;
        struct curfew_run *run;
        int64_t kill_at; /* the second */
        sigset_t sent;   /* to the group */
        bool timed_out;
        bool is_left; /* stopped, and nothing would ever follow */
        struct speech speech;
};

static int64_t time_after(int64_t duration) {
        int64_t now = curfew_now();

        if (duration == 0)
                return CURFEW_FOREVER;
        return duration < CURFEW_FOREVER - now ? now + duration : CURFEW_FOREVER;
}

static void tell_signal(struct timeout *timeout, int signal) {
        const char *name = curfew_signal_name(signal);
        struct quoted quoted = { "" };
        char number[16];

        if (!timeout->opts.verbose)
                return;
        snprintf(number, sizeof(number), "%d", signal);
        speech_say(&timeout->speech, "sending signal %s to command %s", name ?: number,
                quote(timeout->opts.argv[0], &quoted));
}

/* Where it has been sent there is nobody any more. */
static bool is_in_group(const struct timeout *timeout) {
        return getpgid(curfew_run_pid(timeout->run)) == getpgrp();
}

/* To everyone in the group, and to the command wherever it is: one that leaves the group just now
 * would rather hear it twice than never. KILL doesn't return, but from another group or PID 1. */
static void send_to_group(struct timeout *timeout, int signal, bool everybody) {
        bool inside = is_in_group(timeout);

        if (!inside)
                curfew_run_signal(timeout->run, CURFEW_LEADER, signal);
        if (signal > 0)
                rawsig_add(&timeout->sent, signal);
        if (everybody)
                return;
        kill(0, signal);
        if (inside && !is_in_group(timeout))
                curfew_run_signal(timeout->run, CURFEW_LEADER, signal);
}

static void send_signal(struct timeout *timeout, int signal, bool everybody) {
        if (timeout->opts.foreground) {
                if (!everybody || !is_in_group(timeout))
                        curfew_run_signal(timeout->run, CURFEW_LEADER, signal);
        } else if (signal == SIGSTOP) {
                curfew_run_signal(timeout->run, CURFEW_TREE, signal);
        } else {
                send_to_group(timeout, signal, everybody);
                if (signal != SIGKILL && signal != SIGCONT)
                        send_to_group(timeout, SIGCONT, false);
        }
}

/* `everybody`: the group has it already. */
static void handle_signal(struct timeout *timeout, int signal, bool everybody) {
        struct timeout_opts *opts = &timeout->opts;

        if (signal == SIGALRM) {
                timeout->timed_out = true;
                signal = opts->signal;
        }
        if (opts->kill_after > 0) {
                timeout->kill_at = time_after(opts->kill_after);
                opts->kill_after = 0;
                opts->signal = SIGKILL;
        }
        tell_signal(timeout, signal);
        send_signal(timeout, signal, everybody);
        timeout->is_left = signal == SIGSTOP && timeout->kill_at == CURFEW_FOREVER;
}

static int64_t next_alarm(const struct timeout *timeout) {
        return timeout->limit.deadline < timeout->kill_at ? timeout->limit.deadline
                                                          : timeout->kill_at;
}

static void handle_alarms(struct timeout *timeout) {
        if (next_alarm(timeout) > curfew_now())
                return;
        if (timeout->limit.deadline <= timeout->kill_at)
                timeout->limit.deadline = CURFEW_FOREVER;
        else
                timeout->kill_at = CURFEW_FOREVER;
        handle_signal(timeout, SIGALRM, false);
}

/* Until something is there to be looked at. 0, or a negative errno. */
static int sleep_until(struct timeout *timeout, int64_t time) {
        struct pollfd fds[] = {
                { .fd = curfew_fd(timeout->sup), .events = POLLIN },
                { .fd = timeout->limit.signals.fd, .events = POLLIN },
                { .fd = speech_fd(&timeout->speech), .events = POLLOUT },
        };
        int64_t left = time - curfew_now();
        struct timespec timespec = { 0 };

        if (left > 0) {
                timespec.tv_sec = (time_t)(left / CURFEW_SEC);
                timespec.tv_nsec = (long)(left % CURFEW_SEC);
        }
        if (ppoll(fds, 3, time == CURFEW_FOREVER ? NULL : &timespec, NULL) < 0 && errno != EINTR)
                return -errno;
        speech_flush(&timeout->speech);
        return 0;
}

/* A command that has ended by now has not timed out, nor needs a signal. 0, or a negative errno. */
static int wait_for_end(struct timeout *timeout) {
        while (!timeout->is_left) {
                int signal, r = sleep_until(timeout, next_alarm(timeout));
                bool everybody = false;

                if (r == 0)
                        r = curfew_dispatch(timeout->sup);
                if (r < 0)
                        return r;
                if (curfew_run_result(timeout->run))
                        return 0;

                while ((signal = timeout_signals_next(
                                &timeout->limit.signals, &timeout->sent, &everybody)) > 0)
                        handle_signal(timeout, signal, everybody);
                handle_alarms(timeout);
        }
        return 0;
}

static int failure(const struct timeout *timeout) {
        return timeout->timed_out ? STATUS_TIMED_OUT : STATUS_FAILED;
}

/* The exit status, or the negative number of the signal to die of. */
static int verdict(struct timeout *timeout) {
        const struct curfew_result *result = curfew_run_result(timeout->run);
        bool preserve = timeout->opts.preserve_status;
        int status = STATUS_FAILED;

        if (result->core_dumped)
                speech_say(&timeout->speech, "the monitored command dumped core");

        switch (result->status) {
        case CURFEW_STATUS_EXITED: status = result->code; break;
        case CURFEW_STATUS_SIGNALED:
                if (!timeout->timed_out)
                        return -result->code;
                preserve = preserve || result->code == SIGKILL;
                status = STATUS_SIGNAL + result->code;
                break;
        case CURFEW_STATUS_UNKNOWN:
                say_as(timeout->opts.program, "error waiting for command: taken by another");
                break;
        }
        return timeout->timed_out && !preserve ? STATUS_TIMED_OUT : status;
}

/* In glibc's words, where musl has others. */
static const char *reason_of(int error) {
        switch (error) {
        case EIO: return "Input/output error";
        case EMFILE: return "Too many open files";
        case ELOOP: return "Too many levels of symbolic links";
        case ENAMETOOLONG: return "File name too long";
        case ENOMEM: return "Cannot allocate memory";
        default: return strerror(error);
        }
}

static int fail_to_start(const struct timeout *timeout, enum curfew_stage stage, int error) {
        const char *program = timeout->opts.program, *reason = reason_of(-error);
        struct quoted quoted = { "" };

        switch (stage) {
        case CURFEW_STAGE_LOOKUP:
        case CURFEW_STAGE_EXEC:
                say_as(program, "failed to run command %s: %s",
                        quote(timeout->opts.argv[0], &quoted), reason);
                return error == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN;
        case CURFEW_STAGE_CLONE: say_as(program, "fork system call failed: %s", reason); break;
        default:
                say_as(program, "cannot start a command: %s (%s)", reason,
                        curfew_stage_name(stage));
        }
        return STATUS_FAILED;
}

/* It was ended before it had begun, as what ends it now would have ended it. */
static int end_early(struct timeout *timeout) {
        const struct timeout_opts *opts = &timeout->opts;
        bool everybody = false;
        int signal = SIGALRM;

        if (timeout->limit.deadline > curfew_now())
                signal = timeout_signals_next(&timeout->limit.signals, &timeout->sent, &everybody);
        timeout->timed_out = signal == SIGALRM;
        if (timeout->timed_out)
                signal = opts->signal;
        tell_signal(timeout, signal);
        if (!timeout->timed_out)
                return signal > 0 ? -signal : STATUS_FAILED;
        return opts->preserve_status || signal == SIGKILL ? STATUS_SIGNAL + signal
                                                          : STATUS_TIMED_OUT;
}

static int run(struct timeout *timeout) {
        struct timeout_opts *opts = &timeout->opts;
        enum curfew_stage stage = CURFEW_STAGE_SUPERVISE;
        int r;

        if (!opts->foreground)
                setpgid(0, 0);
        r = timeout_signals_open(opts->signal, &timeout->limit.signals);
        timeout->limit.deadline = time_after(opts->duration);
        if (r == 0)
                r = timeout_start(opts, &timeout->limit, &stage, &timeout->sup, &timeout->run);
        if (r == -ECANCELED)
                return end_early(timeout);
        if (r < 0)
                return fail_to_start(timeout, stage, r);

        r = wait_for_end(timeout);
        if (timeout->is_left)
                return STATUS_TIMED_OUT;
        if (r < 0) {
                say_as(opts->program, "error waiting for command: %s", reason_of(-r));
                return failure(timeout);
        }
        return verdict(timeout);
}

/* What was printed has to arrive, or that is what the status says; also what the system still had
 * to write of what others have printed there. */
static int finish_output(struct timeout *timeout, int status) {
        bool failed = fflush(stdout) != 0 || ferror(stdout);
        int r = speech_end(&timeout->speech);

        if (status < 0)
                return status;
        if (failed || (close(STDOUT_FILENO) < 0 && errno != EBADF)) {
                say_as(timeout->opts.program, "write error: %s", reason_of(errno));
                return failure(timeout);
        }
        return r < 0 ? failure(timeout) : status;
}

int timeout_main(char *const argv[]) {
        struct timeout timeout = {
                .kill_at = CURFEW_FOREVER,
                .limit.signals.fd = -1,
                .speech = SPEECH_NULL,
        };
        int status = 0;

        sigemptyset(&timeout.sent);
        if (timeout_opts_parse(argv, &timeout.opts) < 0)
                return STATUS_FAILED;
        timeout.speech.program = timeout.opts.program;

        switch (timeout.opts.mode) {
        case TIMEOUT_RUN: status = run(&timeout); break;
        case TIMEOUT_HELP: timeout_opts_print_help(timeout.opts.program); break;
        case TIMEOUT_VERSION:
                printf("timeout (curfew) %s\nDoes what timeout of GNU coreutils 9.10 does.\n",
                        curfew_version());
                break;
        }
        status = finish_output(&timeout, status);

        /* To let go of a run that has been left would end it. */
        if (timeout.is_left)
                exit(status);
        curfew_run_free(timeout.run);
        curfew_free(timeout.sup);
        if (timeout.limit.signals.fd >= 0)
                close(timeout.limit.signals.fd);
        return status;
}
