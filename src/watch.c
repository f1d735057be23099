// SPDX-License-Identifier: MIT
#include "watch.h"
#include "core/ctx.h"

#include <fcntl.h>
#include <sys/epoll.h>

/* From whatever thread ends it. */
static void on_done(void *arg) {
        struct watch *watch = arg;

        supervisor_post(watch->sup, watch->notice);
}

static void unwatch(struct watch *watch) {
        int fd = watch->io.fd;

        loop_remove(&watch->sup->loop, &watch->io);
        close_fd(fd);
}

/* Its descriptor is readable: a look may end it. Somebody else's may have ended it already. */
static void on_io(struct loop_io *io, uint32_t events _unused_) {
        struct watch *watch = container_of(io, struct watch, io);

        if (curfew_ctx_err(watch->ctx) == 0)
                return;
        unwatch(watch);
        supervisor_queue(watch->sup, watch->notice);
}

/* A signal to the host ends a context only if somebody looks: then its descriptor is watched, too.
 * Several runs may have the same context, and an epoll takes a descriptor once, hence a duplicate.
 */
static int watch_fd(struct watch *watch) {
        _cleanup_(close_fdp) int fd = -1;
        int r;

        r = curfew_ctx_fd(watch->ctx);
        if (r < 0)
                return r;
        fd = fcntl(r, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        r = loop_add(&watch->sup->loop, &watch->io, fd, EPOLLIN);
        if (r < 0)
                return r;

        steal_fd(&fd);
        return 0;
}

int watch_init(
        struct watch *watch, struct curfew *sup, struct curfew_ctx *ctx, struct notice *notice) {
        int r;

        *watch = (struct watch){
                .sup = sup,
                .io = { .fn = on_io, .fd = -1 },
                .notice = notice,
        };
        if (!ctx)
                return 0;

        r = supervisor_listen(sup);
        if (r < 0)
                return r;

        watch->ctx = curfew_ctx_ref(ctx);
        if (ctx_has_sources(ctx))
                r = watch_fd(watch);
        if (r < 0)
                return r;
        return curfew_ctx_after(ctx, on_done, watch, &watch->after);
}

void watch_stop(struct watch *watch) {
        unwatch(watch);
        watch->after = curfew_after_free(watch->after);
        supervisor_unqueue(watch->sup, watch->notice);
}

void watch_deinit(struct watch *watch) {
        watch_stop(watch);
        watch->ctx = curfew_ctx_unref(watch->ctx);
}
