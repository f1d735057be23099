// SPDX-License-Identifier: MIT

/*
 * scenario VERB BACKEND: a host for test-faults.sh, which makes system calls fail in it.
 *
 *     start        a command that ends by itself, fed and captured
 *     stop         a command that is asked to stop by a signal to this process, and does
 *     kill         two that nothing but SIGKILL ends, one of them in a session of its own
 *     host-death   the host is killed while its command runs
 *
 * What happens is written in one line. The status is 0 if a run was made and went as the header
 * says; 3 if it says where it failed, and with which error; 1 if anything is not as it should be:
 * a descriptor, a byte or a process more than before, a lie in the result, or something that is
 * left.
 *
 * The checks here must work where system calls fail: they use none of those that are made to, or
 * try again.
 */

#include "curfew.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOUND (12 * CURFEW_SEC) /* less than what test-faults.sh takes for a hang */
#define GRACE (2 * CURFEW_SEC)

enum { OK = 0, WRONG = 1, USAGE = 2, FAILED = 3 };

static char line[1024];
static size_t used;
static int log_ends[2] = { -1, -1 };

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(line + used, sizeof(line) - used, format, ap);
        va_end(ap);
        if (n > 0 && (size_t)n < sizeof(line) - used)
                used += (size_t)n;
}

/* Nothing that is checked later is lost, since it stands in the line. */
static int wrong(const char *what) {
        say(" WRONG: %s.", what);
        return WRONG;
}

static void print_line(void) {
        if (used == 0)
                return;
        line[used++] = '\n';
        for (size_t done = 0; done < used;) {
                ssize_t n = write(STDOUT_FILENO, line + done, used - done);

                if (n > 0)
                        done += (size_t)n;
                else if (errno != EINTR && errno != EAGAIN && errno != EIO)
                        return;
        }
        used = 0;
}

static unsigned count_fds(void) {
        unsigned n = 0;

        for (int fd = 0; fd < 1024; ++fd) {
                struct stat st;

                n += fstat(fd, &st) == 0;
        }
        return n;
}

/* In use, where that can be asked; test-faults.sh sees to it that nothing is kept for later. */
static size_t count_memory(void) {
#if defined(__GLIBC__) && __GLIBC_MINOR__ >= 33
        void *volatile first = malloc(1); /* which it makes something for that stays */

        free(first);
        return mallinfo2().uordblks;
#else
        return 0;
#endif
}

/* Our children; those that a host has left to us we are to reap. */
static int check_nothing_left(bool reap) {
        for (;;) {
                pid_t pid = waitpid(-1, NULL, __WALL | (reap ? 0 : WNOHANG));

                if (pid < 0 && errno == ECHILD)
                        return OK;
                if (pid == 0)
                        return wrong("a process is left");
                if (pid > 0 && !reap)
                        return wrong("a zombie is left");
        }
}

/* How often the word is in the log. */
static unsigned count_log(const char *word) {
        static char text[4096];
        static size_t size;
        unsigned n = 0;
        ssize_t r;

        while ((r = read(log_ends[0], text + size, sizeof(text) - 1 - size)) != 0) {
                if (r > 0)
                        size += (size_t)r;
                else if (errno == EAGAIN)
                        break;
        }
        for (const char *p = text; (p = strstr(p, word)); ++p)
                ++n;
        return n;
}

static int fail(const char *stage, int r) {
        say("failed: %s: %s.", stage ? stage : "(none)", strerror(-r));
        if (r >= 0 || !stage)
                return wrong("no such failure");
        return FAILED;
}

static int check_result(const struct curfew_result *res) {
        say("%s, %s: status %d/%d, reason %d, %u steps, end %d, left %u.",
                curfew_backend_name(res->backend), curfew_guarantee_name(res->guarantee),
                (int)res->status, res->code, (int)res->reason, res->n_steps, (int)res->end,
                res->left);
        for (unsigned i = 0; i < res->n_steps; ++i)
                if (res->steps[i].error < 0)
                        say(" step %u: %s.", i, strerror(-res->steps[i].error));
        if (res->stage != CURFEW_STAGE_NONE || res->error != 0)
                return wrong("a stage");
        if (res->end != CURFEW_END_EMPTY || res->left != 0)
                return wrong("not ended");
        return OK;
}

/* Who was reached says so, and who wasn't has an error. */
static int check_asked(const struct curfew_result *res, unsigned n) {
        if (res->n_steps == 0 || res->reason == CURFEW_REASON_NONE)
                return wrong("never asked");
        if (res->steps[0].error == 0 && count_log("term") < n)
                return wrong("not reached");
        return OK;
}

static int start(struct curfew *sup, struct curfew_ctx *ctx, struct curfew_cmd cmd,
        const char *verb, struct curfew_run **ret) {
        struct curfew_extra_fd fd = { .target = 3, .source = log_ends[1] };
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        int r;

        cmd.path = getenv("WITNESS");
        cmd.argv = (const char *[]){ "witness", verb, NULL };
        cmd.fds = &fd;
        cmd.n_fds = 1;
        r = curfew_start(sup, ctx, &cmd, &stage, ret);
        return r < 0 ? fail(curfew_stage_name(stage), r) : OK;
}

/* Until it has said so, or has ended. */
static void await_output(struct curfew_run *run, char until) {
        int fd = curfew_run_take_fd(run, 1);
        char c;
        ssize_t n = -1;

        for (int tries = 0; n != 0 && tries < 8; tries += n < 0) {
                n = read(fd, &c, 1);
                if (n == 1 && c == until)
                        break;
        }
        close(fd);
}

static int verb_start(struct curfew *sup, enum curfew_backend backend) {
        struct curfew_cmd cmd = { .backend = backend,
                .in = { CURFEW_FEED, .data = "food", .size = 4 },
                .out = { CURFEW_CAPTURE } };
        const struct curfew_result *res;
        struct curfew_run *run = NULL;
        int r = start(sup, NULL, cmd, "brief", &run);

        if (r != OK)
                return r;
        if (curfew_run_wait(run, BOUND) < 0)
                return wrong("a hang");
        res = curfew_run_result(run);
        r = check_result(res);
        if (res->status == CURFEW_STATUS_EXITED && res->code == 0 && res->out.error == 0 &&
                strcmp(res->out.data, "u") != 0)
                return wrong("the output");
        return r;
}

static int stop_by_signal(struct curfew *sup, struct curfew_ctx *ctx, enum curfew_backend backend) {
        struct curfew_cmd cmd = { .backend = backend,
                .out = { CURFEW_PIPE },
                .stop = { { SIGTERM, CURFEW_TREE, GRACE } } };
        struct curfew_run *run = NULL;
        int r = start(sup, ctx, cmd, "alone", &run);

        if (r != OK)
                return r;
        await_output(run, 'u');
        kill(getpid(), SIGUSR1);
        if (curfew_run_wait(run, BOUND) < 0)
                return wrong("a hang");
        r = check_result(curfew_run_result(run));
        if (r == OK && count_log("up"))
                r = check_asked(curfew_run_result(run), 1);
        return r;
}

static int verb_stop(struct curfew *sup, enum curfew_backend backend) {
        struct curfew_signals *signals = NULL;
        sigset_t usr1;
        int r;

        sigemptyset(&usr1);
        sigaddset(&usr1, SIGUSR1);
        r = curfew_signals_open(NULL, &usr1, &signals);
        if (r < 0)
                return fail("context", r);
        r = stop_by_signal(sup, curfew_signals_ctx(signals), backend);
        curfew_signals_close(signals);
        return r;
}

static int verb_kill(struct curfew *sup, enum curfew_backend backend) {
        struct curfew_cmd cmd = { .backend = backend,
                .out = { CURFEW_PIPE },
                .stop = { { SIGTERM, CURFEW_TREE, CURFEW_NO_GRACE } } };
        const struct curfew_result *res;
        struct curfew_run *run = NULL;
        int r = start(sup, NULL, cmd, "hold", &run);

        if (r != OK)
                return r;
        await_output(run, '\n');
        curfew_run_stop(run);
        if (curfew_run_wait(run, BOUND) < 0)
                return wrong("a hang");
        res = curfew_run_result(run);
        r = check_result(res);
        if (r == OK && res->status == CURFEW_STATUS_SIGNALED && res->code != SIGKILL)
                return wrong("the signal");
        return r;
}

/* It is a child of ours, which dies of it. */
static int verb_host_death(struct curfew *sup, enum curfew_backend backend) {
        struct curfew_cmd cmd = { .backend = backend,
                .guarantee = CURFEW_GUARANTEE_TRACKED, /* the group promises nothing here */
                .out = { CURFEW_PIPE },
                .stop = { { SIGTERM, CURFEW_TREE, GRACE } } };
        struct curfew_run *run = NULL;
        int r = start(sup, NULL, cmd, "stay", &run);

        if (r != OK)
                return r;
        await_output(run, 'u');
        kill(getpid(), SIGKILL);
        return wrong("alive");
}

typedef int (*verb_fn)(struct curfew *sup, enum curfew_backend backend);

static int run_verb(verb_fn fn, enum curfew_backend backend) {
        struct curfew *sup = NULL;
        int r = curfew_new(&sup);

        if (r < 0)
                return fail("supervisor", r);
        r = fn(sup, backend);
        curfew_free(sup);
        return r;
}

static int host_death(enum curfew_backend backend) {
        pid_t pid, reaped;
        int status = 0;

        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return fail("scenario", -errno);
        pid = fork();
        if (pid < 0)
                return fail("fork", -errno);
        if (pid == 0) {
                status = run_verb(verb_host_death, backend);
                print_line();
                _exit(status);
        }
        do
                reaped = waitpid(pid, &status, 0);
        while (reaped < 0 && errno == EINTR);
        check_nothing_left(true); /* whatever became of the host, what it has started ends */
        if (WIFEXITED(status))
                return WEXITSTATUS(status);
        if (reaped != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                return wrong("the host");
        say("host died; %u up, %u asked.", count_log("up"), count_log("term"));
        return OK;
}

static const struct {
        const char *name;
        verb_fn fn;
} verbs[] = {
        { "start", verb_start },
        { "stop", verb_stop },
        { "kill", verb_kill },
        { "host-death", NULL },
};

static int find_backend(const char *name, enum curfew_backend *ret) {
        for (int i = CURFEW_BACKEND_CGROUP; i <= (int)CURFEW_BACKEND_GROUP; ++i)
                if (strcmp(curfew_backend_name(i), name) == 0) {
                        *ret = i;
                        return 0;
                }
        *ret = CURFEW_BACKEND_ANY;
        return strcmp(name, "any") == 0 ? 0 : -EINVAL;
}

static int try_verb(const char *name, enum curfew_backend backend) {
        unsigned fds = count_fds();
        size_t memory = count_memory();
        int r = USAGE;

        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); ++i)
                if (strcmp(verbs[i].name, name) == 0)
                        r = verbs[i].fn ? run_verb(verbs[i].fn, backend) : host_death(backend);
        if (count_fds() != fds)
                r = wrong("the number of descriptors");
        if (count_memory() != memory)
                r = wrong("memory");
        if (check_nothing_left(false) != OK)
                r = WRONG;
        print_line();
        return r;
}

int main(int argc, char *argv[]) {
        enum curfew_backend backend;

        if (argc != 3 || find_backend(argv[2], &backend) < 0) {
                fprintf(stderr, "usage: scenario VERB BACKEND\n");
                return USAGE;
        }
        alarm(2 * BOUND / CURFEW_SEC);
        if (pipe2(log_ends, O_CLOEXEC | O_NONBLOCK) < 0) {
                fail("scenario", -errno);
                print_line();
                return FAILED;
        }
        return try_verb(argv[1], backend);
}
