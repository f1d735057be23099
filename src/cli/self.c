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

#define MAX_LINE 64 /* of those that are looked for */

/* The number behind "\nKey:\t" if all of that line is there. */
static bool find_number(const char *status, const char *key, int base, uint64_t *ret) {
        const char *value = strstr(status, key);

        if (!value || !strchr(value + 1, '\n'))
                return false;
        *ret = strtoull(value + strlen(key), NULL, base);
        return true;
}

/* Piece by piece, each with the end of the one before: between the two lines stand the groups,
 * which may be 65,536. Returns whether the last line was there. */
static bool read_status(int fd, struct self *self) {
        uint64_t n_fds, pid;
        char status[4096];
        size_t kept = 0;
        ssize_t n;

        while ((n = read(fd, status + kept, sizeof(status) - 1 - kept)) > 0) {
                size_t used = kept + (size_t)n;

                status[used] = 0;
                if (find_number(status, "\nPid:\t", 10, &pid))
                        self->has_proc = pid == (uint64_t)getpid();
                if (find_number(status, "\nFDSize:\t", 10, &n_fds))
                        self->n_fds = (unsigned)n_fds;
                if (find_number(status, "\nSigIgn:\t", 16, &self->ignored))
                        return true;
                kept = used < MAX_LINE ? used : MAX_LINE;
                memmove(status, status + used - kept, kept);
        }
        return false;
}

static uint64_t ask_for_each(void) {
        uint64_t ignored = 0;

        for (int signal = 1; signal <= RAWSIG_LAST; ++signal)
                if (rawsig_is_ignored(signal))
                        ignored |= UINT64_C(1) << (signal - 1);
        return ignored;
}

void self_read(struct self *ret) {
        struct self self = { .n_fds = MAX_TRIED };
        int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

        if (fd < 0 || !read_status(fd, &self))
                self.ignored = ask_for_each();
        if (fd >= 0)
                close(fd);
        *ret = self;
}
