// SPDX-License-Identifier: MIT
#include "waker.h"
#include "curfew.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * A job that was stopped, by Ctrl-Z or by SIGSTOP, has a deadline still, and who keeps it is
 * stopped as well. Another process to wait for that would cost a fork, and could be stopped with
 * the group. But a timer of the kernel's sends a signal, and no process has to run for it; if that
 * is SIGCONT its receiver goes on, whatever has stopped it. Then it finds that its time is over,
 * and stops the command, which is continued to hear of that. It is sent again each second, lest
 * somebody who stops curfew meanwhile make the plan endless.
 *
 * A timer goes on only if its signal is taken, so it is read with the others. The call is made
 * without the C library, which brings threads along for it, and before glibc 2.34 one more library.
 */

#ifndef SYS_timer_settime64 /* where a word has 64 bits there is but one */
#define SYS_timer_settime64 SYS_timer_settime
#endif

#define AGAIN_SEC 1

struct time {
        int64_t sec, nsec;
};

/* Where there is no timer to be had a stopped process stays stopped. */
void waker_set(struct waker *waker, int64_t time) {
        struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCONT };
        const struct time times[] = { { AGAIN_SEC, 0 }, { time / CURFEW_SEC, time % CURFEW_SEC } };

        if (!waker->exists)
                waker->exists = syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &waker->timer) ==
                                0;
        if (waker->exists)
                syscall(SYS_timer_settime64, waker->timer, TIMER_ABSTIME, times, NULL);
}
