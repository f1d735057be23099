// SPDX-License-Identifier: MIT

/*
 * The program that makes it hard to be ended: each verb is a misbehaviour. It has descriptors from
 * the test: to READY goes the process id of whoever has set itself up, or -1 if that can't be done
 * here; HELD is only held, so that the end of file tells the test that all are gone; what is
 * written to NOTES is appended.
 *
 * None of this may stay for long after a test that fails. A process sleeps until a time that it
 * inherits, or forks until then, and has an alarm for where it is stuck; only what is stopped needs
 * the test to kill it. What forks without end is also held by the limits that the test sets.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READY = 3, HELD, NOTES };

#define LIFE       30 /* seconds: more than curfew tries to end it, so that it can't seem to have */
#define STORM_LIFE 20

static time_t bedtime; /* on CLOCK_MONOTONIC */

static time_t now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return ts.tv_sec;
}

/* The alarm is later, and not inherited. */
static void live(time_t seconds) {
        bedtime = now() + seconds;
        alarm((unsigned)seconds + 2);
}

static pid_t branch(void) {
        pid_t pid = fork();

        if (pid == 0)
                alarm((unsigned)(bedtime > now() ? bedtime - now() : 0) + 2);
        return pid;
}

static void say(pid_t pid) {
        ssize_t n = write(READY, &pid, sizeof(pid));

        (void)n;
}

static void ready(void) {
        say(getpid());
}

__attribute__((noreturn)) static void cannot(void) {
        say(-1);
        _exit(0);
}

/* In one write, from a handler too: "PID WORD". */
static void note(const char *word) {
        char line[64], *at = line + sizeof(line);
        size_t n = strlen(word);
        pid_t pid = getpid();
        ssize_t written;

        *--at = '\n';
        at -= n;
        memcpy(at, word, n);
        *--at = ' ';
        do
                *--at = (char)('0' + pid % 10);
        while ((pid /= 10) > 0);
        written = write(NOTES, at, (size_t)(line + sizeof(line) - at));
        (void)written;
}

/* Nobody has ended it, and the test is told. */
__attribute__((noreturn)) static void outlive(void) {
        note("outlived");
        _exit(99);
}

/* However many signals come. */
__attribute__((noreturn)) static void hold(void) {
        const struct timespec until = { .tv_sec = bedtime };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
                ;
        outlive();
}

__attribute__((noreturn)) static void ready_and_hold(void) {
        ready();
        hold();
}

/* Fork twice, the second time in a session of its own: true in the daemon, once it is an orphan;
 * false in the caller. */
static bool detach(void) {
        pid_t first = branch(), middle;

        if (first != 0) {
                waitpid(first, NULL, 0);
                return false;
        }
        setsid();
        middle = getpid();
        if (branch() != 0)
                _exit(0);
        while (getppid() == middle)
                sched_yield();
        return true;
}

/* daemon: one that has closed all that could betray it. */
static int verb_daemon(int argc, char *argv[]) {
        (void)argc, (void)argv;
        if (detach()) {
                ready();
                syscall(__NR_close_range, 0, ~0U, 0);
        }
        hold();
}

/* owner MIB LOCK: a daemon that has so much memory, a lock on that file, and a port, which it
 * names. */
static int verb_owner(int argc, char *argv[]) {
        struct sockaddr_in address = { .sin_family = AF_INET };
        socklen_t length = sizeof(address);
        size_t size = (size_t)(argc > 3 ? atoi(argv[2]) : 1) << 20;
        int fd, port;
        char *memory;

        if (argc < 4 || !detach())
                hold();
        fd = open(argv[3], O_RDONLY | O_CLOEXEC);
        port = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (memory == MAP_FAILED || flock(fd, LOCK_EX | LOCK_NB) < 0 ||
                bind(port, (struct sockaddr *)&address, length) < 0 || listen(port, 1) < 0 ||
                getsockname(port, (struct sockaddr *)&address, &length) < 0)
                cannot();
        madvise(memory, size, MADV_NOHUGEPAGE);
        memset(memory, 1, size);
        ready();
        say(ntohs(address.sin_port));
        hold();
}

/* chain DEPTH: each daemon makes the next. */
static int verb_chain(int argc, char *argv[]) {
        int depth = argc > 2 ? atoi(argv[2]) : 50;

        while (depth-- > 0)
                if (!detach())
                        hold();
        ready_and_hold();
}

/* families N: so many children with a child each, which lose their parents as these are asked. */
static int verb_families(int argc, char *argv[]) {
        int n = argc > 2 ? atoi(argv[2]) : 40;

        while (n-- > 0)
                if (branch() == 0) {
                        if (branch() == 0)
                                ready();
                        hold();
                }
        hold();
}

static int generation;

/* The copy returns from the handler into its sleep. */
static void rise_again(int signal_number) {
        (void)signal_number;
        if (++generation > 200 || !detach())
                _exit(0);
}

/* phoenix: a daemon that answers SIGTERM with another daemon. */
static int verb_phoenix(int argc, char *argv[]) {
        (void)argc, (void)argv;
        if (detach()) {
                signal(SIGTERM, rise_again);
                ready();
        }
        hold();
}

static void ignore_all(void) {
        for (int i = 1; i < NSIG; ++i)
                signal(i, SIG_IGN);
}

/* deaf [NAME]: a child ignores every signal. */
static int verb_deaf(int argc, char *argv[]) {
        if (branch() == 0) {
                ignore_all();
                if (argc > 2)
                        prctl(PR_SET_NAME, argv[2]);
                ready();
        }
        hold();
}

/* The caller's child stops, and it says so. */
__attribute__((noreturn)) static void stop_a_child(void) {
        pid_t pid = branch();

        if (pid == 0) {
                raise(SIGSTOP);
                hold();
        }
        waitpid(pid, NULL, WUNTRACED);
        ready_and_hold();
}

/* stopped: a child is. */
static int verb_stopped(int argc, char *argv[]) {
        (void)argc, (void)argv;
        stop_a_child();
}

/* stopped-grandchild */
static int verb_stopped_grandchild(int argc, char *argv[]) {
        (void)argc, (void)argv;
        if (branch() == 0)
                stop_a_child();
        hold();
}

/* traced: a child is held by a tracer. */
static int verb_traced(int argc, char *argv[]) {
        pid_t pid = branch();

        (void)argc, (void)argv;
        if (pid == 0) {
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
                        cannot();
                raise(SIGUSR1);
                hold();
        }
        waitpid(pid, NULL, 0);
        ready_and_hold();
}

/* seized: a grandchild is traced by one that doesn't care for it: any signal stops it for good, and
 * its death is known to its tracer first. */
static int verb_seized(int argc, char *argv[]) {
        int ends[2];
        pid_t pid;

        (void)argc, (void)argv;
        if (pipe(ends) < 0)
                cannot();
        if (branch() == 0) {
                pid = branch();
                if (pid > 0 && write(ends[1], &pid, sizeof(pid)) < 0)
                        cannot();
                hold();
        }
        signal(SIGTERM, SIG_IGN);
        if (read(ends[0], &pid, sizeof(pid)) != sizeof(pid))
                cannot();
        if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
                cannot();
        ready_and_hold();
}

static int hold_for_a_vfork(void *arg) {
        (void)arg;
        ready_and_hold();
}

/* vfork: one waits in the kernel for a child that has its memory; SIGKILL is all that either hears.
 */
static int verb_vfork(int argc, char *argv[]) {
        static char stack[1 << 16] __attribute__((aligned(16)));

        (void)argc, (void)argv;
        signal(SIGTERM, SIG_IGN);
        clone(hold_for_a_vfork, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        hold();
}

static void say_asked(int signal_number) {
        ssize_t n = write(STDOUT_FILENO, "asked\n", 6);

        (void)signal_number, (void)n;
        _exit(0);
}

/* secret child|session|daemon: nobody may look at it. It says so on standard output when it is
 * asked. */
static int verb_secret(int argc, char *argv[]) {
        const char *which = argc > 2 ? argv[2] : "child";

        if (strcmp(which, "daemon") == 0 ? !detach() : branch() != 0)
                hold();
        if (strcmp(which, "session") == 0)
                setsid();
        if (prctl(PR_SET_DUMPABLE, 0) < 0)
                cannot();
        signal(SIGTERM, say_asked);
        ready_and_hold();
}

/* session: a child in its own. */
static int verb_session(int argc, char *argv[]) {
        (void)argc, (void)argv;
        if (branch() == 0) {
                setsid();
                ready();
        }
        hold();
}

/* group: a child in its own. */
static int verb_group(int argc, char *argv[]) {
        (void)argc, (void)argv;
        if (branch() == 0) {
                setpgid(0, 0);
                ready();
        }
        hold();
}

/* namespace: a child with an init of its own, which only SIGKILL ends, and a process below that,
 * which can say no number that means anything outside. */
static int verb_namespace(int argc, char *argv[]) {
        (void)argc, (void)argv;
        if (branch() == 0) {
                if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
                        cannot();
                if (branch() == 0 && branch() == 0)
                        ready();
        }
        hold();
}

/* The line of cgroup v2, without its newline. */
static bool read_own_cgroup(char *ret, size_t size) {
        FILE *file = fopen("/proc/self/cgroup", "re");
        char line[4096];
        bool found = false;

        while (file && !found && fgets(line, sizeof(line), file))
                if (strncmp(line, "0::", 3) == 0) {
                        line[strcspn(line, "\n")] = 0;
                        found = snprintf(ret, size, "%s", line + 3) < (int)size;
                }
        if (file)
                fclose(file);
        return found;
}

/* cgroup MOUNT: a child in a control group below that of its parent. */
static int verb_cgroup(int argc, char *argv[]) {
        char own[2048], path[4200];
        int fd;

        if (branch() != 0)
                hold();
        if (argc < 3 || !read_own_cgroup(own, sizeof(own)))
                cannot();
        snprintf(path, sizeof(path), "%s%s/villain-%d", argv[2], own, (int)getpid());
        if (mkdir(path, 0755) < 0)
                cannot();
        strcat(path, "/cgroup.procs");
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) < 0)
                cannot();
        close(fd);
        ready_and_hold();
}

/* uid UID: a grandchild becomes somebody else. */
static int verb_uid(int argc, char *argv[]) {
        uid_t uid = argc > 2 ? (uid_t)atoi(argv[2]) : 65534;

        if (branch() == 0 && branch() == 0) {
                if (setresuid(uid, uid, uid) < 0)
                        cannot();
                ready();
        }
        hold();
}

/* foreign: with the set-uid bit, a child that is this program's owner and nobody else. It may be
 * out of reach, and ends with the one who wanted it. */
static int verb_foreign(int argc, char *argv[]) {
        struct pollfd fd = { .fd = HELD };
        uid_t uid = geteuid();

        (void)argc, (void)argv;
        if (branch() != 0)
                hold();
        if (setresuid(uid, uid, uid) < 0)
                cannot();
        ready();
        while (poll(&fd, 1, -1) < 0)
                ;
        return 0;
}

static void *hold_alone(void *arg) {
        pthread_t *first = arg;

        pthread_join(*first, NULL);
        ready_and_hold();
}

/* headless leader|child: the first thread is gone, and another lives. */
static int verb_headless(int argc, char *argv[]) {
        static pthread_t first;
        pthread_t thread;

        if (argc > 2 && strcmp(argv[2], "child") == 0) {
                if (branch() != 0)
                        hold();
                setsid();
        }
        first = pthread_self();
        if (pthread_create(&thread, NULL, hold_alone, &first) != 0)
                cannot();
        pthread_exit(NULL);
}

/* leave: exits, and leaves a daemon. */
static int verb_leave(int argc, char *argv[]) {
        (void)argc, (void)argv;
        if (detach())
                ready_and_hold();
        return 0;
}

/* The test doesn't read all that is said, so that it must not block. */
static void storm_begin(bool is_deaf) {
        const char *slow = getenv("CURFEW_SLOW");

        live(slow ? STORM_LIFE * atoi(slow) : STORM_LIFE);
        fcntl(READY, F_SETFL, O_NONBLOCK);
        signal(SIGCHLD, SIG_IGN);
        if (is_deaf)
                signal(SIGTERM, SIG_IGN);
}

/* At a limit others must get on. */
static void storm_fork(void) {
        pid_t pid = branch();

        if (pid == 0)
                ready();
        else if (pid < 0)
                sched_yield();
        if (now() >= bedtime)
                outlive();
}

/* storm-exponential deaf|mortal: everyone forks. */
__attribute__((noreturn)) static int verb_storm_exponential(int argc, char *argv[]) {
        storm_begin(argc > 2 && strcmp(argv[2], "deaf") == 0);
        for (;;)
                storm_fork();
}

__attribute__((noreturn)) static void hop(bool new_sessions) {
        for (;;) {
                pid_t pid = branch();

                if (pid > 0)
                        _exit(0);
                if (now() >= bedtime)
                        outlive();
                if (pid < 0) {
                        sched_yield();
                        continue;
                }
                if (new_sessions)
                        setsid();
                ready();
        }
}

/* storm-chain deaf|mortal group|session N: as many run on, each forks the next and exits. */
static int verb_storm_chain(int argc, char *argv[]) {
        int n = argc > 4 ? atoi(argv[4]) : 1;

        storm_begin(argc > 2 && strcmp(argv[2], "deaf") == 0);
        while (n-- > 0)
                if (branch() == 0)
                        hop(argc > 3 && strcmp(argv[3], "session") == 0);
        hold();
}

static void fork_in_answer(int signal_number) {
        (void)signal_number;
        storm_fork();
}

/* storm-handler N: so many, who each answer SIGTERM with another. */
static int verb_storm_handler(int argc, char *argv[]) {
        int n = argc > 2 ? atoi(argv[2]) : 20;

        storm_begin(false);
        signal(SIGTERM, fork_in_answer);
        while (n-- > 0)
                if (branch() == 0)
                        ready_and_hold();
        hold();
}

static volatile sig_atomic_t asked; /* who was, in this memory */

static void note_being_asked(int signal_number) {
        (void)signal_number;
        asked = getpid();
        note("asked");
}

/* Being asked once more is noted too, and cuts nothing short. */
static void tidy_up(int msec) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += msec * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
                ;
        note("done");
}

/* Wait until asked, which may have been before this. */
__attribute__((noreturn)) static void be_polite(int signal_number, int msec) {
        sigset_t mask, old;

        sigemptyset(&mask);
        sigaddset(&mask, signal_number);
        sigprocmask(SIG_BLOCK, &mask, &old);
        while (!asked)
                sigsuspend(&old);
        sigprocmask(SIG_SETMASK, &old, NULL);
        if (msec > 0)
                tidy_up(msec);
        else
                note("done");
        _exit(0);
}

/* Who came when the others were asked may not have been, and leaves when somebody asks for that. */
static void leave_unasked(int signal_number) {
        (void)signal_number;
        if (asked == getpid())
                return;
        note("spared");
        _exit(0);
}

/* Fork as long as nobody asks. A child finds in the memory it got whether its parent had been asked
 * before there was this child. If so it may be part of an answer, and nobody has to ask it; if not,
 * it was there, or being forked, as the step was taken, and has to be; unless it was outside of the
 * leader's group, or got away from that, at this moment. */
__attribute__((noreturn)) static void breed(int signal_number, bool in_group) {
        note("start");
        for (int i = 0; i < 80 && !asked; ++i) {
                if (i == 20)
                        ready();
                if (branch() == 0) {
                        if (asked && asked != getpid())
                                _exit(0);
                        if (i % 2 == 1)
                                setsid();
                        note(i % 2 == 0 && in_group ? "start" : "free");
                        be_polite(signal_number, 100 + getpid() % 100);
                }
        }
        be_polite(signal_number, 150);
}

/* polite SIGNAL MSEC: a leader, a member of its group, a daemon, and one of each that breeds;
 * all clean up when they are asked, which takes the leader so long. If that is negative it exits
 * now. */
static int verb_polite(int argc, char *argv[]) {
        int signal_number, msec;

        if (argc < 4)
                return 2;
        signal_number = atoi(argv[2]);
        msec = atoi(argv[3]);
        signal(SIGCHLD, SIG_IGN);
        signal(SIGHUP, leave_unasked);
        signal(signal_number, note_being_asked);

        if (branch() == 0)
                breed(signal_number, true);
        if (detach())
                breed(signal_number, false);
        if (branch() == 0 || detach()) {
                note("start");
                ready();
                be_polite(signal_number, 300);
        }
        if (msec < 0)
                return 0;
        note("start");
        ready();
        be_polite(signal_number, msec);
}

/* breeder SIGNAL: a leader that is alone, and then, just as it may be asked, is not. */
static int verb_breeder(int argc, char *argv[]) {
        int signal_number = argc > 2 ? atoi(argv[2]) : SIGTERM;

        signal(SIGCHLD, SIG_IGN);
        signal(SIGHUP, leave_unasked);
        signal(signal_number, note_being_asked);
        ready();
        breed(signal_number, true);
}

static const char *answer_path;

/* What an answer starts must not be asked itself. */
static void note_a_cut(int signal_number) {
        (void)signal_number;
        note("cut");
}

static pid_t fork_helper(void) {
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        signal(SIGTERM, note_a_cut);
        tidy_up(20);
        if (answer_path)
                unlink(answer_path);
        _exit(0);
}

static void leave_helper(int signal_number) {
        (void)signal_number;
        fork_helper();
        _exit(0);
}

static void await_helper(int signal_number) {
        pid_t pid;

        (void)signal_number;
        if (asked)
                note("twice");
        asked = getpid();
        pid = fork_helper();
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        _exit(0);
}

/* answer-orphan PATH: answers SIGTERM by a child that removes the file, and exits at once. */
static int verb_answer_orphan(int argc, char *argv[]) {
        answer_path = argc > 2 ? argv[2] : NULL;
        signal(SIGTERM, leave_helper);
        ready_and_hold();
}

/* answer-chain DEPTH PATH: so many daemons, each made by the one before, that answer by a child
 * that they wait for; the last one's removes the file. */
static int verb_answer_chain(int argc, char *argv[]) {
        int depth = argc > 2 ? atoi(argv[2]) : 50;

        while (depth-- > 0) {
                if (!detach())
                        hold();
                answer_path = depth == 0 && argc > 3 ? argv[3] : NULL;
                signal(SIGTERM, await_helper);
        }
        ready_and_hold();
}

static const struct {
        const char *verb;
        int (*fn)(int argc, char *argv[]);
} verbs[] = {
        { "daemon", verb_daemon },
        { "owner", verb_owner },
        { "chain", verb_chain },
        { "families", verb_families },
        { "phoenix", verb_phoenix },
        { "deaf", verb_deaf },
        { "stopped", verb_stopped },
        { "stopped-grandchild", verb_stopped_grandchild },
        { "traced", verb_traced },
        { "seized", verb_seized },
        { "vfork", verb_vfork },
        { "secret", verb_secret },
        { "session", verb_session },
        { "group", verb_group },
        { "namespace", verb_namespace },
        { "cgroup", verb_cgroup },
        { "uid", verb_uid },
        { "foreign", verb_foreign },
        { "headless", verb_headless },
        { "leave", verb_leave },
        { "storm-exponential", verb_storm_exponential },
        { "storm-chain", verb_storm_chain },
        { "storm-handler", verb_storm_handler },
        { "polite", verb_polite },
        { "breeder", verb_breeder },
        { "answer-orphan", verb_answer_orphan },
        { "answer-chain", verb_answer_chain },
};

int main(int argc, char *argv[]) {
        live(LIFE);
        for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); ++i)
                if (strcmp(argv[1], verbs[i].verb) == 0)
                        return verbs[i].fn(argc, argv);

        fprintf(stderr, "usage: villain VERB [ARGUMENT...]\n");
        return 2;
}
