// SPDX-License-Identifier: MIT

/*
 * The command of the tests whose host is killed: nobody can ask it afterwards, so it writes down
 * what happens to it. Each line on descriptor 3, a pipe, is a word and the process's number: "up"
 * once it can be asked to stop, "usr1", "term" at the beginning of its clean-up and "done" at the
 * end, "exit" if it ends by itself. Lines are shorter than PIPE_BUF, so none is torn; and the pipe
 * is at its end when the last witness is gone.
 *
 * A signal that arrives during the clean-up is written down as well: what is asked twice says so.
 *
 * Each process also writes one byte to its standard output when it is up, for a host that waits.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOG 3

static volatile sig_atomic_t ending;

/* Where system calls are made to fail, these are not what is tried. */
#define TRIES 8

static int put(int fd, const char *text, size_t n) {
        for (int i = 0; i < TRIES; ++i)
                if (write(fd, text, n) == (ssize_t)n)
                        return 0;
        return -1;
}

static pid_t try_fork(void) {
        pid_t pid = -1;

        for (int i = 0; i < TRIES && pid < 0; ++i)
                pid = fork();
        return pid;
}

/* Async-signal-safe, and so without stdio. */
static void note(const char *word) {
        char line[32], digits[16];
        size_t n = strlen(word), k = 0;

        memcpy(line, word, n);
        line[n++] = ' ';
        for (pid_t pid = getpid(); pid > 0; pid /= 10)
                digits[k++] = (char)('0' + pid % 10);
        while (k > 0)
                line[n++] = digits[--k];
        line[n++] = '\n';
        if (put(LOG, line, n) < 0)
                _exit(9);
}

static void on_usr1(int signal) {
        int saved = errno;

        (void)signal;
        note("usr1");
        errno = saved;
}

static void on_term(int signal) {
        const struct timespec clean_up = { .tv_nsec = 5000000 };

        (void)signal;
        note("term");
        if (ending)
                return;
        ending = 1;
        nanosleep(&clean_up, NULL);
        note("done");
        _exit(0);
}

/* SIGUSR1 is written down before SIGTERM ends it, where both are there. */
static void prepare(void) {
        struct sigaction usr1 = { .sa_handler = on_usr1 };
        struct sigaction term = { .sa_handler = on_term, .sa_flags = SA_NODEFER };

        sigaddset(&usr1.sa_mask, SIGTERM);
        signal(SIGPIPE, SIG_IGN); /* the host's end of the output may be gone */
        sigaction(SIGUSR1, &usr1, NULL);
        sigaction(SIGTERM, &term, NULL);
}

static void up(void) {
        note("up");
        put(STDOUT_FILENO, "u", 1); /* perhaps nobody waits any more */
}

/* Whatever a failed test forgets ends by itself. */
static void stay(void) {
        alarm(200);
        for (;;)
                pause();
}

/* A child in a session of its own. */
static void fork_session(void) {
        if (try_fork() == 0) {
                setsid();
                up();
                stay();
        }
}

/* A grandchild in a session of its own, whose parent has gone. */
static void fork_daemon(void) {
        pid_t pid = try_fork();

        if (pid == 0) {
                setsid();
                if (try_fork() == 0) {
                        up();
                        stay();
                }
                _exit(0);
        }
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

/* Two that nothing but SIGKILL ends, the second in a session of its own; it leaves no zombie, so
 * that its number is free as soon as it is dead. Their numbers are written to standard output. */
static void hold(void) {
        char line[64];

        signal(SIGCHLD, SIG_IGN);
        signal(SIGUSR1, SIG_IGN);
        signal(SIGUSR2, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        if (try_fork() == 0) {
                setsid();
                snprintf(line, sizeof(line), "%d %d\n", (int)getppid(), (int)getpid());
                put(STDOUT_FILENO, line, strlen(line));
        }
        stay();
}

int main(int argc, char *argv[]) {
        const char *verb = argc > 1 ? argv[1] : "";

        if (strcmp(verb, "idle") == 0) { /* what a host executes: none of the tree */
                note("idle");
                stay();
        }
        if (strcmp(verb, "hold") == 0)
                hold();
        prepare();
        up();
        if (strcmp(verb, "stay") == 0) {
                fork_session();
                fork_daemon();
                stay();
        }
        if (strcmp(verb, "pair") == 0) {
                fork_session();
                stay();
        }
        if (strcmp(verb, "alone") == 0)
                stay();
        if (strcmp(verb, "leave") == 0)
                fork_daemon();
        note("exit");
        return 0;
}
