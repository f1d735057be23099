// SPDX-License-Identifier: MIT

/*
 * What bench/tournament has ended: three processes, as a build or a test run has them. The leader
 * is what was started, its child is in the same group, and the daemon is made with a double fork,
 * in a session of its own, its streams on /dev/null.
 *
 *     tree SOCKET stay      end when a signal ends it
 *     tree SOCKET ignore    ignore SIGTERM
 *     tree SOCKET clean     when asked, with SIGINT or SIGTERM, clean up for a while and exit
 *     tree SOCKET quit      the same, but the leader exits at once
 *     tree SOCKET leave     the leader exits unasked, the others stay
 *     tree SOCKET orphans   stay, but first the leader makes five orphans that exit
 *
 * Each tells the socket who it is and begins when it gets a byte. It tells then that it was asked,
 * each time, and that it has finished, or that the orphans were made; its connection ends with it.
 * Should whoever holds the other end die, all of them exit.
 */

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLEAN_UP  INT64_C(300000000) /* ns */
#define N_ORPHANS 5

static int64_t now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void tell(int fd, const char *word) {
        if (send(fd, word, strlen(word), MSG_NOSIGNAL) < 0)
                _exit(1);
}

/* Tell who this is, and wait to be told to begin. */
static int meet(const char *path, const char *name) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        char byte;

        strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                err(1, "%s", path);
        prctl(PR_SET_NAME, name);
        tell(fd, name);
        if (recv(fd, &byte, 1, 0) != 1)
                _exit(1);
        return fd;
}

/* Until a signal or the end of the connection ends it; true: asked, before `end`. */
static bool wait_to_be_asked(int fd, int asked, int64_t end) {
        struct pollfd fds[] = { { fd, POLLIN, 0 }, { asked, POLLIN, 0 } };
        struct signalfd_siginfo info;

        for (;;) {
                int64_t left = end - now();
                struct timespec timeout = { left / 1000000000, left % 1000000000 };

                if (left <= 0)
                        return false;
                if (ppoll(fds, 2, end == INT64_MAX ? NULL : &timeout, NULL) < 0)
                        continue;
                if (fds[0].revents)
                        _exit(1);
                if (fds[1].revents && read(asked, &info, sizeof(info)) > 0)
                        return true;
        }
}

/* Where clean-up takes no time, to be asked is to exit. */
__attribute__((noreturn)) static void live(int fd, int asked, int64_t clean_up) {
        int64_t end;

        wait_to_be_asked(fd, asked, INT64_MAX);
        tell(fd, "asked");
        for (end = now() + clean_up; wait_to_be_asked(fd, asked, end);)
                tell(fd, "asked");
        tell(fd, "finished");
        _exit(0);
}

/* A descriptor that says when SIGINT or SIGTERM has come; none where these do what they do. */
static int hear(const char *verb) {
        sigset_t signals;

        sigemptyset(&signals);
        if (strcmp(verb, "ignore") == 0)
                signal(SIGTERM, SIG_IGN);
        if (strcmp(verb, "clean") != 0 && strcmp(verb, "quit") != 0)
                return -1;
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGTERM);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        return signalfd(-1, &signals, SFD_CLOEXEC);
}

/* A process whose parent exits: "it" returns true. */
static bool orphan(void) {
        pid_t pid = fork();

        if (pid == 0) {
                setsid();
                if (fork() == 0)
                        return true;
                _exit(0);
        }
        waitpid(pid, NULL, 0);
        return false;
}

static void make_daemon(const char *path, int asked) {
        int null;

        if (!orphan())
                return;
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = 0; fd < 3; ++fd)
                dup2(null, fd);
        live(meet(path, "daemon"), asked, CLEAN_UP);
}

/* They have their name before they are there. */
static void make_orphans(int fd) {
        prctl(PR_SET_NAME, "orphan");
        for (int i = 0; i < N_ORPHANS; ++i)
                if (orphan())
                        _exit(0);
        prctl(PR_SET_NAME, "leader");
        tell(fd, "orphans");
}

int main(int argc, char **argv) {
        const char *path, *verb;
        int asked, fd;

        if (argc != 3)
                errx(2, "usage: tree SOCKET stay|ignore|clean|quit|leave|orphans");
        path = argv[1];
        verb = argv[2];

        asked = hear(verb);
        make_daemon(path, asked);
        if (fork() == 0)
                live(meet(path, "child"), asked, CLEAN_UP);
        fd = meet(path, "leader");

        if (strcmp(verb, "orphans") == 0)
                make_orphans(fd);
        if (strcmp(verb, "leave") == 0)
                return 0;
        live(fd, asked, strcmp(verb, "quit") == 0 ? 0 : CLEAN_UP);
}
