// SPDX-License-Identifier: MIT
#include "rawsig.h"

#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MASK_SIZE (_NSIG / 8)
#define WORD_BITS (8 * sizeof(unsigned long))

/* A C library's set begins with the kernel's, an array of words. */
void rawsig_add(sigset_t *set, int signal) {
        unsigned long *words = (unsigned long *)set;
        unsigned bit = (unsigned)signal - 1;

        words[bit / WORD_BITS] |= 1UL << bit % WORD_BITS;
}

bool rawsig_has(const sigset_t *set, int signal) {
        const unsigned long *words = (const unsigned long *)set;
        unsigned bit = (unsigned)signal - 1;

        return words[bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

/* The kernel's struct sigaction begins with the handler on every architecture but one. */
bool rawsig_is_ignored(int signal) {
        const void *action[16] = { NULL };

        syscall(SYS_rt_sigaction, signal, NULL, action, MASK_SIZE);
        return action[0] == (const void *)SIG_IGN;
}

/* All of it zero: SIG_DFL, and no flag. */
void rawsig_default(int signal) {
        const void *action[16] = { NULL };

        syscall(SYS_rt_sigaction, signal, action, NULL, MASK_SIZE);
}

void rawsig_mask(int how, const sigset_t *set, sigset_t *ret_old) {
        syscall(SYS_rt_sigprocmask, how, set, ret_old, MASK_SIZE);
}
