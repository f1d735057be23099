// SPDX-License-Identifier: MIT

/*
 * The program that tests start: it says what it finds itself with, or misbehaves as told. A verb is
 * a function here and a line in the table at the end.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void print_descriptors(void) {
        DIR *dir = opendir("/proc/self/fd");
        const char *separator = "descriptors ";
        struct dirent *entry;

        if (!dir)
                return;
        while ((entry = readdir(dir))) {
                if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
                        continue;
                printf("%s%s", separator, entry->d_name);
                separator = ",";
        }
        printf("\n");
        closedir(dir);
}

/* Blocked and ignored signals, as the kernel lists them: also those that the C library hides. */
static void print_signals(void) {
        FILE *file = fopen("/proc/self/status", "re");
        char line[256];

        if (!file)
                return;
        while (fgets(line, sizeof(line), file))
                if (strncmp(line, "SigBlk:", 7) == 0 || strncmp(line, "SigIgn:", 7) == 0)
                        printf("%.6s %s", line, line + 8);
        fclose(file);
}

static void print_identity(void) {
        uid_t uid[3] = { 0 };
        gid_t gid[3] = { 0 }, groups[64];
        int n = getgroups(64, groups);

        getresuid(&uid[0], &uid[1], &uid[2]);
        getresgid(&gid[0], &gid[1], &gid[2]);
        printf("uid %u,%u,%u\n", uid[0], uid[1], uid[2]);
        printf("gid %u,%u,%u\n", gid[0], gid[1], gid[2]);
        printf("groups ");
        for (int i = 0; i < n; ++i)
                printf("%s%u", i > 0 ? "," : "", groups[i]);
        printf("\n");
}

static void print_limits(void) {
        struct rlimit nofile, core;

        getrlimit(RLIMIT_NOFILE, &nofile);
        getrlimit(RLIMIT_CORE, &core);
        printf("nofile %ju,%ju\n", (uintmax_t)nofile.rlim_cur, (uintmax_t)nofile.rlim_max);
        printf("core %ju,%ju\n", (uintmax_t)core.rlim_cur, (uintmax_t)core.rlim_max);
        printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
}

static void print_place(void) {
        char cwd[4096];
        mode_t mask = umask(0);
        int tty = open("/dev/tty", O_RDWR | O_CLOEXEC), deathsig = 0;

        printf("cwd %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "?");
        printf("umask %04o\n", (unsigned)mask);
        printf("pid %d\nparent %d\n", (int)getpid(), (int)getppid());
        printf("group %s\n", getpgrp() == getpid() ? "own" : "other");
        printf("pgrp %d\n", (int)getpgrp());
        printf("session %s\n", getsid(0) == getpid() ? "own" : "other");
        printf("terminal %s\n", tty < 0 ? "none" : tcgetpgrp(tty) == getpgrp() ? "fg" : "bg");
        printf("no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
        prctl(PR_GET_PDEATHSIG, &deathsig);
        printf("deathsig %d\n", deathsig);
        close(tty);
}

/* state: one line each of all that a child can inherit. */
static int verb_state(int argc, char *argv[]) {
        (void)argc;
        print_descriptors();
        print_signals();
        print_identity();
        print_limits();
        print_place();
        printf("name %s\n", argv[0]);
        return 0;
}

/* environment: the environment, a line each. */
static int verb_environment(int argc, char *argv[]) {
        (void)argc, (void)argv;
        for (char **entry = environ; *entry; ++entry)
                puts(*entry);
        return 0;
}

/* read FD…: what the files at these numbers begin with, whatever their offset. */
static int verb_read(int argc, char *argv[]) {
        for (int i = 2; i < argc; ++i) {
                char buf[64];
                ssize_t n = pread(atoi(argv[i]), buf, sizeof(buf), 0);

                if (n < 0)
                        return 1;
                fwrite(buf, 1, (size_t)n, stdout);
        }
        return 0;
}

/* exit CODE */
static int verb_exit(int argc, char *argv[]) {
        return argc > 2 ? atoi(argv[2]) : 0;
}

/* die SIGNAL */
static int verb_die(int argc, char *argv[]) {
        int signal_number = argc > 2 ? atoi(argv[2]) : SIGKILL;

        signal(signal_number, SIG_DFL);
        raise(signal_number);
        return 0;
}

/* wait [CODE]: until the end of standard input. */
static int verb_wait(int argc, char *argv[]) {
        char buf[64];

        while (read(0, buf, sizeof(buf)) > 0)
                ;
        return argc > 2 ? atoi(argv[2]) : 0;
}

static void *thread_wait(void *arg) {
        pthread_t *leader = arg;

        pthread_join(*leader, NULL);
        puts("gone");
        fflush(stdout);
        exit(verb_wait(0, NULL) + 7);
}

/* outlive: the first thread exits, says "gone", and another waits as in "wait", then exits 7. */
static int verb_outlive(int argc, char *argv[]) {
        static pthread_t leader;
        pthread_t thread;

        (void)argc, (void)argv;
        leader = pthread_self();
        if (pthread_create(&thread, NULL, thread_wait, &leader) != 0)
                return 1;
        pthread_exit(NULL);
}

/* burn: half a tenth of a second of processor time. */
static int verb_burn(int argc, char *argv[]) {
        struct rusage usage;

        (void)argc, (void)argv;
        do
                getrusage(RUSAGE_SELF, &usage);
        while (usage.ru_utime.tv_sec == 0 && usage.ru_stime.tv_sec == 0 &&
                usage.ru_utime.tv_usec + usage.ru_stime.tv_usec < 50000);
        return 0;
}

static void say_of(const char *name, const char *what) {
        char line[64];
        int n = snprintf(line, sizeof(line), "%s %s\n", name, what);

        if (write(1, line, (size_t)n) < n)
                _exit(1);
}

/* Until TERM. If it answers, it does so once, by a process. */
static void hear(const char *name, bool answers) {
        sigset_t set;
        int number;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        say_of(name, "up");
        while (sigwait(&set, &number) == 0 && number != SIGTERM) {
                say_of(name, "asked");
                if (answers && fork() == 0) {
                        setsid();
                        name = "answer";
                        say_of(name, "up");
                }
                answers = false;
        }
        _exit(0);
}

/* hear [quiet]: say of each INT who gets it, the leader or a daemon of its, or what the leader
 * forks in answer to the first unless it is to be quiet: that is in a session of its own, as the
 * daemon is. TERM ends them. */
static int verb_hear(int argc, char *argv[]) {
        sigset_t set;

        (void)argv;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        if (fork() == 0) {
                setsid();
                hear("daemon", false);
        }
        hear("leader", argc == 2);
        return 0;
}

static const struct {
        const char *verb;
        int (*fn)(int argc, char *argv[]);
} verbs[] = {
        { "state", verb_state },
        { "environment", verb_environment },
        { "read", verb_read },
        { "exit", verb_exit },
        { "die", verb_die },
        { "wait", verb_wait },
        { "outlive", verb_outlive },
        { "burn", verb_burn },
        { "hear", verb_hear },
};

int main(int argc, char *argv[]) {
        for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); ++i)
                if (strcmp(argv[1], verbs[i].verb) == 0)
                        return verbs[i].fn(argc, argv);

        fprintf(stderr, "usage: probe VERB [ARGUMENT...]\n");
        return 2;
}
