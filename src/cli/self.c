// SPDX-License-Identifier: MIT
#include "self.h"
#include "rawsig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * One file says which signals are ignored and how large the table of descriptors is: that takes
 * three system calls, where to ask of each signal takes sixty, and a folder to list another five.
 *
 * Without /proc each signal is asked for, and every number is tried that a shell or make gets to.
 */

#define MAX_TRIED 4096

/* The number behind "\nKey:\t", or `fallback`. */
static uint64_t read_number(const char *status, const char *key, int base, uint64_t fallback) {
        const char *value = strstr(status, key);

        return value ? strtoull(value + strlen(key), NULL, base) : fallback;
}

static uint64_t ask_for_each(void) {
        uint64_t ignored = 0;

        for (int signal = 1; signal <= RAWSIG_LAST; ++signal)
                if (rawsig_is_ignored(signal))
                        ignored |= UINT64_C(1) << (signal - 1);
        return ignored;
}

void self_read(struct self *ret) {
        int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
        char status[4096] = "";

        if (fd >= 0) {
                ssize_t n = read(fd, status, sizeof(status) - 1);

                status[n > 0 ? n : 0] = 0;
                close(fd);
        }
        ret->n_fds = (unsigned)read_number(status, "\nFDSize:\t", 10, MAX_TRIED);
        ret->ignored = strstr(status, "\nSigIgn:\t") ? read_number(status, "\nSigIgn:\t", 16, 0)
                                                     : ask_for_each();
}
