// SPDX-License-Identifier: MIT
#include "sys/proc.h"
#include "test.h"

#include <grp.h>
#include <signal.h>

/* What is read of a process is this one. */

static void handle(int signal) {
        (void)signal;
}

static void expect_handled(void) {
        struct proc proc = PROC_NULL;

        assert_eq(proc_hold(getpid(), &proc), 0);
        assert_true(proc_handles(&proc, SIGUSR1));
        assert_true(proc_handles(&proc, SIGUSR2));
        assert_true(proc_handles(&proc, SIGRTMAX));
        assert_false(proc_handles(&proc, SIGWINCH));
        assert_false(proc_handles(&proc, SIGRTMAX - 1));
        proc_release(&proc);
}

static void test_handles(void) {
        signal(SIGUSR1, handle);
        signal(SIGUSR2, SIG_IGN);
        signal(SIGRTMAX, handle);
        expect_handled();
}

/* The groups stand before it, so that it is anywhere between two reads once. */
static void test_many_groups(void) {
        static gid_t groups[65536];

        for (size_t i = 0; i < ARRAY_SIZE(groups); ++i)
                groups[i] = 100000000 + (gid_t)i;
        if (setgroups(1, groups) < 0)
                return; /* only root may */
        for (size_t n = 200; n < 900; ++n) {
                assert_eq(setgroups(n, groups), 0);
                expect_handled();
        }
        assert_eq(setgroups(ARRAY_SIZE(groups), groups), 0);
        expect_handled();
}

int main(void) {
        test_bound(60);
        test_handles();
        test_many_groups();
        return 0;
}
