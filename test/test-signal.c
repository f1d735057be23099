// SPDX-License-Identifier: MIT
#include "curfew.h"
#include "test.h"

#include <ctype.h>

#define BROKEN (-1)

static int parse(const char *text) {
        int signal = -42;
        int r = curfew_signal_parse(text, &signal);

        if (r == 0)
                return signal;
        assert_eq(r, -EINVAL);
        assert_eq(signal, -42); /* untouched */
        return BROKEN;
}

static void check(const char *text, int expected) {
        int signal = parse(text);

        if (signal != expected)
                test_fail(__FILE__, __LINE__, "\"%s\": %d, not %d", text, signal, expected);
}

static const struct {
        const char *text;
        int signal;
} table[] = {
        { "TERM", SIGTERM },
        { "term", SIGTERM },
        { "SIGTERM", SIGTERM },
        { "sigTerm", SIGTERM },
        { "int", SIGINT },
        { "Hup", SIGHUP },
        { "KILL", SIGKILL },
        { "STOP", SIGSTOP },
        { "VTALRM", SIGVTALRM },
        { "WINCH", SIGWINCH },

        /* Other names of the same. */
        { "IOT", SIGABRT },
        { "CLD", SIGCHLD },
        { "POLL", SIGIO },
        { "IO", SIGIO },
        { "sigio", SIGIO },

        /* Numbers, and the statuses that shells give. */
        { "9", SIGKILL },
        { "09", SIGKILL },
        { "SIG9", SIGKILL },
        { "64", 64 },
        { "129", 1 },
        { "137", SIGKILL },
        { "143", SIGTERM },
        { "265", SIGKILL }, /* ksh */
        { "384", BROKEN },
        { "393", BROKEN },
        { "SIG137", BROKEN },

        /* Nothing but a probe. */
        { "0", 0 },
        { "EXIT", 0 },
        { "SIGEXIT", 0 },
        { "128", 0 },
        { "256", 0 },

        /* No real-time signals. */
        { "RTMIN-1", BROKEN },
        { "RTMAX+1", BROKEN },
        { "RTMIN+", BROKEN },
        { "RTMIN+x", BROKEN },
        { "RTMIN+1x", BROKEN },
        { "RTMIN+-1", BROKEN },
        { "RTMIN+99", BROKEN },
        { "RTMAX-40", BROKEN }, /* 24, if it were computed */
        { "RTMAX-99", BROKEN },
        { "RTMIN+9999999999", BROKEN },
        { "RTMID", BROKEN },

        /* No signals. */
        { "", BROKEN },
        { "SIG", BROKEN },
        { "SIGSIGTERM", BROKEN },
        { "TER", BROKEN },
        { "TERMS", BROKEN },
        { "TERM ", BROKEN },
        { " TERM", BROKEN },
        { "-TERM", BROKEN },
        { "-1", BROKEN },
        { "+9", BROKEN },
        { " 9", BROKEN },
        { "9 ", BROKEN },
        { "9.0", BROKEN },
        { "0x9", BROKEN },
        { "32", BROKEN }, /* the C library's own */
        { "33", BROKEN },
        { "65", BROKEN },
        { "127", BROKEN },
        { "254", BROKEN },
        { "255", BROKEN },
        { "2147483648", BROKEN },
        { "99999999999999999999", BROKEN },
};

static void test_table(void) {
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); ++i)
                check(table[i].text, table[i].signal);

        assert_eq(curfew_signal_parse(NULL, &(int){ 0 }), -EINVAL);
}

/* Every number between the ends of the real-time range has both names, whoever sets the ends. */
static void test_real_time(void) {
        check("RTMIN", SIGRTMIN);
        check("SIGRTMIN", SIGRTMIN);
        check("rtmin", SIGRTMIN);
        check("RTMIN+0", SIGRTMIN);
        check("RTMIN+1", SIGRTMIN + 1);
        check("SIGRTMIN+15", SIGRTMIN + 15);
        check("RTMAX", SIGRTMAX);
        check("RTMAX-0", SIGRTMAX);
        check("rtmax-1", SIGRTMAX - 1);
        check("SIGRTMAX-14", SIGRTMAX - 14);

        for (int i = 0; i <= SIGRTMAX - SIGRTMIN; ++i) {
                char text[32];

                snprintf(text, sizeof(text), "RTMIN+%d", i);
                check(text, SIGRTMIN + i);
                snprintf(text, sizeof(text), "RTMAX-%d", i);
                check(text, SIGRTMAX - i);
        }
}

/* What can be parsed has a name, which is parsed to the same, in both cases, with SIG and without;
 * and the other way round. */
static void test_names(void) {
        for (int signal = -1; signal <= 300; ++signal) {
                const char *name = curfew_signal_name(signal);
                bool is_signal = (signal >= 1 && signal <= 31) ||
                                 (signal >= SIGRTMIN && signal <= SIGRTMAX);
                char text[32];

                assert_eq(name != NULL, is_signal);
                if (!name)
                        continue;

                assert_true(name == curfew_signal_name(signal));
                check(name, signal);
                snprintf(text, sizeof(text), "SIG%s", name);
                check(text, signal);
                for (char *p = text; *p; ++p)
                        *p = (char)tolower((unsigned char)*p);
                check(text, signal);
                snprintf(text, sizeof(text), "%d", signal);
                check(text, signal);
                snprintf(text, sizeof(text), "%d", signal + 128);
                check(text, signal);
        }

        assert_str(curfew_signal_name(SIGINT), "INT");
        assert_str(curfew_signal_name(SIGABRT), "ABRT");
        assert_str(curfew_signal_name(SIGCHLD), "CHLD");
        assert_str(curfew_signal_name(SIGRTMIN), "RTMIN");
        assert_str(curfew_signal_name(SIGRTMIN + 3), "RTMIN+3");
        assert_str(curfew_signal_name(SIGRTMAX - 1), "RTMAX-1");
        assert_str(curfew_signal_name(SIGRTMAX), "RTMAX");
        assert_null(curfew_signal_name(0));
        assert_null(curfew_signal_name(INT32_MAX));
        assert_null(curfew_signal_name(INT32_MIN));
}

int main(void) {
        test_table();
        test_real_time();
        test_names();
        return 0;
}
