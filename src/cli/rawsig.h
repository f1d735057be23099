// SPDX-License-Identifier: MIT
#pragma once

/*
 * Signals as the kernel has them. A C library keeps the first real-time signals for itself, glibc
 * two and musl three, and denies its callers to name them in a set or to ask for them; but the
 * program passes signals on between others, whose library needn't be its own.
 */

#include <signal.h>
#include <stdbool.h>

#define RAWSIG_LAST (_NSIG - 1)

void rawsig_add(sigset_t *set, int signal);
bool rawsig_has(const sigset_t *set, int signal);

/* The two that glibc keeps for its threads are nobody's: its posix_spawn() leaves them ignored in
 * every child. */
static inline bool rawsig_is_private(int signal) {
        return signal == 32 || signal == 33;
}

bool rawsig_is_ignored(int signal);
void rawsig_default(int signal);

/* sigprocmask(2). */
void rawsig_mask(int how, const sigset_t *set, sigset_t *ret_old);
