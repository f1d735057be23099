/* SPDX-License-Identifier: MIT */
#ifndef CURFEW_H
#define CURFEW_H

/*
 * curfew runs commands under a context: a deadline or a cancel that reaches every process that a
 * command has started. Each is asked to stop first, with a signal it can catch, and gets time to
 * clean up; only then is what is left killed; and a run has ended when nothing is left running.
 *
 *         struct curfew_ctx *ctx = NULL;
 *         struct curfew_result res = { 0 };
 *
 *         curfew_ctx_with_timeout(NULL, 60 * CURFEW_SEC, &ctx);
 *         r = curfew_run(ctx, &(struct curfew_cmd){
 *                 .argv = (const char *[]){ "python3", "worker.py", NULL },
 *                 .out  = { CURFEW_CAPTURE }, .err = { CURFEW_TO_STDOUT },
 *                 .stop = { { SIGINT, CURFEW_TREE, 5 * CURFEW_SEC } },
 *         }, &res);
 *
 * Read on in this order: durations, contexts, the command, the result, running one command, and
 * the supervisor, which runs any number of them inside an event loop of yours.
 *
 * Throughout:
 *
 *  - A function that returns int returns 0, or what it says, or a negative errno on failure
 *    (curfew_ctx_err() and curfew_ctx_cause() return a state). A positive value is no failure.
 *    Nothing is ever printed, and errno itself means nothing.
 *  - Results come back through `ret` parameters, last, which a failure leaves untouched.
 *  - Where NULL isn't mentioned it must not be passed.
 *  - Zero is the default in every struct: initialise with `{ 0 }` or designated initialisers.
 *    Fields named `reserved` must be zero.
 *  - Functions that free accept NULL and return NULL, so that `x = curfew_free(x)` clears.
 *  - curfew starts no thread, installs no signal handler, waits for no child but its own, and
 *    leaves the caller's dispositions, signal mask, umask, directory and descriptors as they were.
 *    Every descriptor it opens is close-on-exec. The one exception is curfew_signals_open(), which
 *    says what it changes.
 *  - The keepers are children of the caller's too: they raise SIGCHLD, and a wait for any child may
 *    reap them, which does no harm.
 *  - After fork(2) without exec, the child must not use or free what it inherited from curfew,
 *    except as curfew_run_note_listener() says.
 *  - gdb takes a child that is still in our memory for a thread, and loses its hold on the program
 *    when that executes: under it, begin with examples/host.gdb. An emulator of another machine's
 *    programs, such as qemu-user, can have no such child: there a start is -EINVAL at "clone".
 *
 * Linux 5.10 or newer. The header needs the names of POSIX.1-2008: -std=gnu…, or
 * _POSIX_C_SOURCE=200809L.
 */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CURFEW_VERSION "0.1.0"

/* The version of the library that is loaded, in the form of CURFEW_VERSION. */
const char *curfew_version(void);

/*
 * Durations and times
 * -------------------
 * A duration is a count of nanoseconds; a time is one on CLOCK_MONOTONIC, so that setting the wall
 * clock moves no deadline. Sums saturate: what reaches beyond the end of time is never.
 */

#define CURFEW_NSEC    INT64_C(1)
#define CURFEW_USEC    INT64_C(1000)
#define CURFEW_MSEC    INT64_C(1000000)
#define CURFEW_SEC     INT64_C(1000000000)
#define CURFEW_MIN     (60 * CURFEW_SEC)
#define CURFEW_HOUR    (60 * CURFEW_MIN)
#define CURFEW_FOREVER INT64_MAX /* the duration without end, the time that never comes */

/* Now, on CLOCK_MONOTONIC. */
int64_t curfew_now(void);

/*
 * Read a duration as GNU timeout writes it: a floating-point number of seconds (decimal or hex,
 * "inf" included), or of what one suffix says: s, m, h or d. Rounds up to whole nanoseconds, so
 * that only a true zero is 0; what overflows is CURFEW_FOREVER.
 *
 * -EINVAL: no number, not a number, negative, or anything behind the suffix.
 */
int curfew_duration_parse(const char *text, int64_t *ret);

/*
 * Read a signal as GNU timeout does: a name in any case, with or without "SIG", "RTMIN+n",
 * "RTMAX-n", a number, or the exit status of a shell whose child died of it (137 is KILL). 0 and
 * "EXIT" are signal 0, which only probes.
 *
 * -EINVAL: no such signal.
 */
int curfew_signal_parse(const char *text, int *ret);

/* A signal's name without "SIG" ("TERM", "RTMIN+3"), in a static string; NULL if there is none. */
const char *curfew_signal_name(int signal);

/*
 * Contexts
 * --------
 * A context is live until it is done, and then done for ever: by a cancel, by its deadline, or
 * because the context it was derived from is done. Deriving makes a tree; a NULL parent is the
 * background, which is never done. Being done has a reason (curfew_ctx_err) and a cause
 * (curfew_ctx_cause), both fixed by the first event and never changed by a later one.
 *
 * Nothing watches a deadline in the background: it is compared with the clock by whoever looks
 * (err, cause, wait, after, a supervisor), and the first to see it pass finishes the context and
 * all below it, exactly as a cancel would. That may run after-functions on the thread that looked.
 *
 * All functions on contexts may be called from any thread at any time, on the same context too.
 * None blocks but curfew_ctx_wait() and curfew_after_free(), and none is for signal handlers.
 *
 * Whoever finds a context done finds its descriptor readable, and whoever finds that readable finds
 * the context done. Both are so for ever.
 *
 * The functions that make a context return -ENOMEM, or -EINVAL for a NULL `ret`; `*ret` is then
 * the caller's reference. A child holds a reference to its parent.
 */

struct curfew_ctx;

/* Why a context was done: a code of the canceller's choice and a text for people. */
struct curfew_cause {
        int code;
        const char *text;
};

/* A context that is done when it is cancelled or its parent is done. */
int curfew_ctx_with_cancel(struct curfew_ctx *parent, struct curfew_ctx **ret);

/*
 * A context that is also done at a time (deadline) or after a duration (timeout). A parent with an
 * earlier or equal deadline wins: the new context then has no deadline of its own, nor the cause.
 * A time that is already past makes a context that is born done.
 *
 * `text` is copied and may be NULL. Cause and text apply only if this deadline is what finishes the
 * context; `code` 0 with a NULL `text` is the plain cause.
 */
int curfew_ctx_with_deadline(struct curfew_ctx *parent, int64_t deadline, struct curfew_ctx **ret);
int curfew_ctx_with_deadline_cause(struct curfew_ctx *parent, int64_t deadline, int code,
        const char *text, struct curfew_ctx **ret);
int curfew_ctx_with_timeout(struct curfew_ctx *parent, int64_t timeout, struct curfew_ctx **ret);
int curfew_ctx_with_timeout_cause(struct curfew_ctx *parent, int64_t timeout, int code,
        const char *text, struct curfew_ctx **ret);

/* A live context with its parent's values and nothing else: no deadline, no cancel from above. */
int curfew_ctx_without_cancel(struct curfew_ctx *parent, struct curfew_ctx **ret);

/*
 * A context that carries a value. `key` is compared as a pointer: use the address of a static
 * object of yours, and nobody else can collide with it. `release`, if not NULL, is called with
 * `value` when the context is freed. On failure the value stays the caller's.
 *
 * -EINVAL: NULL key.
 */
int curfew_ctx_with_value(struct curfew_ctx *parent, const void *key, void *value,
        void (*release)(void *value), struct curfew_ctx **ret);

/*
 * A context that is done when the first of `n` contexts is, with that one's reason and cause. Its
 * deadline is the earliest of theirs; values are looked up in them in order. Cancelling it leaves
 * them alone.
 *
 * -EINVAL: `n` is 0.
 */
int curfew_ctx_merge(struct curfew_ctx *const ctxs[], size_t n, struct curfew_ctx **ret);

/*
 * A context with the deadline that CURFEW_DEADLINE in this process's environment carries: the time
 * by which whoever started this process wants it to have finished (see curfew_cmd). Without the
 * variable, or with an empty one, it is a plain context.
 *
 * 1: the variable is there but is not a time; a plain context was made all the same.
 */
int curfew_ctx_from_environment(struct curfew_ctx *parent, struct curfew_ctx **ret);

/* Take and let go of a reference. Letting go of the last one does not cancel what was derived. */
struct curfew_ctx *curfew_ctx_ref(struct curfew_ctx *ctx);
struct curfew_ctx *curfew_ctx_unref(struct curfew_ctx *ctx);

/*
 * Cancel: the context and everything below it is done when this returns, merges included, whoever
 * has ended it. The after-functions that are due by this call have been called, on this thread;
 * where another thread was first, they may still be running there. A context that is done already
 * stays as it is; the background (NULL) can't be cancelled.
 *
 * With a cause: `text` is copied and may be NULL; `code` 0 with a NULL `text` is the plain cause.
 * -ENOMEM: cancelled, but there was no memory to keep the text; the code is kept.
 */
void curfew_ctx_cancel(struct curfew_ctx *ctx);
int curfew_ctx_cancel_cause(struct curfew_ctx *ctx, int code, const char *text);

/* 0 while live, then for ever -ECANCELED or -ETIMEDOUT. */
int curfew_ctx_err(struct curfew_ctx *ctx);

/*
 * The same, with the cause: { 0, NULL } while live; where no cause was given the code is what this
 * function returns, with a text that says so. The text belongs to the context.
 */
int curfew_ctx_cause(struct curfew_ctx *ctx, struct curfew_cause *ret);

/* The time at which the context will be done at the latest, or CURFEW_FOREVER. */
int64_t curfew_ctx_deadline(const struct curfew_ctx *ctx);

/* The nearest value under `key`, on the way up; NULL if there is none. */
void *curfew_ctx_value(const struct curfew_ctx *ctx, const void *key);

/*
 * Wait until the context is done, for `timeout` at most. 0: it is done. -ETIMEDOUT: it is still
 * live. Signals that the caller handles don't cut it short, nor does pthread_cancel(3).
 *
 * -ENOMEM. For what ends by the world (see below) it takes descriptors as long as it lasts: also
 * -EMFILE, -ENFILE.
 */
int curfew_ctx_wait(struct curfew_ctx *ctx, int64_t timeout);

/*
 * A descriptor that polls readable (POLLIN) once the context is done, by its deadline too. It is
 * made at the first call and belongs to the context: don't read or close it; poll it with others,
 * then ask curfew_ctx_err(). It takes one descriptor, or three where there is a deadline. The
 * background has none: -EINVAL.
 *
 * -EMFILE, -ENFILE, -ENOMEM.
 */
int curfew_ctx_fd(struct curfew_ctx *ctx);

/*
 * Contexts from the world
 * -----------------------
 * A context can also be done by something outside: a descriptor, a process, a signal. It is then
 * cancelled with a cause that says which, and is born done if that has happened already. As with a
 * deadline, nothing watches for it: whoever asks for the state looks, of the context or of one
 * below, which costs a system call for each of these; and the descriptor of the context is readable
 * once there is something to see.
 *
 * Also -EMFILE, -ENFILE: each takes a descriptor, until the context is freed.
 */

/*
 * Done when poll(2) says of `fd` one of `events` (POLLIN, POLLPRI, POLLOUT, POLLRDHUP), or POLLHUP
 * or POLLERR, which always count; nothing is read. The cause is what poll(2) said.
 *
 *         POLLIN       something to read, or a hang-up: an eventfd, a pipe of your own that a
 * signal handler writes to, which is how a blocking curfew_run() is left POLLRDHUP    (_GNU_SOURCE)
 * whoever was at the other end is gone, whatever is still to be read: a client, the pipe from a
 * parent
 *
 * The descriptor stays the caller's, who may close it at any time: then it can end the context no
 * more. A fork of the caller that has it open keeps it from being closed.
 *
 * -EBADF. -EPERM: a file that nobody ever has to wait for, such as a regular one. -EINVAL: other
 * events.
 */
int curfew_ctx_with_fd(struct curfew_ctx *parent, int fd, short events, struct curfew_ctx **ret);

/*
 * Done when a process ends, all of its threads; the cause is its number. Whoever is not the parent
 * of it can't know that the number is not another's by now: with a pidfd of it there is
 * curfew_ctx_with_fd(), for POLLIN.
 *
 * -ESRCH: there is none. -EINVAL: it is a thread, or no number of one.
 */
int curfew_ctx_with_pid(struct curfew_ctx *parent, pid_t pid, struct curfew_ctx **ret);

/*
 * The same for the parent of this process, whichever of its threads has started it. `ppid` is what
 * getppid(2) has returned, or what the parent was known as before a fork: if this process has
 * another one by now, the parent has ended. Without such knowledge, what ended before getppid(2)
 * was called can't be told from whom the process fell to; a pipe from the parent can.
 *
 * -EINVAL: 0, as getppid(2) says of one outside of this PID namespace.
 */
int curfew_ctx_with_ppid(struct curfew_ctx *parent, pid_t ppid, struct curfew_ctx **ret);

/*
 * Signals to this process. From opening to closing them, they are blocked in the calling thread,
 * which must be the one that closes them; every other thread has to block them, too, so do this
 * before starting any. The context is done when one of them is pending: the cause is its number and
 * name. They stay pending, ignored ones as well, so that several can be open for the same signal:
 * what was opened last is closed first.
 *
 *         r = curfew_signals_open(NULL, &set, &signals);
 *         …
 *         r = curfew_run(curfew_signals_ctx(signals), &cmd, &result);
 *         …
 *         signals = curfew_signals_close(signals);
 *
 * Closing cancels the context, discards what is pending of the signals that were not blocked when
 * they were opened, and unblocks them. The context may be kept by who holds a reference to it.
 */
struct curfew_signals;

int curfew_signals_open(
        struct curfew_ctx *parent, const sigset_t *set, struct curfew_signals **ret);
struct curfew_signals *curfew_signals_close(struct curfew_signals *signals);

/* The context; it belongs to `signals`. */
struct curfew_ctx *curfew_signals_ctx(const struct curfew_signals *signals);

/*
 * After-functions
 * ---------------
 * Call `fn(arg)` once after the context is done: on the thread that made it done (or saw its
 * deadline pass), without any lock held; at once, on this thread, if it is done already. Each
 * registration is independent. `fn` may use any function on contexts.
 *
 * It may take its time: runs under the context have been told before. A supervisor that sees a
 * deadline pass calls what follows at the end of that dispatch, after the steps that are due.
 *
 * `*ret` is the caller's, to be freed; the context may be freed before it. `ret` may be NULL if
 * the call never has to be prevented; if such a context is freed live, it is never made.
 *
 * -EINVAL: the background (NULL), which is never done, or a NULL `fn`. -ENOMEM.
 */
struct curfew_after;

int curfew_ctx_after(
        struct curfew_ctx *ctx, void (*fn)(void *arg), void *arg, struct curfew_after **ret);

/* 1: the call will not happen, and this prevented it. 0: it has been prevented or made before, or
 * is being made. Never waits. */
int curfew_after_stop(struct curfew_after *after);

/* Stop and free. If another thread is in `fn` just now, waits until it has returned: afterwards
 * what `arg` points to can be freed. Called from within `fn` itself it doesn't wait. */
struct curfew_after *curfew_after_free(struct curfew_after *after);

/*
 * Commands
 * --------
 * A command says what to run and how to stop it. It is plain data: nothing in it is changed, and
 * nothing needs to outlive the call that starts it, except what CURFEW_FEED and `arg` point to:
 * until the run has ended or is freed.
 */

/* Where one of the child's standard streams leads. */
enum curfew_stream_kind {
        CURFEW_NULL,     /* /dev/null (the default) */
        CURFEW_INHERIT,  /* what the caller has at that number; /dev/null if that is closed */
        CURFEW_FD,       /* .fd, which stays the caller's */
        CURFEW_READ,     /* .path, opened for reading */
        CURFEW_TRUNCATE, /* .path, created or emptied */
        CURFEW_APPEND,  /* .path, created or appended to. All three are opened by the caller, before
                           there is a child: relative to the caller's directory and under its umask.
                           A FIFO blocks that until its other end is open, whatever the context:
                           open it yourself and pass the descriptor. */
        CURFEW_FEED,    /* stdin only: the bytes .data[.size], then end of file; they are borrowed
                           until the run has ended. A child that doesn't read them is no error. */
        CURFEW_CAPTURE, /* output only: into the result, up to .limit, keeping .keep */
        CURFEW_CALLBACK, /* output only: to .fn, piece by piece as it comes */
        CURFEW_PIPE,     /* a pipe whose other end curfew_run_take_fd() gives to the caller */
        CURFEW_TO_STDOUT /* stderr only: the same open file as stdout, one stream in order */
};

/* What a capture keeps of an output that is larger than its limit. */
enum curfew_keep {
        CURFEW_KEEP_HEAD, /* its beginning */
        CURFEW_KEEP_TAIL, /* its end */
        CURFEW_KEEP_BOTH  /* both, half the limit each */
};

#define CURFEW_CAPTURE_LIMIT (64 << 20) /* what a .limit of 0 means */

/*
 * Takes a piece of output; called from any call on the run or its supervisor that dispatches, or
 * that may end the run. It may cancel contexts and call curfew_run_stop(), but nothing else of the
 * same supervisor. A return value other than 0 closes the pipe, so that the child's next write
 * fails, and is kept in the result.
 */
typedef int (*curfew_output_fn)(void *arg, const void *data, size_t size);

struct curfew_stream {
        enum curfew_stream_kind kind;
        int fd;
        const char *path;
        const void *data;
        size_t size;
        size_t limit;
        enum curfew_keep keep;
        curfew_output_fn fn;
        void *arg;
};

/* A further descriptor: what the caller has open at `source` is at `target` (3 or above) in the
 * child. Two may swap numbers. The caller's own descriptors stay as they are. */
struct curfew_extra_fd {
        int target;
        int source;
};

struct curfew_rlimit {
        int resource; /* RLIMIT_… */
        struct rlimit limit;
};

/* Whom a step of the stop plan signals. */
enum curfew_whom {
        CURFEW_TREE,  /* every process of the command (the default) */
        CURFEW_GROUP, /* the process group that the command was started as leader of */
        CURFEW_LEADER /* the process that was started, alone */
};

/*
 * Who holds the tree, which is every process that a command has started, wherever it went; see
 * docs/guarantees.md for what each of them costs and needs.
 */
enum curfew_backend {
        CURFEW_BACKEND_ANY,    /* the best of the next three that works here (the default) */
        CURFEW_BACKEND_CGROUP, /* a control group of its own below the caller's (cgroup v2), where
                                  the caller may make one: root, or a delegated group */
        CURFEW_BACKEND_KEEPER, /* a small process between the caller and the command, which every
                                  orphan of the tree falls to (PR_SET_CHILD_SUBREAPER) */
        CURFEW_BACKEND_GROUP,  /* the process group, and what descends from the command */
        CURFEW_BACKEND_PID_NAMESPACE /* a keeper that is the init of a PID namespace. Only if asked
                                  for: in there a process doesn't have the number it has outside,
                                  and /proc shows the numbers outside. Without privilege it takes a
                                  user namespace as well, in which only the caller's uid and gid
                                  mean anybody. All that is in it ends with the run: it can't be
                                  detached, and `until` must be CURFEW_UNTIL_EMPTY. */
};

/* What that promises, weakest first. */
enum curfew_guarantee {
        CURFEW_GUARANTEE_NONE,    /* as a demand: whatever works here */
        CURFEW_GUARANTEE_GROUP,   /* a process that has left the group and whose parent has exited
                                     is lost, and can be left running */
        CURFEW_GUARANTEE_TRACKED, /* no process can leave the tree; one that forks and exits faster
                                     than it is found may not be asked, but is killed in the end */
        CURFEW_GUARANTEE_SEALED,  /* also, the kernel signals or kills the tree as a whole, however
                                     it forks. (A command that may write to the control groups of
                                     this machine, as root may, can move itself away.) */
};

/*
 * A step of the stop plan: send `signal` to `whom`, then give them `grace` before the next step.
 * Grace 0 is the default, CURFEW_GRACE; CURFEW_NO_GRACE goes on at once; CURFEW_FOREVER waits
 * without end, as a caller who writes it must want.
 *
 * Every signal that ends a process by default is followed by SIGCONT, so that a stopped process
 * can hear it. After the last step SIGKILL goes to the tree, always. The grace belongs to the
 * tree: the steps go on after the leader has exited, while anything is left.
 *
 * Nobody is killed unasked because the plan names only the leader, or the group: if there is
 * anybody else, one more step asks the whole tree before SIGKILL, with the last signal of the plan
 * that asks for an end, or SIGTERM, and its grace (CURFEW_GRACE for none). Once nobody is left whom
 * the plan names it comes after `linger`, if that is sooner. But where what is left is to be left
 * alone (`until`), such a plan means nobody else, and SIGKILL is for those alone. A step to the
 * leader or the group that finds nobody there has no grace.
 *
 * A step reaches each process once that is there when it begins; not what a process forks in answer
 * to it, which may be its way of cleaning up. One that is forked at that very moment, outside of
 * the leader's group, may have the next step only (docs/guarantees.md). The tree of another curfew
 * within this one is left to that one, which is asked like any process and stops it by its own
 * plan. Who has the signal from elsewhere already, curfew_run_note_signal() can have left out.
 * SIGKILL reaches everything.
 */
struct curfew_step {
        int signal;
        enum curfew_whom whom;
        int64_t grace;
};

#define CURFEW_MAX_STEPS 8
#define CURFEW_GRACE     (10 * CURFEW_SEC)
#define CURFEW_NO_GRACE  INT64_C(-1)

/*
 * Read a plan as the command line has it: "INT:5s,TERM:5s", each step a signal, optionally with
 * "leader:", "group:" or "tree:" before it and ":duration" behind it (0 is no grace). The steps
 * are written to ret[CURFEW_MAX_STEPS], ended by a step with signal 0 if there are fewer.
 *
 * -EINVAL: malformed. -E2BIG: too many steps.
 */
int curfew_plan_parse(const char *text, struct curfew_step ret[]);

/*
 * When a run that nobody stops has ended, once its leader has exited. What is left of the tree has
 * the time of `linger` to end by itself: a process that drains a pipe needs a moment.
 *
 * One that is stopped has ended when no process of the tree is left; or, unless that is what it
 * waits for anyway, by these rules when nobody is left whom the plan names. Who asks its keeper,
 * such as a curfew around this one, means all of the tree.
 */
enum curfew_until {
        CURFEW_UNTIL_EMPTY,  /* no process of the tree is left: what is there after `linger` is
                                stopped, by the plan (the default; CURFEW_FOREVER waits for it) */
        CURFEW_UNTIL_EXIT,   /* at once; what is left is left alone */
        CURFEW_UNTIL_OUTPUT, /* every captured or called-back output is at its end, or `linger` is
                                over; what is left is left alone */
};

#define CURFEW_LINGER    CURFEW_SEC
#define CURFEW_NO_LINGER INT64_C(-1)

/* What the child does with a terminal. */
enum curfew_terminal {
        CURFEW_TERMINAL_KEEP,       /* nothing (the default) */
        CURFEW_TERMINAL_CONTROL,    /* makes it the controlling terminal of its new session */
        CURFEW_TERMINAL_FOREGROUND, /* makes its own group the terminal's foreground group */
};

#define CURFEW_SAME_GROUP ((pid_t)-1)

struct curfew_cmd {
        /* The arguments, argv[0] first, ended by NULL. At least one. (A `char **` of main()'s wants
         * a cast: C knows no other way to promise that nothing is changed.) */
        const char *const *argv;

        /* What to execute; NULL looks argv[0] up. A name without a slash is looked up in the
         * caller's PATH (or without one in /bin:/usr/bin, as by execvp(3)), and refused with
         * -EPERM if the first one found lies relative to the current directory (write ./name). A
         * name with a slash is taken as it is, relative to `dir`. */
        const char *path;

        /* The environment: NULL inherits the caller's. `env_edit` is applied on top: "NAME=value"
         * sets, "NAME" removes. The last of duplicates wins, in either. PWD is set to `dir` where
         * the environment is inherited and `env_edit` doesn't name it.
         *
         * CURFEW_DEADLINE is set where the context has a deadline: the time on CLOCK_MONOTONIC, in
         * nanoseconds, by which the command should have finished by itself. That is the context's
         * deadline less the graces of the stop plan (at most half of what is left at the start),
         * or what the environment says already if that is earlier. */
        const char *const *env;
        const char *const *env_edit;

        const char *dir; /* where it runs; NULL is the caller's directory */

        struct curfew_stream in, out, err;

        const struct curfew_extra_fd *fds;
        size_t n_fds;

        /* The stop plan, ended by a step with signal 0. No step: SIGTERM to the tree, 10 s. */
        struct curfew_step stop[CURFEW_MAX_STEPS];

        /* When the run has ended, and how long after the leader's exit that may take by itself:
         * 0 is CURFEW_LINGER, CURFEW_NO_LINGER none, CURFEW_FOREVER is without bound. */
        enum curfew_until until;
        int64_t linger;

        /* Who is to hold the tree, and what that must promise at least. A start that can't have
         * both fails (CURFEW_STAGE_TREE) before anything is executed. */
        enum curfew_backend backend;
        enum curfew_guarantee guarantee;

        /* Should this process die, or execute another program, while the command runs: leave the
         * command alone, instead of stopping it by what is left of the plan. */
        bool detach;

        /* Process group: 0 makes one of its own, CURFEW_SAME_GROUP stays in the caller's, another
         * number joins that one. A new session has a group of its own: then this must be 0. A plan
         * with a CURFEW_GROUP step needs a group of its own. */
        pid_t pgid;
        bool setsid;

        enum curfew_terminal terminal;
        int tty; /* the terminal's descriptor number in the child */

        /* Signals. Whatever the caller does with them, the child starts with all at their defaults
         * and none blocked (NULL); or with those of `sigignore` ignored and those of `sigmask`
         * blocked. What can't be ignored or blocked is passed over. */
        const sigset_t *sigignore;
        const sigset_t *sigmask;

        /* Identity and limits, in the order in which they are set. NULL and 0 leave unchanged. A
         * different uid drops the supplementary groups unless `groups` says otherwise. */
        const gid_t *groups;
        size_t n_groups;
        const gid_t *gid;
        const uid_t *uid;
        const mode_t *umask;
        const struct curfew_rlimit *rlimits;
        size_t n_rlimits;
        int nice; /* added to the caller's */
        bool no_new_privs;
        int parent_death_signal; /* when the *thread* that starts it ends, see prctl(2); with a
                                    keeper, when that does */

        void *data; /* for curfew_run_data() */

        /* While the start takes long this is called now and then with `data`, on the same thread.
         * What isn't 0 gives the start up, as the cancel of its context would: for who listens to
         * something that is in no context. It must not use the supervisor. */
        int (*give_up)(void *data);

        uint64_t reserved[7];
};

/*
 * Results
 * -------
 * How the command ended and why it was asked to end are separate facts, and none is made up.
 */

/* How far a start got; what curfew_stage_name() gives stands behind. */
enum curfew_stage {
        CURFEW_STAGE_NONE,        /* no failure: it was started */
        CURFEW_STAGE_CONTEXT,     /* "context": done before the start; -ECANCELED, -ETIMEDOUT */
        CURFEW_STAGE_COMMAND,     /* "command": it contradicts itself (-EINVAL); -ENOMEM */
        CURFEW_STAGE_ENVIRONMENT, /* "environment": no memory for it */
        CURFEW_STAGE_LOOKUP,      /* "look up": not in PATH, or refused (-EPERM) */
        CURFEW_STAGE_STDIN,       /* "open stdin" */
        CURFEW_STAGE_STDOUT,      /* "open stdout" */
        CURFEW_STAGE_STDERR,      /* "open stderr" */
        CURFEW_STAGE_SUPERVISE,   /* "supervise": no memory or descriptor to watch it with */
        CURFEW_STAGE_TREE,        /* "tree": nothing holds the tree as demanded. -EOPNOTSUPP: no
                                     such backend gives that guarantee; else why the best of them
                                     doesn't work here, such as -EACCES, -EPERM or -ENOENT */
        CURFEW_STAGE_CLONE,       /* "clone": no process to be had (EAGAIN: process limit). Here and
                                     below, -ECHILD: killed on the way by somebody else;
                                     -ECANCELED, -ETIMEDOUT: given up */
        CURFEW_STAGE_CGROUP,      /* "cgroup": it can't be moved there */
        CURFEW_STAGE_SETSID,      /* "setsid" */
        CURFEW_STAGE_SETPGID,     /* "setpgid" */
        CURFEW_STAGE_SIGNALS,     /* "signals" */
        CURFEW_STAGE_DESCRIPTORS, /* "descriptors": one of fds, or a stream, can't be put there */
        CURFEW_STAGE_TERMINAL,    /* "terminal" */
        CURFEW_STAGE_RLIMIT,      /* "rlimit" */
        CURFEW_STAGE_NICE,        /* "nice" */
        CURFEW_STAGE_GROUPS,      /* "setgroups" */
        CURFEW_STAGE_GID,         /* "setgid" */
        CURFEW_STAGE_UID,         /* "setuid" */
        CURFEW_STAGE_CHDIR,       /* "chdir" */
        CURFEW_STAGE_NO_NEW_PRIVS, /* "no_new_privs" */
        CURFEW_STAGE_PDEATHSIG,    /* "parent death signal"; -ESRCH: the parent is gone already */
        CURFEW_STAGE_EXEC,         /* "exec" */
};

/* A stage's name, in a static string; NULL if there is no such stage. */
const char *curfew_stage_name(enum curfew_stage stage);

/* The same for backends ("cgroup", "keeper", "group", "pid namespace") and guarantees ("group",
 * "tracked", "sealed"). */
const char *curfew_backend_name(enum curfew_backend backend);
const char *curfew_guarantee_name(enum curfew_guarantee guarantee);

enum curfew_status {
        CURFEW_STATUS_UNKNOWN,  /* it ended, and somebody else took its status, or it could not be
                                   ended: see `end` */
        CURFEW_STATUS_EXITED,   /* .code is its exit code */
        CURFEW_STATUS_SIGNALED, /* .code is the signal it died of */
};

/* Why a run was asked to stop. Only what came before the leader's exit counts, or what found a
 * part of the tree still there. */
enum curfew_reason {
        CURFEW_REASON_NONE,
        CURFEW_REASON_CANCELLED, /* its context was cancelled: see `cause` */
        CURFEW_REASON_DEADLINE,  /* its context's deadline passed: see `cause` */
        CURFEW_REASON_CALLER,    /* curfew_run_stop(), or it was freed */
        CURFEW_REASON_LEFTOVERS, /* its leader had exited, and not everything ended with it */
        CURFEW_REASON_OUTSIDE,   /* its keeper was asked: by a curfew around this one, or by anybody
                                    who sent it a signal that asks for an end */
};

/* What made it the end of the run. */
enum curfew_end {
        CURFEW_END_NONE,    /* it never began */
        CURFEW_END_EMPTY,   /* no process of the tree was left, as far as `guarantee` goes */
        CURFEW_END_EXIT,    /* the leader's exit was enough (CURFEW_UNTIL_EXIT); or the end of all
                               whom the plan names, if it names only the leader or the group */
        CURFEW_END_OUTPUT,  /* the outputs were at their end (CURFEW_UNTIL_OUTPUT) */
        CURFEW_END_LINGER,  /* the time after the leader's exit was over; `left` may be running */
        CURFEW_END_GIVEN_UP /* the last SIGKILL did not do it within 10 s; `left` remain: in
                               an uninterruptible sleep, another user's, or too many */
};

/* A process, as it was when it was looked at. */
struct curfew_process {
        pid_t pid;
        pid_t parent;
        int64_t started; /* the time of its start, as the kernel tells it: in steps of 10 ms */
        char state;      /* as in proc_pid_stat(5): R, S, D, T, … */
        char name[16];   /* the beginning of its program's name, see PR_SET_NAME in prctl(2) */
};

#define CURFEW_MAX_NAMED 16

/* A captured output. `cut` bytes are missing, after the first `cut_at` bytes of `data`. That is not
 * for free(3): curfew_result_deinit() frees it, and goes by `size`, so leave both as they are. */
struct curfew_output {
        char *data; /* the result's; NULL if nothing was captured, else with a NUL behind it */
        size_t size;
        uint64_t cut;
        size_t cut_at;
        bool complete; /* read up to its end of file; else somebody still held the other end */
        int error;     /* negative errno of read(2), or what the callback returned; else 0 */
};

/* A step that was taken. */
struct curfew_step_taken {
        int signal;
        enum curfew_whom whom;
        int64_t at;        /* since the start */
        unsigned reached;  /* so many processes got the signal, as far as could be counted */
        int error;         /* 0, or the negative errno that kept it from one of them */
        unsigned left_out; /* so many had it from elsewhere: see curfew_run_note_signal() */
};

struct curfew_result {
        /* Failure to start: where, and the negative errno. Nothing below is set then. */
        enum curfew_stage stage;
        int error;

        /* How the leader ended. */
        enum curfew_status status;
        int code;
        bool core_dumped;

        /* Why it was asked to stop; the text belongs to the result. */
        enum curfew_reason reason;
        struct curfew_cause cause;

        /* What was done about it: the steps of the plan, and up to two that nobody has to write.
         * `ended_by` is the number of steps that had been taken when nobody was left who was to be
         * stopped: the last of them is what ended it. */
        struct curfew_step_taken steps[CURFEW_MAX_STEPS + 2];
        unsigned n_steps;
        unsigned ended_by;

        enum curfew_end end;

        /* What held the tree, and what that promised to the end: less than at the start if the
         * keeper was killed. */
        enum curfew_backend backend;
        enum curfew_guarantee guarantee;

        /* How many processes SIGKILL had to end, in whatever step, and how many are known to be
         * left now, whom it has not ended; the first of either by name. */
        unsigned killed;
        unsigned left;
        struct curfew_process killed_by_name[CURFEW_MAX_NAMED];
        struct curfew_process left_by_name[CURFEW_MAX_NAMED];

        int64_t started;     /* the time of the start */
        int64_t exited;      /* leader's exit, since the start */
        int64_t wall;        /* end of the run, since the start */
        struct rusage usage; /* of the leader and the children it has waited for */
        bool usage_known;

        struct curfew_output out, err;

        uint64_t reserved[8];
};

/* Free what a result owns and zero it. */
void curfew_result_deinit(struct curfew_result *result);

/*
 * Run one command to its end
 * --------------------------
 * Starts it, waits, and fills `*ret`, which the caller deinits. Blocks until the run has ended;
 * once the context is done that is no longer than the stop plan and the 10 s that SIGKILL is given.
 *
 * 0: it ran, however it ended. Else it was not started: the result's `stage` says where that
 * failed and `error` repeats the return value; this is the one `ret` that a failure fills. The
 * rest as for curfew_start(). CURFEW_PIPE can't be used here: -EINVAL.
 */
int curfew_run(struct curfew_ctx *ctx, const struct curfew_cmd *cmd, struct curfew_result *ret);

/*
 * The supervisor
 * --------------
 * Runs any number of commands on one thread behind one descriptor. In a loop of yours:
 *
 *         poll({ curfew_fd(sup), … }) → curfew_dispatch(sup)
 *         while (curfew_next_event(sup, &event) > 0) …
 *
 * A supervisor and its runs belong to one thread at a time; several supervisors are independent of
 * each other. Contexts may be cancelled from anywhere.
 */

struct curfew;
struct curfew_run;

enum curfew_event_type {
        CURFEW_EVENT_STEP, /* a step of the stop plan was taken */
        CURFEW_EVENT_EXIT, /* the leader has exited */
        CURFEW_EVENT_END,  /* the run has ended and its result is there */
};

struct curfew_event {
        enum curfew_event_type type;
        struct curfew_run *run;
        struct curfew_step_taken step; /* CURFEW_EVENT_STEP */
        uint64_t reserved[4];
};

/* -EMFILE, -ENFILE, -ENOMEM. */
int curfew_new(struct curfew **ret);

/* Stops every run that has not ended, by its plan, all at the same time, and blocks until all have;
 * then frees them and the supervisor. */
struct curfew *curfew_free(struct curfew *sup);

/* Polls readable (POLLIN) when curfew_dispatch() has something to do. It belongs to the supervisor
 * and stays the same: don't read or close it. */
int curfew_fd(const struct curfew *sup);

/* Do what is due, without blocking, a bounded amount of it: reading output, taking steps. Events
 * are queued for curfew_next_event(). Negative errno only if the descriptor itself fails. */
int curfew_dispatch(struct curfew *sup);

/* 1: `*ret` is the next event. 0: there is none. The run in it stays valid until it is freed;
 * freeing it drops the events still queued for it. */
int curfew_next_event(struct curfew *sup, struct curfew_event *ret);

/* Wait for `timeout` at most until there is something to dispatch, and dispatch it; don't wait
 * while events are queued. For programs without a loop. 0, or -ETIMEDOUT. */
int curfew_wait(struct curfew *sup, int64_t timeout);

/*
 * Start a command under a context. When this returns 0 the program has been executed and `*ret` is
 * the caller's, to be freed; a failure of any step before that, exec included, is returned here,
 * and nothing of it remains. If `ret_stage` is not NULL, a failure says there which step it was.
 *
 * A context that is done starts nothing. Blocks until the child has executed, which takes as long
 * as the file system takes, or the context is done, or the caller gives it up; that is looked at
 * every 20 ms. Then the child is killed before it is a program, and the step that it had come to is
 * where the start fails. One that SIGKILL doesn't end within a second, in an uninterruptible sleep,
 * is left behind, and reaped at a later start.
 *
 * Meanwhile the host's signal handlers are called, but nothing of the supervisor is dispatched: who
 * can't have a run wait for another's start gives that a deadline. Whoever stops the child before
 * it has executed only delays it: it is continued, and stopped again as a program.
 *
 * The run keeps a reference to the context.
 */
int curfew_start(struct curfew *sup, struct curfew_ctx *ctx, const struct curfew_cmd *cmd,
        enum curfew_stage *ret_stage, struct curfew_run **ret);

/* Let go of a run. One that has not ended is asked to stop first, by its plan; the supervisor sees
 * to that without another event, and what it writes meanwhile is read and dropped. Does not block.
 */
struct curfew_run *curfew_run_free(struct curfew_run *run);

/* The leader's process id, as information: use curfew_run_signal() to signal it. And a pidfd, which
 * belongs to the run; -ESRCH once the run has ended. */
pid_t curfew_run_pid(const struct curfew_run *run);
int curfew_run_pidfd(const struct curfew_run *run);

/* The time of its start, from which the times of its steps and of its result are counted. */
int64_t curfew_run_started(const struct curfew_run *run);

void *curfew_run_data(const struct curfew_run *run);

/*
 * Take the caller's end of a CURFEW_PIPE: `fd` 0 gives the writing end of the child's stdin, 1 and
 * 2 the reading ends of its outputs. It is blocking and close-on-exec, and from now on the
 * caller's to close. One that is never taken is closed when the run is freed.
 *
 * -EBADF: there is no such pipe, or it was taken before.
 */
int curfew_run_take_fd(struct curfew_run *run, int fd);

/*
 * Send a signal, as a step of the stop plan would, but nothing else: it asks for no end, and no
 * SIGCONT follows it. Returns how many processes it has reached; each gets it once, and no other
 * process does. Signal 0 only probes.
 *
 * -ESRCH: there is none (left). -EINVAL: no such signal, no such `whom`, or no group of its own.
 * Else what kept it from all of them, such as -EPERM; what kept it from some is not told.
 */
int curfew_run_signal(struct curfew_run *run, enum curfew_whom whom, int signal);

/*
 * Say that all of the run that is in the caller's process group has just got a signal from
 * elsewhere: a key at a terminal sends SIGINT to its whole foreground group, to the caller and to
 * its commands with CURFEW_SAME_GROUP. They may be cleaning up now, which the same signal from the
 * stop plan would cut short. So the next step with this signal, whoever takes it, leaves them out,
 * and what has been forked since, for as long as the step's grace; or CURFEW_GRACE, where that is
 * longer or the grace has no end. It reaches all others, and its own grace is what it always is.
 *
 * It asks for no end: a command that lives on after the signal does so. For a command that leads a
 * group of its own, or has left the caller's, it means nothing.
 *
 * -ESRCH: the run has ended. -EINVAL: no such signal, or SIGKILL.
 */
int curfew_run_note_signal(struct curfew_run *run, int signal);

/*
 * Somebody else in the group, who gets the signal as well, may kill the caller for it, before it
 * has come to that call. A fork of the caller can be there to make it instead: one that stays in
 * the group with the signal blocked, executes no other program and calls nothing else of curfew's.
 * If its pid is told here, whoever stops the run after the caller's death waits for this one's end
 * first, for half a second at most; but for the init of a PID namespace, which doesn't see it. 0:
 * there is none any more.
 *
 * -ESRCH: the run has ended.
 */
int curfew_run_note_listener(struct curfew_run *run, pid_t listener);

/*
 * Who is in the tree now: the processes that live, up to `n` of them written to `ret`, in no order.
 * Returns how many there are, which may be more. As far as the backend knows them; by the time this
 * returns some may have ended, and others have come. Reads /proc: its cost is that of the tree.
 *
 * -ESRCH: the run has ended. -ENOENT: there is no /proc, or it is another PID namespace's. -EMFILE,
 * -ENFILE, -ENOMEM: not all could be looked at. Those that /proc hides from the caller (hidepid in
 * proc(5)) are not counted.
 */
int curfew_run_processes(struct curfew_run *run, struct curfew_process ret[], size_t n);

/* Ask the run to stop, by its plan. Only the first request counts, whoever makes it; after the end
 * it does nothing. */
void curfew_run_stop(struct curfew_run *run);

/* While stopping: cut the present grace short and take the next step now. Else nothing. */
void curfew_run_skip(struct curfew_run *run);

/* Dispatch the supervisor until this run has ended, for `timeout` at most. 0, or -ETIMEDOUT. */
int curfew_run_wait(struct curfew_run *run, int64_t timeout);

/* The result, once the run has ended; NULL before. It belongs to the run. */
const struct curfew_result *curfew_run_result(const struct curfew_run *run);

#ifdef __cplusplus
}
#endif

#endif
