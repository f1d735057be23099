// SPDX-License-Identifier: MIT
#pragma once

/* The duties of a container's first process. */

#include "curfew.h"

/* Whether this process has them without being told: its pid is 1. */
bool init_is_ours(void);

/* Be who orphans fall to, if that takes doing something. */
void init_begin(void);

/* A command in a group of its own gets the terminal, if that is ours to give. */
void init_give_terminal(struct curfew_cmd *cmd);

/* Reap what has fallen to us; not the command, `leader`, which somebody else is waiting for. */
void init_reap(pid_t leader);

/* Stop all that is left in the container, by the plan. */
void init_finish(const struct curfew_step plan[CURFEW_MAX_STEPS]);
