// SPDX-License-Identifier: MIT
#pragma once

/* Short forms for tests of the public calls. */

#include "curfew.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#define SH(script) ((const char *[]){ "sh", "-c", script, NULL })

/* Run to the end under `ctx`; it must start. */
static inline struct curfew_result run_ctx(struct curfew_ctx *ctx, const struct curfew_cmd *cmd) {
        struct curfew_result res;
        int r = curfew_run(ctx, cmd, &res);

        if (r < 0)
                test_fail(__FILE__, __LINE__, "%s: %s: %s", cmd->argv[0],
                        curfew_stage_name(res.stage), strerror(-r));
        return res;
}

static inline struct curfew_result run(const struct curfew_cmd *cmd) {
        return run_ctx(NULL, cmd);
}

static inline struct curfew_ctx *timeout_ctx(int64_t timeout) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(curfew_ctx_with_timeout(NULL, timeout, &ctx), 0);
        return ctx;
}

static inline struct curfew_ctx *cancel_ctx(void) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(curfew_ctx_with_cancel(NULL, &ctx), 0);
        return ctx;
}

#define assert_exited(res, expected)                                                               \
        do {                                                                                       \
                assert_eq((res).status, CURFEW_STATUS_EXITED);                                     \
                assert_eq((res).code, expected);                                                   \
        } while (0)

#define assert_signaled(res, expected)                                                             \
        do {                                                                                       \
                assert_eq((res).status, CURFEW_STATUS_SIGNALED);                                   \
                assert_eq((res).code, expected);                                                   \
        } while (0)

/* How many descriptors this process has. */
static inline unsigned count_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_true(dir);
        while (readdir(dir))
                ++n;
        closedir(dir);
        return n - 3; /* ".", "..", and the directory itself */
}

static inline void assert_no_children(void) {
        assert_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
        assert_eq(errno, ECHILD);
}

/* Read one line, without the newline, from a blocking descriptor. */
static inline void read_line(int fd, char *buf, size_t size) {
        size_t n = 0;

        while (n + 1 < size && read(fd, buf + n, 1) == 1 && buf[n] != '\n')
                ++n;
        buf[n] = 0;
}
