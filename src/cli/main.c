// SPDX-License-Identifier: MIT
#include "cli/timeout/timeout.h"
#include "curfew.h"
#include "doctor.h"
#include "job.h"
#include "left.h"
#include "opts.h"
#include "say.h"
#include "show.h"
#include "signals.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A pipe's end of the wrong kind. The number is the lowest that is free, so that the pipe's first
 * end, which can't be written, gets it. */
static int open_pipe_end(int fd) {
        int ends[2], r = 0;

        if (pipe(ends) < 0)
                return -errno;
        if (fd == 0 && dup2(ends[1], fd) < 0)
                r = -errno;
        close(ends[1]);
        return r;
}

/* A standard descriptor that is closed would be the number of the next file that is opened, which
 * the command would then get. In its place goes one that fails in the same way: reading stdin and
 * writing the others is EBADF. There may be no /dev. */
static int fill_standard_descriptors(void) {
        struct pollfd fds[] = { { .fd = 0 }, { .fd = 1 }, { .fd = 2 } };
        int r = poll(fds, 3, 0) < 0 ? -errno : 0;

        for (int fd = 0; fd <= 2 && r == 0; ++fd)
                if ((fds[fd].revents & POLLNVAL) &&
                        open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
                        r = open_pipe_end(fd);
        return r;
}

/* What was printed has to arrive, or it is a failure whatever the status would have been. */
static int finish_output(int status) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        say("cannot write to standard output: %s", strerror(errno));
        return STATUS_FAILED;
}

/* A negative status is the signal to die of. */
static int leave(int status) {
        if (status >= 0)
                return status;
        signals_die(-status);
        return STATUS_SIGNAL - status;
}

static bool is_called(const char *path, const char *name) {
        const char *slash = path ? strrchr(path, '/') : NULL;

        return path && strcmp(slash ? slash + 1 : path, name) == 0;
}

static bool is_verb(const char *word) {
        return strcmp(word, "left") == 0 || strcmp(word, "doctor") == 0 ||
               strcmp(word, "show") == 0;
}

/* A verb stands where a DURATION would, and none is one. Returns the exit status. */
static int run_verb(char *const argv[]) {
        const char *verb = argv[1];

        if (argv[2] && strcmp(argv[2], "--help") == 0) {
                opts_print_help();
                return 0;
        }
        if (strcmp(verb, "show") == 0)
                return show_main(argv);
        if (argv[2]) {
                say("'curfew %s' takes no argument, so not '%s'", verb, argv[2]);
                return STATUS_FAILED;
        }
        return strcmp(verb, "left") == 0 ? left_main() : doctor_main();
}

int main(int argc, char *argv[]) {
        struct opts opts;
        int r = fill_standard_descriptors();

        if (r < 0) {
                say("cannot open a standard descriptor: %s", strerror(-r));
                return STATUS_FAILED;
        }
        if (is_called(argv[0], "timeout"))
                return leave(timeout_main(argv));
        if (argc >= 2 && is_verb(argv[1]))
                return finish_output(run_verb(argv));
        if (opts_parse(argv, &opts) < 0)
                return STATUS_FAILED;

        switch (opts.mode) {
        case OPTS_RUN: return leave(job_main(&opts));
        case OPTS_HELP: opts_print_help(); break;
        case OPTS_VERSION: printf("curfew %s\n", curfew_version()); break;
        }
        return finish_output(0);
}
