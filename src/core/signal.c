// SPDX-License-Identifier: MIT
#include "core/signal.h"
#include "base/ascii.h"
#include "curfew.h"

#include <string.h>

/*
 * The names have numbers of their own on each architecture, so the list is of names. The first name
 * of a signal is the one it is given; those further down are only understood.
 *
 * The real-time signals have no names but their distance from either end of their range, whose
 * lower end is the C library's choice (glibc keeps two of the kernel's for itself, musl three) and
 * no constant. The upper half is named from the upper end, so a name is right with any of them. A
 * program that is built with another library than those it signals is told theirs
 * (scripts/link-static).
 */

#ifndef SIGNAL_RTMIN
#define SIGNAL_RTMIN SIGRTMIN
#endif

static const struct {
        char name[8];
        int signal;
} names[] = {
        { "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "ILL", SIGILL },
        { "TRAP", SIGTRAP }, { "ABRT", SIGABRT }, { "BUS", SIGBUS }, { "FPE", SIGFPE },
        { "KILL", SIGKILL }, { "USR1", SIGUSR1 }, { "SEGV", SIGSEGV }, { "USR2", SIGUSR2 },
        { "PIPE", SIGPIPE }, { "ALRM", SIGALRM }, { "TERM", SIGTERM },
#ifdef SIGSTKFLT
        { "STKFLT", SIGSTKFLT },
#endif
        { "CHLD", SIGCHLD }, { "CONT", SIGCONT }, { "STOP", SIGSTOP }, { "TSTP", SIGTSTP },
        { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU }, { "URG", SIGURG }, { "XCPU", SIGXCPU },
        { "XFSZ", SIGXFSZ }, { "VTALRM", SIGVTALRM }, { "PROF", SIGPROF }, { "WINCH", SIGWINCH },
        { "POLL", SIGPOLL }, { "PWR", SIGPWR }, { "SYS", SIGSYS },
#ifdef SIGEMT
        { "EMT", SIGEMT },
#endif

        { "IOT", SIGABRT }, { "CLD", SIGCHLD }, { "IO", SIGPOLL },
        { "EXIT", 0 }, /* as the trap of a shell calls it */
};

static const char from_rtmin[][9] = { "RTMIN", "RTMIN+1", "RTMIN+2", "RTMIN+3", "RTMIN+4",
        "RTMIN+5", "RTMIN+6", "RTMIN+7", "RTMIN+8", "RTMIN+9", "RTMIN+10", "RTMIN+11", "RTMIN+12",
        "RTMIN+13", "RTMIN+14", "RTMIN+15" };

static const char from_rtmax[][9] = { "RTMAX", "RTMAX-1", "RTMAX-2", "RTMAX-3", "RTMAX-4",
        "RTMAX-5", "RTMAX-6", "RTMAX-7", "RTMAX-8", "RTMAX-9", "RTMAX-10", "RTMAX-11", "RTMAX-12",
        "RTMAX-13", "RTMAX-14" };

_public_ const char *curfew_signal_name(int signal) {
        size_t up, down;

        if (signal <= 0 || signal > SIGRTMAX)
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(names); ++i)
                if (names[i].signal == signal)
                        return names[i].name;
        if (signal < SIGNAL_RTMIN)
                return NULL;

        up = (size_t)(signal - SIGNAL_RTMIN);
        down = (size_t)(SIGRTMAX - signal);
        if (up <= down)
                return up < ARRAY_SIZE(from_rtmin) ? from_rtmin[up] : NULL;
        return down < ARRAY_SIZE(from_rtmax) ? from_rtmax[down] : NULL;
}

/* A number and nothing else, or -1. */
static int read_number(const char *text, const char *end) {
        int number = 0;

        if (text == end)
                return -1;
        for (; text < end; ++text) {
                int digit = ascii_digit(*text, 10);

                if (digit < 0 || __builtin_mul_overflow(number, 10, &number) ||
                        __builtin_add_overflow(number, digit, &number))
                        return -1;
        }
        return number;
}

/* Shells report a child that died of a signal as 128 and the signal, ksh as 256 and the signal. */
static int from_status(int number) {
        return number & (number >= 0xff ? 0xff : 0x7f);
}

static int from_name(const char *text, const char *end) {
        for (size_t i = 0; i < ARRAY_SIZE(names); ++i) {
                const char *name = names[i].name;
                const char *p = text;

                while (p < end && *name && ascii_lower(*p) == ascii_lower(*name)) {
                        ++p;
                        ++name;
                }
                if (p == end && *name == 0)
                        return names[i].signal;
        }
        return -1;
}

/* "RTMIN", "RTMIN+n", "RTMAX", "RTMAX-n". */
static int from_real_time(const char *text, const char *end) {
        bool up = ascii_begins(text, end, "rtmin");
        int distance = 0;

        if (!up && !ascii_begins(text, end, "rtmax"))
                return -1;

        text += strlen("rtmin");
        if (text < end) {
                if (*text++ != (up ? '+' : '-'))
                        return -1;
                distance = read_number(text, end);
        }

        if (distance < 0 || distance > SIGRTMAX - SIGNAL_RTMIN)
                return -1;
        return up ? SIGNAL_RTMIN + distance : SIGRTMAX - distance;
}

int signal_parse(const char *text, const char *end, int *ret) {
        int signal = read_number(text, end);

        if (signal >= 0) {
                signal = from_status(signal);
        } else {
                if (ascii_begins(text, end, "sig"))
                        text += 3;
                signal = read_number(text, end);
                if (signal < 0)
                        signal = from_name(text, end);
                if (signal < 0)
                        signal = from_real_time(text, end);
        }

        /* The C library's own real-time signals are for nobody else, and have no name. */
        if (signal != 0 && !curfew_signal_name(signal))
                return -EINVAL;

        *ret = signal;
        return 0;
}

_public_ int curfew_signal_parse(const char *text, int *ret) {
        if (!text || !ret)
                return -EINVAL;
        return signal_parse(text, text + strlen(text), ret);
}
