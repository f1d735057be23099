// SPDX-License-Identifier: MIT
#include "command.h"
#include "base/clock.h"
#include "core/deadline.h"
#include "core/environment.h"
#include "core/path.h"
#include "sys/lookup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/*
 * Preparing happens in the caller, before there is a child, in the order of the stages: everything
 * that can fail is tried where failing costs nothing, and the child is left with system calls.
 */

static bool is_reserved_zero(const uint64_t *reserved, size_t n) {
        for (size_t i = 0; i < n; ++i)
                if (reserved[i] != 0)
                        return false;
        return true;
}

static bool plan_is_valid(const struct curfew_cmd *cmd) {
        for (size_t i = 0; i < CURFEW_MAX_STEPS && cmd->stop[i].signal != 0; ++i) {
                const struct curfew_step *step = &cmd->stop[i];

                if (step->signal < 0 || step->signal > SIGRTMAX || step->whom > CURFEW_LEADER)
                        return false;
                if (step->whom == CURFEW_GROUP && !command_has_own_group(cmd))
                        return false;
        }
        return true;
}

static bool stream_is_valid(const struct curfew_stream *stream, int number) {
        switch (stream->kind) {
        case CURFEW_NULL:
        case CURFEW_INHERIT:
        case CURFEW_PIPE: return true;
        case CURFEW_FD: return stream->fd >= 0;
        case CURFEW_READ:
        case CURFEW_TRUNCATE:
        case CURFEW_APPEND: return stream->path;
        case CURFEW_FEED: return number == 0 && (stream->data || stream->size == 0);
        case CURFEW_CAPTURE: return number != 0 && stream->keep <= CURFEW_KEEP_BOTH;
        case CURFEW_CALLBACK: return number != 0 && stream->fn;
        case CURFEW_TO_STDOUT: return number == 2;
        }
        return false;
}

static bool fds_are_valid(const struct curfew_cmd *cmd) {
        for (size_t i = 0; i < cmd->n_fds; ++i) {
                if (cmd->fds[i].target < 3 || cmd->fds[i].source < 0)
                        return false;
                for (size_t j = 0; j < i; ++j)
                        if (cmd->fds[j].target == cmd->fds[i].target)
                                return false;
        }
        return true;
}

static bool terminal_is_valid(const struct curfew_cmd *cmd) {
        switch (cmd->terminal) {
        case CURFEW_TERMINAL_KEEP: return true;
        case CURFEW_TERMINAL_CONTROL: return cmd->setsid && cmd->tty >= 0;
        case CURFEW_TERMINAL_FOREGROUND: return command_has_own_group(cmd) && cmd->tty >= 0;
        }
        return false;
}

/* A namespace ends with the run, and with the host's keeper, whatever is in it. */
static bool backend_is_valid(const struct curfew_cmd *cmd) {
        if (cmd->backend == CURFEW_BACKEND_PID_NAMESPACE)
                return cmd->until == CURFEW_UNTIL_EMPTY && !cmd->detach;
        return cmd->backend < CURFEW_BACKEND_PID_NAMESPACE;
}

/* The command as plain data contradicts nothing. */
static bool cmd_is_valid(const struct curfew_cmd *cmd) {
        return cmd && cmd->argv && cmd->argv[0] && stream_is_valid(&cmd->in, 0) &&
               stream_is_valid(&cmd->out, 1) && stream_is_valid(&cmd->err, 2) &&
               (cmd->n_fds == 0 || cmd->fds) && fds_are_valid(cmd) && plan_is_valid(cmd) &&
               terminal_is_valid(cmd) && cmd->until <= CURFEW_UNTIL_OUTPUT &&
               backend_is_valid(cmd) && cmd->guarantee <= CURFEW_GUARANTEE_SEALED &&
               cmd->pgid >= CURFEW_SAME_GROUP && (!cmd->setsid || cmd->pgid == 0) &&
               (cmd->n_groups == 0 || cmd->groups) && (cmd->n_rlimits == 0 || cmd->rlimits) &&
               is_reserved_zero(cmd->reserved, ARRAY_SIZE(cmd->reserved));
}

/* PWD for a directory that the environment says nothing of; where the caller's own directory has no
 * name, neither has the child's. */
static int make_pwd(const char *dir, char **ret) {
        _cleanup_(freep) char *cwd = NULL;
        char *pwd;

        if (dir[0] != '/') {
                cwd = getcwd(NULL, 0);
                if (!cwd)
                        return errno == ENOMEM ? -ENOMEM : 0;
        }
        if (asprintf(&pwd, "%s/%s", cwd ?: "", dir) < 0)
                return -ENOMEM;

        path_clean(pwd);
        *ret = pwd;
        return 0;
}

static int make_environment(struct command *command, int64_t deadline) {
        const struct curfew_cmd *cmd = command->cmd;
        _cleanup_(freep) char *pwd = NULL;
        int r;

        if (!cmd->env && cmd->dir) {
                r = make_pwd(cmd->dir, &pwd);
                if (r < 0)
                        return r;
        }

        return environment_build(cmd->env ?: (const char *const *)environ, cmd->env_edit, pwd,
                deadline_for_child(deadline, clock_now(), cmd->stop, cmd->until), &command->env);
}

static int look_up(struct command *command) {
        const struct curfew_cmd *cmd = command->cmd;

        return lookup_program(cmd->path ?: cmd->argv[0], getenv("PATH"), &command->path);
}

static int open_null(int *null) {
        if (*null < 0)
                *null = raise_fd(open("/dev/null", O_RDWR | O_CLOEXEC));
        return *null < 0 ? -errno : *null;
}

static int open_path(struct command *command, int number, const char *path, int flags) {
        int fd;

        do {
                fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
        } while (fd < 0 && errno == EINTR);
        if (fd < 0)
                return -errno;

        fd = raise_fd(fd);
        command->child_ends[number] = fd;
        return fd < 0 ? -errno : fd;
}

static int open_pipe(struct command *command, int number) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;

        command->child_ends[number] = raise_fd(ends[number == 0 ? 0 : 1]);
        command->own_ends[number] = raise_fd(ends[number == 0 ? 1 : 0]);
        if (command->child_ends[number] < 0 || command->own_ends[number] < 0)
                return -EMFILE;
        return command->child_ends[number];
}

/* The descriptor, here, of what the child will have at `number`. */
static int open_stream(
        struct command *command, int number, const struct curfew_stream *stream, int *null) {
        switch (stream->kind) {
        case CURFEW_INHERIT:
                /* A number that is free here would be given to the first file the child opens. */
                return fcntl(number, F_GETFD) < 0 ? open_null(null) : number;
        case CURFEW_FD: return stream->fd;
        case CURFEW_READ: return open_path(command, number, stream->path, O_RDONLY);
        case CURFEW_TRUNCATE:
                return open_path(command, number, stream->path, O_WRONLY | O_CREAT | O_TRUNC);
        case CURFEW_APPEND:
                return open_path(command, number, stream->path, O_WRONLY | O_CREAT | O_APPEND);
        case CURFEW_FEED:
        case CURFEW_CAPTURE:
        case CURFEW_CALLBACK:
        case CURFEW_PIPE: return open_pipe(command, number);
        case CURFEW_TO_STDOUT: return command->fds[1].source;
        case CURFEW_NULL: break;
        }
        return open_null(null);
}

static int open_streams(struct command *command, int *null, enum curfew_stage *stage) {
        const struct curfew_cmd *cmd = command->cmd;
        const struct curfew_stream *streams[] = { &cmd->in, &cmd->out, &cmd->err };

        for (int i = 0; i < 3; ++i) {
                int r;

                *stage = CURFEW_STAGE_STDIN + (unsigned)i;
                r = open_stream(command, i, streams[i], null);
                if (r < 0)
                        return r;
                command->fds[i] = (struct curfew_extra_fd){ .target = i, .source = r };
        }
        return 0;
}

static int compare_targets(const void *a, const void *b) {
        const struct curfew_extra_fd *x = a, *y = b;

        return (x->target > y->target) - (x->target < y->target);
}

static int make_fds(struct command *command) {
        const struct curfew_cmd *cmd = command->cmd;

        command->n_fds = 3 + cmd->n_fds;
        command->fds = calloc(command->n_fds, sizeof(*command->fds));
        if (!command->fds)
                return -ENOMEM;

        if (cmd->n_fds > 0)
                memcpy(command->fds + 3, cmd->fds, cmd->n_fds * sizeof(*cmd->fds));
        qsort(command->fds + 3, cmd->n_fds, sizeof(*command->fds), compare_targets);
        return 0;
}

static int prepare(struct command *command, int64_t deadline, int *null, enum curfew_stage *stage) {
        int r;

        *stage = CURFEW_STAGE_COMMAND;
        if (!cmd_is_valid(command->cmd))
                return -EINVAL;
        r = make_fds(command);
        if (r < 0)
                return r;

        *stage = CURFEW_STAGE_ENVIRONMENT;
        r = make_environment(command, deadline);
        if (r < 0)
                return r;

        *stage = CURFEW_STAGE_LOOKUP;
        r = look_up(command);
        if (r < 0)
                return r;

        return open_streams(command, null, stage);
}

int command_prepare(struct command *command, const struct curfew_cmd *cmd, int64_t deadline,
        int *null, enum curfew_stage *ret_stage) {
        _cleanup_(command_deinit) struct command prepared = COMMAND_NULL;
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        int r;

        prepared.cmd = cmd;
        r = prepare(&prepared, deadline, null, &stage);
        if (r < 0) {
                *ret_stage = stage;
                return r;
        }

        *command = prepared;
        prepared = (struct command)COMMAND_NULL;
        return 0;
}

void command_deinit(struct command *command) {
        free(command->path);
        free(command->env);
        free(command->fds);
        for (size_t i = 0; i < 3; ++i) {
                close_fd(command->child_ends[i]);
                close_fd(command->own_ends[i]);
        }
        *command = (struct command)COMMAND_NULL;
}
