// SPDX-License-Identifier: MIT
#include "sys/keeper.h"
#include "base/clock.h"
#include "sys/memfd.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/*
 * A keeper executes a program of a few pages that the library carries with it, from a sealed memfd.
 * Nothing has to be found in a file system for it. How it is started is in keeper-start.c.
 *
 * What it says comes through a socket, and its end through its pidfd. One is not taken for the
 * other: its last words are that nothing is left of the tree, and without these it was killed.
 */

static int make_image(void) {
        _cleanup_(close_fdp) int fd = -1;
        int r = fd = memfd_make_executable(KEEPER_NAME);

        if (r >= 0)
                r = memfd_fill(fd, keeper_image, keeper_image_size);
        return r < 0 ? r : steal_fd(&fd);
}

/* It must be the same, to the last byte. */
static int open_installed(void) {
        _cleanup_(close_fdp) int fd = -1;
        char buf[4096];
        size_t at = 0;
        ssize_t n;

        fd = raise_fd(open(CURFEW_LIBEXECDIR "/curfew/" KEEPER_NAME, O_RDONLY | O_CLOEXEC));
        if (fd < 0)
                return -errno;
        while ((n = read(fd, buf, sizeof(buf))) > 0) {
                if ((size_t)n > keeper_image_size - at ||
                        memcmp(buf, keeper_image + at, (size_t)n) != 0)
                        return -ESTALE;
                at += (size_t)n;
        }
        return n < 0 ? -errno : at < keeper_image_size ? -ESTALE : steal_fd(&fd);
}

/* Where files in memory must not be executed (vm.memfd_noexec, a limit) there may be one that was
 * installed. */
static int open_image(void) {
        int r = make_image(), installed = r < 0 ? open_installed() : -1;

        return installed < 0 ? r : installed;
}

int keeper_kit_open_host(struct keeper_kit *kit) {
        if (kit->host < 0)
                kit->host = raise_fd((int)syscall(SYS_pidfd_open, getpid(), 0));
        return kit->host < 0 ? -errno : 0;
}

int keeper_kit_prepare(struct keeper_kit *kit) {
        int r;

        if (keeper_image_size == 0) /* there is none for this machine */
                return -ENOSYS;

        if (kit->image < 0)
                kit->image = open_image();
        if (kit->image < 0)
                return kit->image;
        r = keeper_kit_open_host(kit);
        return r < 0 ? r : birth_stack_init(&kit->stack);
}

void keeper_kit_deinit(struct keeper_kit *kit) {
        close_fd(kit->image);
        close_fd(kit->host);
        close_fd(kit->groups);
        birth_stack_deinit(&kit->stack);
        *kit = (struct keeper_kit)KEEPER_KIT_NULL;
}

static void on_io(struct loop_io *io, uint32_t events);

void keeper_init(struct keeper *keeper, struct loop *loop, void (*changed)(struct keeper *keeper)) {
        *keeper = (struct keeper){
                .loop = loop,
                .process = CHILD_NULL,
                .socket = -1,
                .io = { .fn = on_io, .fd = -1 },
                .changed = changed,
        };
}

/* It has closed its end, or is about to: it ends, or has. The other end may have been inherited by
 * who knows whom, so that is all that is heard from there. */
static void hang_up(struct keeper *keeper) {
        loop_remove(keeper->loop, &keeper->io);
        keeper->socket = close_fd(keeper->socket);
}

static void note(struct keeper *keeper, const struct keeper_report *report) {
        keeper->asked = keeper->asked || report->asked;
        if (report->leader_known)
                keeper->leader = report->leader;
        keeper->leader_known = report->leader_known;
        keeper->clean = report->empty;
        if (report->empty)
                hang_up(keeper);
}

static void read_reports(struct keeper *keeper) {
        struct keeper_report report;
        ssize_t n = -1;

        while (keeper->socket >= 0) {
                n = recv(keeper->socket, &report, sizeof(report), 0);
                if (n < 0 && errno != EINTR)
                        break;
                if (n == 0)
                        hang_up(keeper);
                if (n != (ssize_t)sizeof(report))
                        continue;
                note(keeper, &report);
        }
}

/* Its end is to be told of by on_io(), whoever has read that it comes. */
static void watch_end(struct keeper *keeper) {
        if (keeper->socket < 0 && !keeper->gone && keeper->io.fd < 0 &&
                loop_add(keeper->loop, &keeper->io, keeper->process.pidfd, EPOLLIN) < 0)
                keeper_deinit(keeper);
}

void keeper_look(struct keeper *keeper) {
        read_reports(keeper);
        watch_end(keeper);
}

/* Its last words are read before it is reaped. */
static void look_for_end(struct keeper *keeper) {
        struct child_exit how;

        read_reports(keeper);
        if (keeper->socket < 0 && !keeper->gone && child_take(&keeper->process, &how) > 0)
                keeper_deinit(keeper);
}

/* Between its last words and its end are microseconds. To be told of it is cheaper than to wait for
 * it: that needs a limit, and to set a timer before the next tick takes as long as twenty system
 * calls, in a virtual machine. */
static void on_io(struct loop_io *io, uint32_t events _unused_) {
        struct keeper *keeper = container_of(io, struct keeper, io);

        read_reports(keeper);
        look_for_end(keeper);
        watch_end(keeper);
        keeper->changed(keeper);
}

void keeper_await(struct keeper *keeper, int64_t deadline) {
        struct pollfd fd = { .fd = keeper->process.pidfd, .events = POLLIN };
        int64_t left;

        while (!keeper->gone && (left = deadline - clock_now()) > 0) {
                struct timespec timeout = clock_timespec(left);

                if (ppoll(&fd, 1, &timeout, NULL) == 1)
                        look_for_end(keeper);
        }
        watch_end(keeper);
}

union credentials {
        char buf[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
};

/* The kernel vouches for the sender, which no fork of this process can be. */
static ssize_t send_order(int socket, char order) {
        const struct ucred self = { .pid = getpid(), .uid = geteuid(), .gid = getegid() };
        union credentials credentials = { 0 };
        struct iovec byte = { .iov_base = &order, .iov_len = 1 };
        struct msghdr header = { .msg_iov = &byte,
                .msg_iovlen = 1,
                .msg_control = credentials.buf,
                .msg_controllen = sizeof(credentials.buf) };
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_CREDENTIALS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(self));
        memcpy(CMSG_DATA(cmsg), &self, sizeof(self));
        return sendmsg(socket, &header, MSG_NOSIGNAL);
}

/* Not asked whether it is: it may be about to be. */
void keeper_wake(struct keeper *keeper) {
        child_signal(&keeper->process, SIGCONT);
}

int keeper_kill(struct keeper *keeper) {
        keeper_wake(keeper);
        if (keeper->socket < 0 || send_order(keeper->socket, KEEPER_KILL) == 1)
                return 0;
        return errno == EPIPE || errno == ECONNRESET ? 0 : -errno;
}

/* It is killed before the socket is closed, lest it begin to do what it does when we are gone. That
 * is also how it ends where we may not kill it any more, having become another user. */
void keeper_deinit(struct keeper *keeper) {
        if (!keeper->process.reaped)
                child_signal(&keeper->process, SIGKILL);
        if (keeper->io.fd >= 0)
                loop_remove(keeper->loop, &keeper->io);
        keeper->socket = close_fd(keeper->socket);
        child_deinit(&keeper->process);
        keeper->gone = true;
}
