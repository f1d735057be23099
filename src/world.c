// SPDX-License-Identifier: MIT
#include "core/source.h"
#include "curfew.h"
#include "sys/call.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>

/*
 * Contexts that end by something in the world: nothing watches for it, as nothing watches a
 * deadline. Each source has a descriptor that is readable once it has happened, and stays so:
 * whoever asks for the state looks at it, whoever polls the context's descriptor polls it, too
 * (bell.c), and the first to see it ends the context. No look takes anything away from another.
 *
 * A descriptor of the caller's is in an epoll of ours, which holds neither the number nor the open
 * file: who closes it has taken it back, also where the other end is to hear of that.
 *
 * Signals are seen while they are pending, and stay so until curfew_signals_close() discards them.
 */

/* Whether a look is worth it. */
static bool is_readable(const struct source *source) {
        struct pollfd fd = { .fd = source->fd, .events = POLLIN };
        int saved = errno;
        int r = poll(&fd, 1, 0);

        errno = saved;
        return r > 0;
}

/* Have a context with a source that has its functions and its descriptor, or why it hasn't. */
static int new_context(struct curfew_ctx *parent, struct source *source, struct curfew_ctx **ret) {
        struct curfew_ctx *ctx;
        int r = source->fd < 0 ? source->fd : source_new(parent, source, &ctx);

        if (r < 0) {
                source->free(source);
                return r;
        }
        curfew_ctx_err(ctx); /* born done, as with a deadline that has passed */
        *ret = ctx;
        return 0;
}

/* Descriptors */

struct fd_source {
        struct source source;
        int number;
};

static void fd_source_free(struct source *source) {
        close_fd(source->fd);
        free(container_of(source, struct fd_source, source));
}

static int fd_source_look(struct source *s, char ret_text[SOURCE_TEXT]) {
        const struct fd_source *source = container_of(s, const struct fd_source, source);
        struct epoll_event event = { 0 };
        int saved = errno;
        int n = epoll_wait(s->fd, &event, 1, 0);

        errno = saved;
        if (n <= 0)
                return 0;
        snprintf(ret_text, SOURCE_TEXT, "descriptor %d %s", source->number,
                event.events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR) ? "hung up" : "is ready");
        return (int)event.events;
}

/* The bits of poll(2) are those of epoll_ctl(2). */
static int watch(int fd, short events) {
        _cleanup_(close_fdp) int epoll = -1;
        struct epoll_event event = { .events = (uint16_t)events };

        epoll = raise_fd(epoll_create1(EPOLL_CLOEXEC));
        if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                return -errno;
        return steal_fd(&epoll);
}

_public_ int curfew_ctx_with_fd(
        struct curfew_ctx *parent, int fd, short events, struct curfew_ctx **ret) {
        struct fd_source *source;

        if (!ret || (events & ~(POLLIN | POLLPRI | POLLOUT | POLLRDHUP)))
                return -EINVAL;

        source = malloc(sizeof(*source));
        if (!source)
                return -ENOMEM;
        *source = (struct fd_source){
                .source = { .look = fd_source_look, .free = fd_source_free },
                .number = fd,
        };
        source->source.fd = watch(fd, events);
        return new_context(parent, &source->source, ret);
}

/* Processes */

struct pid_source {
        struct source source;
        pid_t pid;
        bool is_over; /* it is known without its descriptor, which may be another's */
};

static void pid_source_free(struct source *source) {
        close_fd(source->fd);
        free(container_of(source, struct pid_source, source));
}

static int pid_source_look(struct source *s, char ret_text[SOURCE_TEXT]) {
        const struct pid_source *source = container_of(s, const struct pid_source, source);

        if (!source->is_over && !is_readable(s))
                return 0;
        snprintf(ret_text, SOURCE_TEXT, "process %d ended", (int)source->pid);
        return (int)source->pid;
}

static struct pid_source *pid_source_new(pid_t pid) {
        struct pid_source *source = malloc(sizeof(*source));

        if (source)
                *source = (struct pid_source){
                        .source = { .fd = -1, .look = pid_source_look, .free = pid_source_free },
                        .pid = pid,
                };
        return source;
}

static int open_process(pid_t pid) {
        int fd = (int)sys_call(SYS_pidfd_open, pid, 0);

        if (fd < 0)
                return fd;
        fd = raise_fd(fd);
        return fd < 0 ? -errno : fd;
}

_public_ int curfew_ctx_with_pid(struct curfew_ctx *parent, pid_t pid, struct curfew_ctx **ret) {
        struct pid_source *source;

        if (!ret || pid <= 0)
                return -EINVAL;

        source = pid_source_new(pid);
        if (!source)
                return -ENOMEM;
        source->source.fd = open_process(pid);
        return new_context(parent, &source->source, ret);
}

/* Who is the parent after the descriptor was opened was so before, and it is that one's. If it
 * isn't, any descriptor will do. */
_public_ int curfew_ctx_with_ppid(struct curfew_ctx *parent, pid_t ppid, struct curfew_ctx **ret) {
        struct pid_source *source;

        if (!ret || ppid <= 0)
                return -EINVAL;

        source = pid_source_new(ppid);
        if (!source)
                return -ENOMEM;
        source->source.fd = open_process(ppid);
        if (getppid() != ppid) {
                source->is_over = true;
                if (source->source.fd < 0)
                        source->source.fd = open_process(getpid());
        }
        return new_context(parent, &source->source, ret);
}

/* Signals */

struct signal_source {
        struct source source;
        sigset_t signals;
};

struct curfew_signals {
        struct curfew_ctx *ctx;
        pthread_t thread;
        sigset_t blocked; /* by us, to be unblocked again */
};

static void signal_source_free(struct source *source) {
        close_fd(source->fd);
        free(container_of(source, struct signal_source, source));
}

static int signal_source_look(struct source *s, char ret_text[SOURCE_TEXT]) {
        const struct signal_source *source = container_of(s, const struct signal_source, source);
        sigset_t pending;

        sigpending(&pending);
        for (int signal = 1; signal <= SIGRTMAX; ++signal) {
                if (sigismember(&pending, signal) <= 0 ||
                        sigismember(&source->signals, signal) <= 0)
                        continue;
                snprintf(ret_text, SOURCE_TEXT, "SIG%s", curfew_signal_name(signal));
                return signal;
        }
        return 0;
}

/* Those of `signals` that are not blocked yet. */
static sigset_t not_blocked(const sigset_t *signals, const sigset_t *mask) {
        sigset_t set;

        sigemptyset(&set);
        for (int signal = 1; signal <= SIGRTMAX; ++signal)
                if (sigismember(signals, signal) > 0 && sigismember(mask, signal) == 0)
                        sigaddset(&set, signal);
        return set;
}

static int signals_open(
        struct curfew_signals *signals, struct curfew_ctx *parent, const sigset_t *set) {
        struct signal_source *source = malloc(sizeof(*source));
        sigset_t mask;
        int r;

        if (!source)
                return -ENOMEM;
        *source = (struct signal_source){
                .source = { .look = signal_source_look, .free = signal_source_free },
                .signals = *set,
        };
        source->source.fd = raise_fd(signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK));
        if (source->source.fd < 0)
                source->source.fd = -errno;

        pthread_sigmask(SIG_BLOCK, set, &mask);
        signals->blocked = not_blocked(set, &mask);
        signals->thread = pthread_self();
        r = new_context(parent, &source->source, &signals->ctx);
        if (r < 0)
                pthread_sigmask(SIG_SETMASK, &mask, NULL);
        return r;
}

_public_ int curfew_signals_open(
        struct curfew_ctx *parent, const sigset_t *set, struct curfew_signals **ret) {
        _cleanup_(freep) struct curfew_signals *signals = NULL;
        int r;

        signals = malloc(sizeof(*signals));
        if (!signals)
                return -ENOMEM;
        r = signals_open(signals, parent, set);
        if (r < 0)
                return r;

        *ret = steal_ptr(signals);
        return 0;
}

_public_ struct curfew_ctx *curfew_signals_ctx(const struct curfew_signals *signals) {
        return signals->ctx;
}

/* What was blocked before stays so, and what is pending of it. */
static void give_back(const sigset_t *blocked) {
        static const struct timespec at_once = { 0 };

        while (sigtimedwait(blocked, NULL, &at_once) > 0)
                ;
        pthread_sigmask(SIG_UNBLOCK, blocked, NULL);
}

_public_ struct curfew_signals *curfew_signals_close(struct curfew_signals *signals) {
        if (!signals)
                return NULL;

        curfew_ctx_cancel(signals->ctx);
        if (pthread_equal(signals->thread, pthread_self()))
                give_back(&signals->blocked);
        curfew_ctx_unref(signals->ctx);
        free(signals);
        return NULL;
}
