// SPDX-License-Identifier: MIT
#pragma once

/* A command made ready to be spawned: looked up, its files opened, its pipes made. */

#include "base/base.h"
#include "curfew.h"
#include "sys/spawn.h"

struct command {
        const struct curfew_cmd *cmd; /* borrowed */
        char *path;
        char **env;
        struct curfew_extra_fd *fds;
        size_t n_fds;
        int child_ends[3]; /* what the child's 0, 1, 2 are made from and only it needs; or -1 */
        int own_ends[3];   /* the other ends of the pipes among them; or -1 */
};

#define COMMAND_NULL                                                                               \
        {                                                                                          \
                .child_ends = { -1, -1, -1 }, .own_ends = { -1, -1, -1 }                           \
        }

/* `null` is the supervisor's cached descriptor of /dev/null, opened when it is first needed. */
int command_prepare(struct command *command, const struct curfew_cmd *cmd, int64_t deadline,
        int *null, enum curfew_stage *ret_stage);
void command_deinit(struct command *command);

static inline struct spawn_plan command_plan(const struct command *command) {
        return (struct spawn_plan){
                .cmd = command->cmd,
                .path = command->path,
                .env = (const char *const *)command->env,
                .fds = command->fds,
                .n_fds = command->n_fds,
                .cgroup = -1,
                .cgroup_procs = -1,
        };
}

/* Whether the command's process group is one that it leads. */
static inline bool command_has_own_group(const struct curfew_cmd *cmd) {
        return cmd->pgid == 0 || cmd->setsid;
}
