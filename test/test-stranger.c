// SPDX-License-Identifier: MIT

/*
 * A number that was the tree's a moment ago can be anybody's: here it is given to a stranger, at
 * once and on purpose (set_tid in clone3(2), which fails where the number is still taken), and the
 * stranger must not get a signal. It blocks all of them, so what was sent to it is pending and can
 * be read; what can't be blocked would have ended it.
 *
 * First this is done between the steps of a plan. Then at any point within one: a seccomp filter
 * holds the host, and its keeper, at each system call that has to do with processes, and the n-th
 * of these is where the process is exchanged. For all n there are; CURFEW_ROUNDS limits how many.
 *
 * It needs to be root, for a PID namespace: nobody else uses numbers there.
 */

#include "group.h"
#include "run.h"

#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define ROUNDS 40 /* for each way of holding, of dying, and each victim */
#define BOUND  (40 * CURFEW_SEC)

static const char *witness;

/* What is being tried, for when it fails. */
static char trying[128];

static void on_abort(int signal) {
        (void)signal;
        fprintf(stderr, "%s\n", trying);
}

/* The two of "hold", see witness.c. */
struct pair {
        pid_t leader, child;
};

static struct curfew_cmd command(enum curfew_backend backend) {
        static const char *const argv[] = { "witness", "hold", NULL };

        return (struct curfew_cmd){
                .argv = argv,
                .path = witness,
                .out = { CURFEW_PIPE },
                .backend = backend,
                .linger = CURFEW_FOREVER,
        };
}

static struct pair read_pair(struct curfew_run *run) {
        int fd = curfew_run_take_fd(run, 1);
        struct pair ret;
        char line[64];

        read_line(fd, line, sizeof(line));
        close(fd);
        assert_eq(sscanf(line, "%d %d", &ret.leader, &ret.child), 2);
        assert_eq(ret.leader, curfew_run_pid(run));
        return ret;
}

/* Strangers
 * --------- */

/* Of the stranger, who is not to be taken for one of the tree's either. */
static void fork_child(int ready) {
        ssize_t n;

        if (syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) == 0) {
                syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
        }
        n = write(ready, "r", 1);
        (void)n;
}

/* A child of ours with this number, that leads a session and a group of the same number and has a
 * child; 0 if the number is still taken. */
static pid_t try_stranger(pid_t pid) {
        struct clone_args args = {
                .exit_signal = SIGCHLD,
                .set_tid = (uintptr_t)&pid,
                .set_tid_size = 1,
        };
        sigset_t all, old;
        int ready[2];
        char c;
        long r;

        assert_eq(pipe2(ready, O_CLOEXEC), 0);
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &old);
        r = syscall(SYS_clone3, &args, sizeof(args));
        if (r == 0) {
                syscall(SYS_setsid);
                fork_child(ready[1]);
                for (;;)
                        syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
        }
        if (r < 0)
                assert_eq(errno, EEXIST);
        sigprocmask(SIG_SETMASK, &old, NULL);
        close(ready[1]);
        if (r > 0) {
                assert_eq(r, pid);
                assert_eq(read(ready[0], &c, 1), 1);
        }
        close(ready[0]);
        return r < 0 ? 0 : pid;
}

/* The state of a process, as in proc_pid_stat(5), and who its parent is; 0 if it is gone. */
static char state_of(pid_t pid, pid_t *ret_parent) {
        char path[64], state = 0;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        file = fopen(path, "re");
        if (!file)
                return 0;
        if (fscanf(file, "%*d (%*[^)]) %c %d", &state, ret_parent) != 2)
                state = 0;
        fclose(file);
        return state;
}

/* The number of a process that has been killed, as soon as it is free. */
static pid_t make_stranger(pid_t pid, int64_t within) {
        int64_t until = curfew_now() + within;
        pid_t ret;

        while ((ret = try_stranger(pid)) == 0 && curfew_now() < until)
                sched_yield();
        return ret;
}

/* A zombie that we leave there keeps its number from everybody else. */
static void check_zombie(pid_t pid) {
        pid_t parent = 0;

        assert_eq(state_of(pid, &parent), 'Z');
        assert_eq(parent, getpid());
}

static void check_pending(pid_t pid) {
        static const char none[] = "0000000000000000";
        char path[64], line[256];
        unsigned lines = 0;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        file = fopen(path, "re");
        assert_true(file);
        while (fgets(line, sizeof(line), file)) {
                char pending[32];

                if (sscanf(line, "SigPnd: %31s", pending) != 1 &&
                        sscanf(line, "ShdPnd: %31s", pending) != 1)
                        continue;
                assert_str(pending, none);
                ++lines;
        }
        fclose(file);
        assert_eq(lines, 2);
}

/* It has got no signal, and neither has its child; and is let go. */
static void end_stranger(pid_t pid) {
        char path[64];
        pid_t child = 0;
        int status;
        FILE *file;

        if (pid == 0)
                return;
        assert_eq(waitpid(pid, &status, WNOHANG | WUNTRACED), 0);
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
        file = fopen(path, "re");
        assert_true(file);
        assert_eq(fscanf(file, "%d", &child), 1);
        fclose(file);
        check_pending(child);
        check_pending(pid);
        assert_eq(kill(pid, SIGKILL), 0);
        assert_eq(waitpid(pid, NULL, 0), pid);
}

/* Kill it and wait until it is dead, though not reaped perhaps. */
static void end_process(pid_t pid) {
        struct pollfd fd = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

        if (fd.fd < 0)
                return;
        syscall(SYS_pidfd_send_signal, fd.fd, SIGKILL, NULL, 0);
        assert_eq(poll(&fd, 1, (int)(BOUND / CURFEW_MSEC)), 1);
        close(fd.fd);
}

/* Between the steps
 * ----------------- */

static void await_event(struct curfew *sup, enum curfew_event_type type) {
        struct curfew_event event = { 0 };

        do {
                assert_eq(curfew_wait(sup, BOUND), 0);
        } while (curfew_next_event(sup, &event) == 0 || event.type != type);
}

static void end_run(struct curfew *sup, struct curfew_run *run) {
        const struct curfew_result *res;

        while (!curfew_run_result(run)) {
                curfew_run_skip(run);
                assert_eq(curfew_wait(sup, BOUND), 0);
                while (curfew_next_event(sup, &(struct curfew_event){ 0 }) > 0)
                        ;
        }
        res = curfew_run_result(run);
        assert_eq(res->end, CURFEW_END_EMPTY);
        assert_eq(res->left, 0);
        assert_eq(res->n_steps, 5);
        curfew_free(sup);
}

/* A process of the tree is seen, and signalled, and then it is not a process of the tree. */
static void test_between_steps(enum curfew_backend backend, bool leader) {
        struct curfew_cmd cmd = command(backend);
        struct curfew *sup = NULL;
        struct curfew_run *run = NULL;
        struct pair pair;
        pid_t stranger;

        snprintf(trying, sizeof(trying), "%s, %s, between steps", curfew_backend_name(backend),
                leader ? "leader" : "child");
        cmd.stop[0] = (struct curfew_step){ SIGUSR1, CURFEW_TREE, CURFEW_FOREVER };
        cmd.stop[1] = (struct curfew_step){ SIGUSR2, CURFEW_LEADER, CURFEW_FOREVER };
        cmd.stop[2] = (struct curfew_step){ SIGUSR2, CURFEW_GROUP, CURFEW_FOREVER };
        cmd.stop[3] = (struct curfew_step){ SIGTERM, CURFEW_TREE, CURFEW_FOREVER };
        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, NULL, &cmd, NULL, &run), 0);
        pair = read_pair(run);

        curfew_run_stop(run);
        await_event(sup, CURFEW_EVENT_STEP);
        if (leader) {
                end_process(pair.leader);
                await_event(sup, CURFEW_EVENT_EXIT);
                stranger = make_stranger(pair.leader, CURFEW_SEC);
                if (stranger == 0)
                        check_zombie(pair.leader);
        } else {
                end_process(pair.child);
                stranger = make_stranger(pair.child, BOUND);
                assert_gt(stranger, 0);
        }
        end_run(sup, run);
        end_stranger(stranger);
}

/* At any point of them
 * -------------------- */

/* Where somebody can be held. */
static const int points[] = { SYS_openat, SYS_read, SYS_pread64, SYS_write, SYS_getdents64,
        SYS_pidfd_open, SYS_pidfd_send_signal, SYS_kill, SYS_waitid, SYS_wait4 };

#define N_POINTS (sizeof(points) / sizeof(points[0]))

/* From now on we are held there, and whatever we start. */
static int make_listener(void) {
        struct sock_filter code[N_POINTS + 3] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        };
        struct sock_fprog program = { .len = N_POINTS + 3, .filter = code };
        int fd;

        for (size_t i = 0; i < N_POINTS; ++i)
                code[1 + i] = (struct sock_filter)BPF_JUMP(
                        BPF_JMP | BPF_JEQ | BPF_K, (unsigned)points[i], N_POINTS - i, 0);
        code[N_POINTS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        code[N_POINTS + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
        fd = (int)syscall(
                SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
        assert_ge(fd, 0);
        return fd;
}

/* One message: a descriptor. */
union message {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
};

static void send_fd(int socket, int fd) {
        union message message = { 0 };
        struct iovec byte = { .iov_base = (char[]){ 'f' }, .iov_len = 1 };
        struct msghdr header = { .msg_iov = &byte,
                .msg_iovlen = 1,
                .msg_control = message.buf,
                .msg_controllen = sizeof(message.buf) };
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
        assert_eq(sendmsg(socket, &header, 0), 1);
        close(fd);
}

static int receive_fd(int socket) {
        union message message = { 0 };
        struct iovec byte = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
        struct msghdr header = { .msg_iov = &byte,
                .msg_iovlen = 1,
                .msg_control = message.buf,
                .msg_controllen = sizeof(message.buf) };
        int fd;

        assert_eq(recvmsg(socket, &header, MSG_CMSG_CLOEXEC), 1);
        assert_true(CMSG_FIRSTHDR(&header));
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(fd));
        return fd;
}

__attribute__((noreturn)) static void be_host(enum curfew_backend backend, int socket) {
        struct curfew_cmd cmd = command(backend);
        struct curfew *sup = NULL;
        struct curfew_run *run = NULL;
        struct pair pair;
        char c;

        test_bound(2 * BOUND / CURFEW_SEC);
        send_fd(socket, make_listener());
        cmd.stop[0] = (struct curfew_step){ SIGUSR1, CURFEW_TREE, CURFEW_NO_GRACE };
        cmd.stop[1] = (struct curfew_step){ SIGUSR2, CURFEW_GROUP, CURFEW_NO_GRACE };
        cmd.stop[2] = (struct curfew_step){ SIGUSR2, CURFEW_LEADER, CURFEW_NO_GRACE };
        cmd.stop[3] = (struct curfew_step){ SIGTERM, CURFEW_TREE, CURFEW_MSEC };
        assert_eq(curfew_new(&sup), 0);
        assert_eq(curfew_start(sup, NULL, &cmd, NULL, &run), 0);
        pair = read_pair(run);
        assert_eq(send(socket, &pair, sizeof(pair), 0), sizeof(pair));
        assert_eq(recv(socket, &c, 1, 0), 1); /* or is killed here */
        curfew_run_stop(run);
        curfew_free(sup);
        exit(0);
}

/* One host, from the side of who holds it. */
struct play {
        enum curfew_backend backend;
        bool host_dies;  /* and the keeper stops the tree */
        bool leader;     /* is the victim, else the other */
        unsigned moment; /* where it dies, and from which on its number is given away if it is free
                          */
        int socket, listener;
        pid_t host;
        struct pair pair;
        unsigned points; /* there have been so many since it is being stopped */
        pid_t victim, stranger;
};

static void play_begin(struct play *play) {
        int ends[2];

        assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        play->host = fork();
        assert_ge(play->host, 0);
        if (play->host == 0) {
                close(ends[0]);
                be_host(play->backend, ends[1]);
        }
        close(ends[1]);
        play->socket = ends[0];
        play->listener = receive_fd(play->socket);
}

/* The tree is there: from here on it is stopped. */
static void play_stop(struct play *play) {
        assert_eq(recv(play->socket, &play->pair, sizeof(play->pair), 0), sizeof(play->pair));
        play->victim = play->leader ? play->pair.leader : play->pair.child;
        if (play->host_dies)
                assert_eq(kill(play->host, SIGKILL), 0);
        else
                assert_eq(send(play->socket, "s", 1, 0), 1);
}

/* Somebody is held. Whose number is free after the others' next step can be given away there. */
static void play_point(struct play *play) {
        struct seccomp_notif notif = { 0 };
        struct seccomp_notif_resp go_on = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

        if (ioctl(play->listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0) {
                assert_true(errno == ENOENT || errno == EINTR); /* it was killed meanwhile */
                return;
        }
        if (play->victim) {
                if (play->points == play->moment) {
                        end_process(play->victim);
                        play->stranger = make_stranger(play->victim, 2 * CURFEW_MSEC);
                } else if (play->points > play->moment && play->stranger == 0) {
                        play->stranger = try_stranger(play->victim);
                }
                play->points++;
        }
        go_on.id = notif.id;
        if (ioctl(play->listener, SECCOMP_IOCTL_NOTIF_SEND, &go_on) < 0)
                assert_eq(errno, ENOENT);
}

/* It has closed its end. What the group has lost is for us to end. */
static void play_reap_host(struct play *play) {
        int status;

        assert_eq(waitpid(play->host, &status, 0), play->host);
        assert_eq(status, play->host_dies ? SIGKILL : 0);
        if (play->backend == CURFEW_BACKEND_GROUP && play->leader)
                end_process(play->pair.child);
}

/* Until all that the filter is about is gone. */
static void play_on(struct play *play) {
        struct pollfd fds[] = {
                { .fd = play->listener, .events = POLLIN },
                { .fd = play->socket, .events = POLLIN },
        };

        while (fds[0].fd >= 0 || fds[1].fd >= 0) {
                assert_gt(poll(fds, 2, (int)(BOUND / CURFEW_MSEC)), 0);
                if (fds[0].revents & POLLIN)
                        play_point(play);
                else if (fds[0].revents & POLLHUP)
                        fds[0].fd = -1;
                if (fds[1].revents && !play->victim) {
                        play_stop(play);
                } else if (fds[1].revents) {
                        fds[1].fd = -1;
                        play_reap_host(play);
                }
        }
}

/* False if the moment never came. */
static bool play_out(struct play *play) {
        play_begin(play);
        play_on(play);
        close(play->listener);
        close(play->socket);
        end_stranger(play->stranger);
        return play->points > play->moment;
}

/* All moments, or as many as there is time for, evenly. */
static void test_within_steps(enum curfew_backend backend, bool host_dies, bool leader) {
        const char *text = getenv("CURFEW_ROUNDS");
        unsigned rounds = text && *text ? (unsigned)atoi(text) : ROUNDS;
        unsigned step = 1, played = 0, exchanged = 0, longest = 0;
        bool on = true;

        for (unsigned moment = 0; on; moment += step) {
                struct play play = { .backend = backend,
                        .host_dies = host_dies,
                        .leader = leader,
                        .moment = moment };

                snprintf(trying, sizeof(trying), "%s, %s, %s dies at point %u",
                        curfew_backend_name(backend), host_dies ? "host dies" : "host lives",
                        leader ? "leader" : "child", moment);
                on = play_out(&play);
                played++;
                exchanged += play.stranger > 0;
                if (play.points > longest)
                        longest = play.points;
                step = 1 + longest / rounds;
        }
        fprintf(stderr, "%s, %s, %s: %u of %u points, exchanged in %u\n",
                curfew_backend_name(backend), host_dies ? "host dies" : "host lives",
                leader ? "leader" : "child", played - 1, longest, exchanged);
        assert_gt(exchanged, 0);
}

/* Who runs it
 * ----------- */

static void test_backend(enum curfew_backend backend) {
        test_between_steps(backend, false);
        test_between_steps(backend, true);
        test_within_steps(backend, false, false);
        test_within_steps(backend, false, true);
        if (backend == CURFEW_BACKEND_GROUP)
                return;
        test_within_steps(backend, true, false);
        test_within_steps(backend, true, true);
}

/* A process of a PID namespace in which nobody is but what it starts. */
static void be_director(bool grouped) {
        signal(SIGABRT, on_abort);
        test_bound(900);
        test_backend(CURFEW_BACKEND_GROUP);
        test_backend(CURFEW_BACKEND_KEEPER);
        if (grouped)
                test_backend(CURFEW_BACKEND_CGROUP);
}

/* The init of the namespace, which reaps whoever is nobody's. */
__attribute__((noreturn)) static void be_init(bool grouped) {
        pid_t director, pid;
        int status = 1, how;

        assert_eq(mount("proc", "/proc", "proc", 0, NULL), 0);
        director = fork();
        assert_ge(director, 0);
        if (director == 0) {
                be_director(grouped);
                exit(0);
        }
        while ((pid = waitpid(-1, &how, 0)) != -1)
                if (pid == director) {
                        status = how;
                        break;
                }
        _exit(status == 0 ? 0 : 1);
}

/* Whoever makes the namespace is not in it, and can start nobody else once its init is gone: so it
 * is a process for that alone. Its status: 77 if it can't be made, 78 if a control group can't. */
static int run_namespace(void) {
        char name[64], group[PATH_MAX] = "", above[PATH_MAX] = "";
        bool grouped;
        int status;
        pid_t init;

        if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 ||
                mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return 77;
        snprintf(name, sizeof(name), "test-stranger-%d", (int)getpid());
        grouped = group_own(above, sizeof(above)) == 0 &&
                  group_make(name, group, sizeof(group)) == 0;
        init = fork();
        assert_ge(init, 0);
        if (init == 0)
                be_init(grouped);
        assert_eq(waitpid(init, &status, 0), init);
        if (grouped && group_enter(above) == 0)
                rmdir(group);
        assert_eq(status, 0);
        return grouped ? 0 : 78;
}

int main(void) {
        int status;
        pid_t pid;

        witness = getenv("WITNESS");
        assert_true(witness);
        pid = fork();
        assert_ge(pid, 0);
        if (pid == 0)
                _exit(run_namespace());
        assert_eq(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
                test_skip("a PID namespace needs root, and a / that is a mount point (no plain "
                          "chroot)");
        if (WEXITSTATUS(status) == 78)
                test_skip("no control group can be made here; all else has been tried");
        assert_eq(WEXITSTATUS(status), 0);
        return 0;
}
