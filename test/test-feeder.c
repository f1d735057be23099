// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "sys/feeder.h"
#include "sys/reader.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#if __has_include(<linux/seccomp.h>)
#include <linux/filter.h>
#include <linux/seccomp.h>
#endif

#define MUCH ((size_t)10 << 20)

static char much[MUCH];

/* A feeder and the pipe's other end. */
struct rig {
        struct loop loop;
        struct feeder feeder;
        int fd;
};

static void rig_init(struct rig *rig, const void *data, size_t size) {
        int ends[2];

        *rig = (struct rig){ .loop = LOOP_NULL, .feeder = FEEDER_NULL };
        assert_eq(loop_init(&rig->loop), 0);
        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        rig->fd = ends[0];
        assert_eq(feeder_attach(&rig->feeder, &rig->loop, ends[1], data, size), 0);
        if (rig->feeder.fd < 0)
                assert_eq(fcntl(ends[1], F_GETFD), -1);
}

static void rig_deinit(struct rig *rig) {
        feeder_deinit(&rig->feeder);
        feeder_deinit(&rig->feeder);
        close_fd(rig->fd);
        loop_deinit(&rig->loop);
}

static int dispatch(struct rig *rig) {
        return loop_dispatch(&rig->loop, INT64_MIN);
}

/* What fits into the pipe is there, and the end of file behind it, before anything is dispatched.
 */
static void test_small(void) {
        struct rig rig;
        char got[16];

        rig_init(&rig, "text", 4);
        assert_eq(rig.feeder.fd, -1);
        assert_eq(fcntl(rig.fd, F_GETFL) & O_NONBLOCK, 0);
        assert_eq(read(rig.fd, got, sizeof(got)), 4);
        assert_eq(memcmp(got, "text", 4), 0);
        assert_eq(read(rig.fd, got, sizeof(got)), 0);
        rig_deinit(&rig);
}

static void test_nothing(void) {
        struct rig rig;
        char got[16];

        rig_init(&rig, NULL, 0);
        assert_eq(rig.feeder.fd, -1);
        assert_eq(read(rig.fd, got, sizeof(got)), 0);
        rig_deinit(&rig);
}

/* From a feeder to a reader, both in one loop. */
static void test_much(void) {
        struct rig rig;
        struct reader reader;
        struct curfew_output output;

        for (size_t i = 0; i < MUCH; ++i)
                much[i] = (char)((uint32_t)i * 2654435761u >> 24);
        rig_init(&rig, much, MUCH);
        reader_init(&reader, &(struct curfew_stream){ CURFEW_CAPTURE }, NULL);
        assert_eq(reader_attach(&reader, &rig.loop, steal_fd(&rig.fd)), 0);
        while (reader.fd >= 0)
                assert_eq(loop_dispatch(&rig.loop, CLOCK_NEVER), 1);
        assert_eq(rig.feeder.fd, -1);

        reader_finish(&reader, &output);
        assert_true(output.complete);
        assert_eq(output.size, MUCH);
        assert_eq(output.cut, 0);
        assert_eq(memcmp(output.data, much, MUCH), 0);
        capture_free(output.data, output.size);
        rig_deinit(&rig);
}

/* Who doesn't read is waited for, without doing anything; and may be left waiting. */
static void test_nobody_reads(void) {
        struct rig rig;
        int fd;

        rig_init(&rig, much, MUCH);
        fd = rig.feeder.fd;
        assert_ge(fd, 0);
        assert_eq(rig.feeder.size, MUCH - (size_t)fcntl(rig.fd, F_GETPIPE_SZ));
        for (int i = 0; i < 10; ++i)
                assert_eq(dispatch(&rig), 0);
        assert_eq(rig.feeder.fd, fd);
        feeder_deinit(&rig.feeder);
        assert_eq(fcntl(fd, F_GETFD), -1);
        rig_deinit(&rig);
}

/* Somebody else, a process forked by the host, may have the same open file. */
static void test_closed_but_open_elsewhere(void) {
        struct rig rig;
        int copy;

        rig_init(&rig, much, MUCH);
        copy = dup(rig.feeder.fd);
        assert_ge(copy, 0);
        feeder_deinit(&rig.feeder);
        rig.fd = close_fd(rig.fd);
        assert_eq(dispatch(&rig), 0);
        close(copy);
        rig_deinit(&rig);
}

/* A pipe that is full from the beginning is waited for. */
static void test_full(void) {
        struct loop loop = LOOP_NULL;
        struct feeder feeder = FEEDER_NULL;
        char page[4096] = { 0 }, got[16];
        int ends[2];
        size_t n = 0;

        assert_eq(loop_init(&loop), 0);
        assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        while (write(ends[1], page, sizeof(page)) > 0)
                n += sizeof(page);
        assert_eq(feeder_attach(&feeder, &loop, ends[1], "text", 4), 0);
        assert_eq(loop_dispatch(&loop, INT64_MIN), 0);

        for (; n > 0; n -= sizeof(page))
                assert_eq(read(ends[0], page, sizeof(page)), sizeof(page));
        assert_eq(loop_dispatch(&loop, INT64_MIN), 1);
        assert_eq(feeder.fd, -1);
        assert_eq(read(ends[0], got, sizeof(got)), 4);
        assert_eq(memcmp(got, "text", 4), 0);
        close(ends[0]);
        loop_deinit(&loop);
}

static void test_attach_fails(void) {
        struct feeder feeder = FEEDER_NULL;
        struct loop none = LOOP_NULL;
        int ends[2];

        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        assert_eq(feeder_attach(&feeder, &none, ends[1], much, MUCH), -EBADF);
        assert_eq(feeder.fd, -1);
        feeder_deinit(&feeder);
        assert_eq(close(ends[0]), 0);
        assert_eq(close(ends[1]), 0);
}

/*
 * SIGPIPE, in every state in which a host may have it. Each is tried in a process of its own, which
 * dies of it if it is raised; on the kernel as it is, and as one that can't write without it.
 */

static unsigned n_handled;

static void on_sigpipe(int signal _unused_) {
        n_handled++;
}

static void set_handler(void (*handler)(int signal)) {
        struct sigaction action = { .sa_handler = handler };

        assert_eq(sigaction(SIGPIPE, &action, NULL), 0);
}

static void set_mask(int how) {
        sigset_t sigpipe;

        sigemptyset(&sigpipe);
        sigaddset(&sigpipe, SIGPIPE);
        assert_eq(pthread_sigmask(how, &sigpipe, NULL), 0);
}

static bool is_blocked(void) {
        sigset_t mask;

        assert_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
        return sigismember(&mask, SIGPIPE) == 1;
}

static bool is_pending(void) {
        sigset_t pending;

        assert_eq(sigpending(&pending), 0);
        return sigismember(&pending, SIGPIPE) == 1;
}

/* Feed somebody who is gone before, and somebody who goes away later. */
static void feed_nobody(void) {
        struct loop loop = LOOP_NULL;
        struct feeder feeder = FEEDER_NULL;
        struct rig rig;
        int ends[2];

        assert_eq(loop_init(&loop), 0);
        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        close(ends[0]);
        assert_eq(feeder_attach(&feeder, &loop, ends[1], "text", 4), 0);
        assert_eq(feeder.fd, -1);
        assert_eq(fcntl(ends[1], F_GETFD), -1);
        loop_deinit(&loop);

        rig_init(&rig, much, MUCH);
        rig.fd = close_fd(rig.fd);
        assert_eq(dispatch(&rig), 1);
        assert_eq(rig.feeder.fd, -1);
        assert_eq(dispatch(&rig), 0);
        rig_deinit(&rig);
}

static void in_default(void) {
        set_handler(SIG_DFL);
        feed_nobody();
        assert_false(is_blocked());
        assert_false(is_pending());
}

static void in_ignored(void) {
        struct sigaction action;

        set_handler(SIG_IGN);
        feed_nobody();
        assert_eq(sigaction(SIGPIPE, NULL, &action), 0);
        assert_true(action.sa_handler == SIG_IGN);
        assert_false(is_blocked());
        assert_false(is_pending());
}

static void in_handled(void) {
        struct sigaction action;

        set_handler(on_sigpipe);
        feed_nobody();
        assert_eq(n_handled, 0);
        assert_eq(sigaction(SIGPIPE, NULL, &action), 0);
        assert_true(action.sa_handler == on_sigpipe);
        assert_false(is_blocked());
        assert_false(is_pending());
}

static void in_blocked(void) {
        set_handler(on_sigpipe);
        set_mask(SIG_BLOCK);
        feed_nobody();
        assert_true(is_blocked());
        assert_false(is_pending());
        set_mask(SIG_UNBLOCK);
        assert_eq(n_handled, 0);
}

/* The one that was pending still is, and it is one. */
static void in_pending(int (*send)(void)) {
        set_handler(on_sigpipe);
        set_mask(SIG_BLOCK);
        assert_eq(send(), 0);
        feed_nobody();
        assert_true(is_blocked());
        assert_true(is_pending());
        set_mask(SIG_UNBLOCK);
        assert_eq(n_handled, 1);
        assert_false(is_pending());
}

static int send_to_thread(void) {
        return raise(SIGPIPE);
}

static int send_to_process(void) {
        return kill(getpid(), SIGPIPE);
}

static void in_pending_for_thread(void) {
        in_pending(send_to_thread);
}

static void in_pending_for_process(void) {
        in_pending(send_to_process);
}

/* Make pwritev2(2) fail as it does before Linux 6.18, or in a sandbox. */
static bool forget_pwritev2(int error) {
#if __has_include(<linux/seccomp.h>)
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwritev2, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return false;
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
#else
        return error < 0;
#endif
}

static void run_in_child(void (*fn)(void), int error) {
        pid_t pid = fork();
        int status;

        assert_ge(pid, 0);
        if (pid == 0) {
                if (error == 0 || forget_pwritev2(error))
                        fn();
                else
                        fprintf(stderr, "not tried: no seccomp\n");
                _exit(0);
        }
        assert_eq(waitpid(pid, &status, 0), pid);
        assert_eq(status, 0);
}

static void test_sigpipe(void) {
        static void (*const states[])(void) = {
                in_default,
                in_ignored,
                in_handled,
                in_blocked,
                in_pending_for_thread,
                in_pending_for_process,
        };

        for (size_t i = 0; i < ARRAY_SIZE(states); ++i) {
                run_in_child(states[i], 0);
                run_in_child(states[i], EOPNOTSUPP);
                run_in_child(states[i], EPERM);
        }
}

static void test_without_pwritev2(void) {
        run_in_child(test_small, ENOSYS);
        run_in_child(test_much, ENOSYS);
        run_in_child(test_full, ENOSYS);
        run_in_child(test_nobody_reads, ENOSYS);
}

int main(void) {
        unsigned n_fds = test_count_fds();

        test_bound(60);
        test_small();
        test_nothing();
        test_much();
        test_nobody_reads();
        test_closed_but_open_elsewhere();
        test_full();
        test_attach_fails();
        test_sigpipe();
        test_without_pwritev2();
        assert_eq(test_count_fds(), n_fds);
        return 0;
}
