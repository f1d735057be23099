// SPDX-License-Identifier: MIT
#pragma once

/* One spawn in a test: the probe with a verb, its descriptors, and what it writes. */

#include "sys/call.h"
#include "sys/spawn.h"
#include "test.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TRIAL_FDS 16

struct trial {
        struct curfew_cmd cmd;
        const char *path; /* NULL is the probe */
        const char *const *env;
        struct curfew_extra_fd fds[TRIAL_FDS];
        size_t n_fds;
        enum curfew_stage stage; /* of a failure */
};

#define PROBE(...) ((const char *const[]){ "probe", __VA_ARGS__, NULL })

#define TRIAL(...)                                                                                 \
        {                                                                                          \
                .cmd = { .argv = PROBE(__VA_ARGS__) }, .fds = { { 0, 0 }, { 1, 1 }, { 2, 2 } },    \
                .n_fds = 3,                                                                        \
        }

static inline const char *trial_probe(void) {
        const char *probe = getenv("PROBE");

        if (!probe)
                test_fail(__FILE__, __LINE__, "%s", "PROBE is not set: run this by meson test");
        return probe;
}

/* The table is used up by a spawn, so that it gets a copy. */
static inline int trial_spawn(struct trial *trial, struct child *ret) {
        struct birth_stack stack = BIRTH_STACK_NULL;
        struct curfew_extra_fd fds[TRIAL_FDS];
        struct spawn_plan plan = {
                .cmd = &trial->cmd,
                .path = trial->path ? trial->path : trial_probe(),
                .env = trial->env ? trial->env : (const char *const *)environ,
                .fds = fds,
                .n_fds = trial->n_fds,
                .cgroup = -1,
                .cgroup_procs = -1,
        };
        int r;

        memcpy(fds, trial->fds, sizeof(fds));
        r = spawn(&stack, &plan, &trial->stage, ret);
        birth_stack_deinit(&stack);
        return r;
}

/* Blocks until the child has exited, and leaves it to be looked at. */
static inline void trial_wait(const struct child *child) {
        struct pollfd fd = { .fd = child->pidfd, .events = POLLIN };

        while (poll(&fd, 1, -1) != 1)
                assert_eq(errno, EINTR);
}

static inline size_t trial_drain(int fd, char *buf, size_t size) {
        size_t used = 0;
        ssize_t n;

        while ((n = read(fd, buf + used, size - 1 - used)) != 0) {
                if (n < 0)
                        assert_eq(errno, EINTR);
                else
                        used += (size_t)n;
        }
        buf[used] = 0;
        return used;
}

/* Run it with a pipe for standard output, to a good end, and give what it wrote. */
static inline void trial_output(struct trial *trial, char *ret, size_t size) {
        struct child child = CHILD_NULL;
        struct child_exit how;
        int ends[2], r;

        assert_eq(pipe2(ends, O_CLOEXEC), 0);
        for (size_t i = 0; i < trial->n_fds; ++i)
                if (trial->fds[i].target == 1)
                        trial->fds[i].source = ends[1];

        r = trial_spawn(trial, &child);
        if (r < 0)
                test_fail(__FILE__, __LINE__, "stage %d: %s", (int)trial->stage, strerror(-r));
        close(ends[1]);
        trial_drain(ends[0], ret, size);
        close(ends[0]);

        trial_wait(&child);
        assert_eq(child_peek(&child, &how), 1);
        assert_eq(how.status, CURFEW_STATUS_EXITED);
        assert_eq(how.code, 0);
        assert_eq(child_reap(&child), 0);
        child_deinit(&child);
}

/* The value in the line "key value" of what the probe's state wrote; until the next call. */
static inline const char *trial_field(const char *output, const char *key) {
        static _Thread_local char value[4096];
        size_t n = strlen(key);

        for (const char *line = output; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, key, n) == 0 && line[n] == ' ') {
                        snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + n + 1, "\n"),
                                line + n + 1);
                        return value;
                }
        }
        test_fail(__FILE__, __LINE__, "no \"%s\" in: %s", key, output);
}

/* Run a part of a test in a process of its own, which it may spoil. */
static inline void trial_apart(void (*fn)(void)) {
        int status;
        pid_t pid = fork();

        assert_ge(pid, 0);
        if (pid == 0) {
                test_bound(60);
                fn();
                exit(0);
        }
        assert_eq(waitpid(pid, &status, 0), pid);
        assert_eq(status, 0);
}

/* At the exit of the process that made it, which forks more. */
static inline void trial_remove_probe(void) {
        const char *maker = getenv("PROBE_MAKER");

        if (maker && atoi(maker) == getpid())
                unlink(trial_probe());
}

/* The probe moves to where everybody can execute it, until this process ends. */
static inline void trial_share_probe(void) {
        char copy[] = "/tmp/curfew-probe-XXXXXX", maker[16];
        int from = open(trial_probe(), O_RDONLY | O_CLOEXEC), to = mkostemp(copy, O_CLOEXEC);

        assert_ge(from, 0);
        assert_ge(to, 0);
        while (sendfile(to, from, NULL, 1 << 20) > 0)
                ;
        assert_eq(fchmod(to, 0755), 0);
        close(from);
        close(to);
        snprintf(maker, sizeof(maker), "%d", (int)getpid());
        assert_eq(setenv("PROBE_MAKER", maker, 1), 0);
        assert_eq(setenv("PROBE", copy, 1), 0);
        assert_eq(atexit(trial_remove_probe), 0);
}

/* Root gives up being root, and owns the probe still, lest nobody could remove it. */
static inline void trial_become_nobody(void) {
        const uid_t nobody = 65534;

        trial_share_probe();
        assert_eq(chown(trial_probe(), nobody, nobody), 0);
        assert_eq(setgroups(0, NULL), 0);
        assert_eq(setresgid(nobody, nobody, nobody), 0);
        assert_eq(setresuid(nobody, nobody, nobody), 0);
        assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

/* From now on a system call has this fate (seccomp(2)); what the kernel returns. */
static inline int trial_filter(int number, unsigned fate, unsigned flags) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, fate),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };
        int r;

        assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        r = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
        assert_ge(r, 0);
        return r;
}

/* It fails with an error; with 0 it ends the process. */
static inline void trial_forbid(int number, int error) {
        trial_filter(
                number, error ? SECCOMP_RET_ERRNO | (unsigned)error : SECCOMP_RET_KILL_PROCESS, 0);
}

/* Whoever makes it is held until told to go on, by way of the descriptor. */
static inline int trial_hold(int number) {
        return trial_filter(number, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

/* Blocks until somebody is held. */
static inline struct seccomp_notif trial_held(int listener) {
        struct seccomp_notif notif = { 0 };

        while (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0)
                assert_eq(errno, EINTR);
        return notif;
}

static inline void trial_go_on(int listener, const struct seccomp_notif *notif) {
        struct seccomp_notif_resp response = {
                .id = notif->id,
                .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
        };

        assert_eq(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
}
