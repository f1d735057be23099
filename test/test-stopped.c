// SPDX-License-Identifier: MIT

/*
 * A command that is stopped on its way to its program, at any step of it: by Ctrl-Z at the
 * terminal, or by a process that may. The start ends all the same, and nobody stays stopped who
 * should not; and nothing is left where somebody is killed on the way.
 *
 * As at a shell, a host is a job in the foreground of a terminal. A seccomp filter holds it and
 * what it starts at each system call that is made on the way, and at the n-th of these that isn't
 * the host's the key is pressed, or the signal is sent; for all n there are. CURFEW_ROUNDS limits
 * how many.
 */

#include "group.h"
#include "run.h"

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#ifndef SYS_close_range /* glibc knows it since 2.33 */
#define SYS_close_range __NR_close_range
#endif

#define NOBODY 65534
#define ROUNDS 40 /* for each way */
#define BOUND  (20 * CURFEW_SEC)

static char program[64]; /* anybody may execute it */
static char group[PATH_MAX];

/* How it is stopped, and what the host makes of that. */
enum way {
        WAY_STOP,        /* SIGSTOP to who is held, from a process */
        WAY_KEY,         /* Ctrl-Z: the host stops, too, and the shell has its job go on */
        WAY_KEY_IGNORED, /* Ctrl-Z: the host doesn't, and its command does if it is of the job */
        WAY_KILL,        /* SIGKILL to who is held */
        N_WAYS
};

static const char *const ways[] = { "SIGSTOP", "Ctrl-Z", "Ctrl-Z, ignored by the host", "SIGKILL" };

/* What the processes of a play see of each other. */
static struct shared {
        _Atomic pid_t host, command; /* the command's once it has been started */
        _Atomic int listener;        /* its number in the host, and 1 */
        _Atomic int status;          /* of the host */
} * shared;

struct play {
        enum way way;
        enum curfew_backend backend;
        bool same_group;
        bool other_user; /* the command becomes one */
        unsigned moment;
        int terminal, listener, shell; /* descriptors: the key's side, the filter's, a pidfd */
        int seen[2];                   /* a pipe: at its end the command may end */
        unsigned points;               /* there have been so many */
        pid_t executed[8];             /* who has executed a program, or is about to */
        size_t n_executed;
        pid_t hit;   /* who was held at the moment */
        bool is_new; /* … and neither had executed anything nor, with a keeper, was about to */
};

static char trying[256];

static void on_abort(int signal) {
        (void)signal;
        fprintf(stderr, "%s\n", trying);
}

/* The host
 * -------- */

/* Where somebody can be held; and at one of the dispositions. */
static const int points[] = { SYS_setpgid, SYS_setsid, SYS_close_range, SYS_fcntl, SYS_dup3,
        SYS_rt_sigprocmask, SYS_execve, SYS_execveat, SYS_prctl, SYS_getppid, SYS_chdir, SYS_clone3,
        SYS_setresuid, SYS_setgroups };

#define N_POINTS (sizeof(points) / sizeof(points[0]))

/* From now on we are held there, and whatever we start. */
static int make_listener(void) {
        const struct sock_filter end[] = {
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigaction, 0, 2),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SIGUSR2, 1, 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        };
        struct sock_filter code[1 + N_POINTS + 5] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        };
        struct sock_fprog filter = { .len = 1 + N_POINTS + 5, .filter = code };

        for (size_t i = 0; i < N_POINTS; ++i)
                code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                        (unsigned)points[i], (unsigned char)(N_POINTS - i - 1 + 4), 0);
        memcpy(code + 1 + N_POINTS, end, sizeof(end));
        assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        return (int)syscall(
                SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
}

/* The command ends when its input does. */
__attribute__((noreturn)) static void be_host(const struct play *play) {
        static const char *const argv[] = { "probe", "wait", NULL };
        const uid_t nobody = NOBODY;
        struct curfew_cmd cmd = {
                .argv = argv,
                .path = program,
                .in = { CURFEW_PIPE },
                .backend = play->backend,
                .pgid = play->same_group ? CURFEW_SAME_GROUP : 0,
                .uid = play->other_user ? &nobody : NULL,
        };
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        struct curfew *sup = NULL;
        struct curfew_run *run = NULL;
        char c;
        int r;

        assert_eq(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
        test_bound(3 * BOUND / CURFEW_SEC);
        signal(SIGTSTP, play->way == WAY_KEY_IGNORED ? SIG_IGN : SIG_DFL);
        assert_eq(curfew_new(&sup), 0);
        shared->listener = make_listener() + 1;
        r = curfew_start(sup, NULL, &cmd, &stage, &run);
        if (r == -ECHILD && play->way == WAY_KILL) {
                curfew_free(sup);
                assert_no_children();
                exit(0);
        }
        if (r < 0)
                test_fail(__FILE__, __LINE__, "%s: %s", curfew_stage_name(stage), strerror(-r));
        shared->command = curfew_run_pid(run);
        close(play->seen[1]);
        while (read(play->seen[0], &c, 1) < 0)
                assert_eq(errno, EINTR);
        close(curfew_run_take_fd(run, 0));
        assert_eq(curfew_run_wait(run, BOUND), 0);
        if (play->way != WAY_KILL)
                assert_exited(*curfew_run_result(run), 0);
        curfew_free(sup);
        assert_no_children();
        exit(0);
}

/* The shell
 * --------- */

/* A session of its own, whose terminal this is; the host is a job in its foreground. One that has
 * stopped is put there again. */
__attribute__((noreturn)) static void be_shell(const struct play *play, const char *terminal) {
        int tty, status;
        pid_t host;

        assert_ge(setsid(), 0);
        assert_eq(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
        tty = open(terminal, O_RDWR | O_CLOEXEC); /* which makes it ours */
        assert_ge(tty, 0);
        signal(SIGTTOU, SIG_IGN);
        host = fork();
        assert_ge(host, 0);
        if (host > 0)
                close(play->seen[1]);
        if (host == 0) {
                while (tcgetpgrp(tty) != getpid())
                        sched_yield();
                be_host(play);
        }
        assert_eq(setpgid(host, host), 0);
        assert_eq(tcsetpgrp(tty, host), 0);
        shared->host = host;

        do {
                assert_eq(waitpid(host, &status, WUNTRACED), host);
                if (WIFSTOPPED(status))
                        kill(-host, SIGCONT);
        } while (WIFSTOPPED(status));
        shared->status = status;
        exit(0);
}

static int open_terminal(char *name, size_t size) {
        int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

        assert_ge(fd, 0);
        assert_eq(grantpt(fd), 0);
        assert_eq(unlockpt(fd), 0);
        assert_eq(ptsname_r(fd, name, size), 0);
        return fd;
}

static pid_t play_begin(struct play *play) {
        char terminal[64];
        pid_t pid;
        int fd;

        play->terminal = open_terminal(terminal, sizeof(terminal));
        assert_eq(pipe2(play->seen, O_CLOEXEC), 0);
        *shared = (struct shared){ .status = -1 };
        pid = fork();
        assert_ge(pid, 0);
        if (pid == 0)
                be_shell(play, terminal);

        play->shell = (int)syscall(SYS_pidfd_open, pid, 0);
        assert_ge(play->shell, 0);
        close(play->seen[0]);
        while (shared->listener == 0 || shared->host == 0)
                sched_yield();
        assert_gt(shared->listener, 0);
        fd = (int)syscall(SYS_pidfd_open, shared->host, 0);
        play->listener = (int)syscall(SYS_pidfd_getfd, fd, shared->listener - 1, 0);
        assert_ge(play->listener, 0);
        close(fd);
        return pid;
}

/* The director
 * ------------ */

static bool has_executed(const struct play *play, pid_t pid) {
        for (size_t i = 0; i < play->n_executed; ++i)
                if (play->executed[i] == pid)
                        return true;
        return false;
}

static void stop(struct play *play, const struct seccomp_notif *notif) {
        bool executes = notif->data.nr == SYS_execve || notif->data.nr == SYS_execveat;

        play->hit = (pid_t)notif->pid;
        play->is_new = !has_executed(play, play->hit) &&
                       !(executes && play->backend == CURFEW_BACKEND_KEEPER);
        if (play->way == WAY_STOP || play->way == WAY_KILL)
                kill(play->hit, play->way == WAY_STOP ? SIGSTOP : SIGKILL);
        else /* what the key does, but before this returns */
                assert_eq(ioctl(play->terminal, TIOCSIG, SIGTSTP), 0);
}

/* Somebody is held. One that stops is not held any more, and will be again when it goes on. */
static void play_point(struct play *play) {
        struct seccomp_notif notif = { 0 };
        struct seccomp_notif_resp go_on = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

        if (ioctl(play->listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0) {
                assert_true(errno == ENOENT || errno == EINTR);
                return;
        }
        if ((pid_t)notif.pid != shared->host && play->seen[1] >= 0 &&
                play->points++ == play->moment)
                stop(play, &notif);
        if (notif.data.nr == SYS_execve || notif.data.nr == SYS_execveat) {
                assert_lt(play->n_executed, sizeof(play->executed) / sizeof(pid_t));
                if (!has_executed(play, (pid_t)notif.pid))
                        play->executed[play->n_executed++] = (pid_t)notif.pid;
        }
        go_on.id = notif.id;
        if (ioctl(play->listener, SECCOMP_IOCTL_NOTIF_SEND, &go_on) < 0)
                assert_eq(errno, ENOENT);
}

/* As in proc_pid_stat(5); 0 if there is no such process. */
static char state_of(pid_t pid) {
        char path[64], state = 0;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        file = fopen(path, "re");
        if (!file)
                return 0;
        if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
                state = 0;
        fclose(file);
        return state;
}

/* What becomes of the command. */
enum fate {
        FATE_GOES_ON,
        FATE_STOPS, /* as a program, the stop having been meant for it, as far as the host can know:
                       of its keeper's child it only knows that it is stopped */
        FATE_EITHER, /* who was hit was just becoming what it is now, or not made yet */
};

static enum fate fate_of(const struct play *play) {
        bool is_command = play->hit == shared->command;
        bool is_known = play->backend != CURFEW_BACKEND_KEEPER;

        if (play->hit == 0 || play->way == WAY_KEY)
                return FATE_GOES_ON;
        if (play->way == WAY_KEY_IGNORED && !play->same_group)
                return FATE_GOES_ON;
        if (!play->is_new || (play->way == WAY_KEY_IGNORED && !is_command))
                return FATE_EITHER;
        return is_command && (is_known || play->same_group) ? FATE_STOPS : FATE_GOES_ON;
}

/* The command is there. Returns whether it is as it should be by now. */
static bool look(const struct play *play) {
        enum fate fate = fate_of(play);
        char state = state_of(shared->command);

        if (play->way == WAY_KILL)
                return true;
        if (fate == FATE_EITHER)
                kill(play->way == WAY_STOP ? play->hit : shared->command, SIGCONT);
        if (fate == FATE_STOPS && state == 'T')
                kill(shared->command, SIGCONT);
        return state == (fate == FATE_STOPS ? 'T' : 'S');
}

static int close_it(int fd) {
        close(fd);
        return -1;
}

static void play_on(struct play *play) {
        struct pollfd fds[] = {
                { .fd = play->listener, .events = POLLIN },
                { .fd = play->shell, .events = POLLIN },
        };
        int64_t until = curfew_now() + BOUND;

        while (!fds[1].revents) {
                assert_lt(curfew_now(), until);
                assert_ge(poll(fds, 2, shared->command && play->seen[1] >= 0 ? 1 : 100), 0);
                if (fds[0].revents & POLLIN)
                        play_point(play);
                else if (fds[0].revents & POLLHUP)
                        fds[0].fd = -1;
                else if (shared->command && play->seen[1] >= 0 && look(play))
                        play->seen[1] = close_it(play->seen[1]);
        }
}

/* False if the moment never came. */
static bool play_out(struct play *play) {
        pid_t pid = play_begin(play);

        play_on(play);
        assert_eq(waitpid(pid, NULL, 0), pid);
        assert_eq(shared->status, 0);
        close(play->listener);
        close(play->shell);
        close(play->terminal);
        return play->points > play->moment;
}

/* All moments, or as many as there is time for, evenly. */
static void test_way(const struct play *model) {
        const char *text = getenv("CURFEW_ROUNDS");
        unsigned rounds = text && *text ? (unsigned)atoi(text) : ROUNDS;
        unsigned step = 1, longest = 0;
        bool on = true;

        for (unsigned moment = 0; on; moment += step) {
                struct play play = *model;

                play.moment = moment;
                snprintf(trying, sizeof(trying), "uid %u, %s, %s%s: %s at point %u",
                        (unsigned)geteuid(), curfew_backend_name(play.backend),
                        play.same_group ? "same group" : "own group",
                        play.other_user ? ", other user" : "", ways[play.way], moment);
                on = play_out(&play);
                if (play.points > longest)
                        longest = play.points;
                step = 1 + longest / rounds;
        }
        assert_gt(longest, 5);
}

static bool works_here(enum curfew_backend backend) {
        static const char *const argv[] = { "probe", "exit", NULL };
        struct curfew_cmd cmd = { .argv = argv, .path = program, .backend = backend };
        struct curfew_result res;
        int r = curfew_run(NULL, &cmd, &res);

        curfew_result_deinit(&res);
        return r == 0;
}

static void test_backend(enum curfew_backend backend) {
        struct play play = { .backend = backend };

        if (!works_here(backend))
                return;
        for (play.way = 0; play.way < N_WAYS; ++play.way) {
                play.same_group = false;
                test_way(&play);
                play.same_group = true;
                test_way(&play);
        }
        play.way = WAY_STOP;
        play.same_group = false;
        play.other_user = true;
        if (geteuid() == 0)
                test_way(&play);
}

static void run_all(void) {
        signal(SIGABRT, on_abort);
        shared = mmap(
                NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(shared != MAP_FAILED);
        test_backend(CURFEW_BACKEND_GROUP);
        test_backend(CURFEW_BACKEND_KEEPER);
        test_backend(CURFEW_BACKEND_CGROUP);
}

static void become_nobody(void) {
        const uid_t nobody = NOBODY;

        assert_eq(setgroups(0, NULL), 0);
        assert_eq(setresgid(nobody, nobody, nobody), 0);
        assert_eq(setresuid(nobody, nobody, nobody), 0);
        assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

static void copy_program(void) {
        int from = open(getenv("PROBE") ?: "", O_RDONLY | O_CLOEXEC), to;

        assert_ge(from, 0);
        strcpy(program, "/tmp/curfew-probe-XXXXXX");
        to = mkostemp(program, O_CLOEXEC);
        assert_ge(to, 0);
        while (sendfile(to, from, NULL, 1 << 20) > 0)
                ;
        assert_eq(fchmod(to, 0755), 0);
        close(from);
        close(to);
}

/* Both at the same time, below a group of our own where that is possible. */
int main(void) {
        char above[PATH_MAX], name[64];
        int status = 0;
        pid_t pid = -1;

        test_bound(580);
        copy_program();
        snprintf(name, sizeof(name), "test-stopped-%d", (int)getpid());
        if (geteuid() == 0 && group_own(above, sizeof(above)) == 0 &&
                group_make(name, group, sizeof(group)) == 0)
                group_delegate(group, NOBODY, NOBODY);
        if (geteuid() == 0)
                pid = fork();
        if (pid == 0)
                become_nobody();
        run_all();
        if (pid == 0)
                _exit(0);
        if (pid > 0) {
                assert_eq(waitpid(pid, &status, 0), pid);
                assert_eq(status, 0);
        }
        unlink(program);
        if (group[0]) {
                assert_eq(group_enter(above), 0);
                assert_eq(rmdir(group), 0);
        }
        return 0;
}
