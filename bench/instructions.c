// SPDX-License-Identifier: MIT

/*
 * How many instructions a command executes in user mode: each of them is a step of ptrace(2), so
 * the count is exact where a virtual machine has no counters, and valgrind doesn't know pidfds. One
 * that repeats itself (rep movsb) counts once, as in a processor's counter.
 *
 *     instructions [-f] [-m] COMMAND…       -f: and all that it starts
 *                                           -m: only from each odd SIGURG to the next, which the
 *                                               command sends itself and never gets
 *
 * Prints the count on standard error.
 */

#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLLOW (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)

struct counter {
        uint64_t n;
        bool marked; /* there are marks */
        bool on;
        pid_t last; /* who took the last step, and where it led to */
        void *at;
};

/* Begins once it is traced. */
static pid_t start(char **argv, long options) {
        int ends[2];
        char byte;
        pid_t pid;

        if (pipe(ends) < 0)
                err(125, "pipe");
        pid = fork();
        if (pid == 0) {
                close(ends[1]);
                if (read(ends[0], &byte, 1) == 0)
                        close(ends[0]);
                execvp(argv[0], argv);
                err(127, "%s", argv[0]);
        }
        if (pid < 0 || ptrace(PTRACE_SEIZE, pid, 0, options | PTRACE_O_TRACEEXEC) < 0)
                err(125, "can't trace");
        close(ends[0]);
        close(ends[1]);
        return pid;
}

static void count_step(struct counter *counter, pid_t pid) {
        siginfo_t info = { 0 };

        ptrace(PTRACE_GETSIGINFO, pid, 0, &info);
        if (info.si_code == TRAP_TRACE && (pid != counter->last || info.si_addr != counter->at))
                ++counter->n;
        counter->last = pid;
        counter->at = info.si_addr;
}

/* Why it has stopped; what signal it is to get. */
static long look(struct counter *counter, pid_t pid, int status) {
        if (status >> 16 != 0)
                return 0;
        if (WSTOPSIG(status) == SIGTRAP)
                count_step(counter, pid);
        else if (counter->marked && WSTOPSIG(status) == SIGURG)
                counter->on = !counter->on;
        else
                return WSTOPSIG(status);
        return 0;
}

int main(int argc, char **argv) {
        struct counter counter = { .on = true };
        long options = PTRACE_O_EXITKILL;
        int option, status, result = 125;
        pid_t first, pid;

        while ((option = getopt(argc, argv, "+fm")) != -1)
                if (option == 'f')
                        options |= FOLLOW;
                else if (option == 'm')
                        counter = (struct counter){ .marked = true };
                else
                        return 125;
        if (!argv[optind])
                errx(125, "usage: instructions [-f] [-m] COMMAND...");

        first = start(argv + optind, options);
        while ((pid = waitpid(-1, &status, __WALL)) > 0)
                if (WIFSTOPPED(status)) {
                        long signal = look(&counter, pid, status);

                        ptrace(counter.on ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, 0, signal);
                } else if (pid == first)
                        result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        fprintf(stderr, "%" PRIu64 "\n", counter.n);
        return result;
}
