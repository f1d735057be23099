// SPDX-License-Identifier: MIT
#include "cli/timeout/start.h"
#include "cli/inherit.h"
#include "cli/script.h"
#include "cli/self.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The search is glibc's execvp(3), which is what scripts have always had here: an entry of PATH may
 * be relative, an empty one is the current directory, what can't be executed is passed over for
 * what comes later in PATH, and remembered should nothing come; and what the kernel doesn't know
 * how to run is a script. So that nothing is cloned in vain it is looked first whether a file is
 * there.
 *
 * The limit is counted from before all this, and a signal that is received ends it: a command that
 * can't be executed, because its file system doesn't answer, is ended as one that can.
 */

#define DEFAULT_PATH "/bin:/usr/bin"

struct start {
        struct curfew *sup;
        const struct curfew_cmd *cmd;
        enum curfew_stage *stage;
        struct curfew_run **ret;
};

/* One in the current directory isn't looked up again. */
static int start_file(const struct start *start, const char *path) {
        struct curfew_cmd cmd = *start->cmd;
        const char **shell;
        char here[PATH_MAX + 2];
        int r;

        snprintf(here, sizeof(here), "./%s", path);
        cmd.path = strchr(path, '/') ? path : here;
        r = curfew_start(start->sup, NULL, &cmd, start->stage, start->ret);
        if (r != -ENOEXEC || *start->stage != CURFEW_STAGE_EXEC)
                return r;

        shell = script_argv(path, cmd.argv);
        if (!shell)
                return -ENOMEM;
        cmd.path = SCRIPT_SHELL;
        cmd.argv = shell;
        r = curfew_start(start->sup, NULL, &cmd, start->stage, start->ret);
        free(shell);
        return r;
}

/* Write the list's first directory, and the name in it, to `path`. Returns the rest, or NULL. */
static const char *take_entry(const char *list, const char *name, char path[PATH_MAX]) {
        int n = (int)strcspn(list, ":");

        if (snprintf(path, PATH_MAX, "%.*s%s%s", n, list, n > 0 ? "/" : "", name) >= PATH_MAX)
                path[0] = 0; /* nothing is there */
        return list[n] ? list + n + 1 : NULL;
}

/* Whether the search goes on after this failure. */
static bool is_passed_over(int r) {
        return r == -ENOENT || r == -EACCES || r == -ENOTDIR || r == -ESTALE || r == -ENODEV ||
               r == -ETIMEDOUT;
}

static int search(const struct start *start) {
        const char *name = start->cmd->argv[0], *list = getenv("PATH") ?: DEFAULT_PATH;
        bool denied = false;
        int r = -ENOENT;

        *start->stage = CURFEW_STAGE_LOOKUP;
        if (!*name)
                return r;
        if (strchr(name, '/'))
                return start_file(start, name);
        if (strlen(name) > NAME_MAX)
                return -ENAMETOOLONG;

        while (list) {
                char path[PATH_MAX];

                *start->stage = CURFEW_STAGE_LOOKUP;
                list = take_entry(list, name, path);
                r = access(path, F_OK) < 0 ? -errno : start_file(start, path);
                if (r >= 0 || !is_passed_over(r))
                        return r;
                denied = denied || r == -EACCES;
        }
        return denied ? -EACCES : r;
}

static int is_over(void *data) {
        const struct timeout_limit *limit = data;
        struct pollfd fd = { .fd = limit->signals.fd, .events = POLLIN };

        return curfew_now() >= limit->deadline || poll(&fd, 1, 0) > 0;
}

int timeout_start(const struct timeout_opts *opts, struct timeout_limit *limit,
        enum curfew_stage *ret_stage, struct curfew **ret_sup, struct curfew_run **ret) {
        struct inherited inherited;
        struct curfew_cmd cmd = {
                .argv = opts->argv,
                .in = { CURFEW_INHERIT },
                .out = { CURFEW_INHERIT },
                .err = { CURFEW_INHERIT },
                .until = CURFEW_UNTIL_EXIT,
                .backend = CURFEW_BACKEND_GROUP,
                .detach = true,
                .pgid = CURFEW_SAME_GROUP,
                .sigignore = &limit->signals.ignored,
                .sigmask = &limit->signals.mask,
                .parent_death_signal = opts->signal,
                .data = limit,
                .give_up = is_over,
        };
        struct start start = { .cmd = &cmd, .stage = ret_stage, .ret = ret };
        struct self self;
        int r;

        *ret_stage = CURFEW_STAGE_DESCRIPTORS;
        self_read(&self);
        r = inherit_find(self.n_fds, &inherited);
        if (r < 0)
                return r;
        cmd.fds = inherited.fds;
        cmd.n_fds = inherited.n;
        *ret_stage = CURFEW_STAGE_SUPERVISE;
        r = curfew_new(&start.sup);
        if (r == 0) {
                *ret_sup = start.sup;
                r = search(&start);
        }
        inherit_deinit(&inherited);
        return r;
}
