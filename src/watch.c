// SPDX-License-Identifier: MIT
#include "watch.h"
#include "base/clock.h"

#include <fcntl.h>
#include <sys/epoll.h>

/* From whatever thread ends it. */
static void on_done(struct ctx_hook *hook, struct ctx_ending *ending _unused_) {
        struct watch *watch = container_of(hook, struct watch, hook);

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

        if (watch_look(watch) == 0)
                return;
        unwatch(watch);
        supervisor_queue(watch->sup, watch->notice);
}

int watch_look(struct watch *watch) {
        struct curfew_ctx *ctx = watch->ctx;
        int err = ctx ? ctx_get_err(ctx) : 0;

        if (!ctx || err != 0 || !ctx_needs_look(ctx))
                return err;
        err = ctx_look_quietly(ctx, clock_towards(ctx->terms->deadline), &watch->calls.queue);
        supervisor_call_last(watch->sup, &watch->calls);
        return err;
}

/* What the world does ends a context only if somebody looks: then its descriptor is watched, too.
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
                .hook = { .fn = on_done },
                .io = { .fn = on_io, .fd = -1 },
                .notice = notice,
        };
        list_init(&watch->hook.link);
        list_init(&watch->calls.link);
        if (!ctx)
                return 0;

        r = supervisor_listen(sup);
        if (r < 0)
                return r;

        r = ctx_prepare_sequel(ctx);
        if (r < 0)
                return r;

        watch->ctx = curfew_ctx_ref(ctx);
        after_queue_init(&watch->calls.queue, ctx_get_root(ctx));
        if (ctx_has_sources(ctx))
                r = watch_fd(watch);
        if (r < 0)
                return r;
        ctx_add_hook(ctx, &watch->hook);
        return 0;
}

void watch_stop(struct watch *watch) {
        unwatch(watch);
        if (watch->ctx)
                ctx_remove_hook(watch->ctx, &watch->hook);
        supervisor_unqueue(watch->sup, watch->notice);
}

void watch_deinit(struct watch *watch) {
        watch_stop(watch);
        list_unlink(&watch->calls.link);
        after_queue_run(&watch->calls.queue);
        watch->ctx = curfew_ctx_unref(watch->ctx);
}
