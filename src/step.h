// SPDX-License-Identifier: MIT
#pragma once

/* Steps of the stop plan, as they are taken, and what is written down of them. */

#include "core/stop.h"
#include "curfew.h"
#include "sys/tree.h"

/* Take the step that `stop` has just decided on. Whom SIGKILL has reached is added to
 * `*killed`, which is made if there is memory for it. */
void step_take(struct tree *tree, struct stop *stop, const struct curfew_step *step,
        struct proc_list **killed, struct curfew_result *result);
void step_forget_killed(struct proc_list **killed);

/* Should its SIGKILL not have reached everything. */
void step_kill_again(struct tree *tree, const struct stop *stop);

/* The same signal without a plan behind it. Returns how many it has reached. */
int step_send(struct tree *tree, enum curfew_whom whom, int signal);

/* Who is there now, up to `n` of them. Returns how many there are. */
int step_list(struct tree *tree, struct curfew_process ret[], size_t n);

/* After the last of them, and the end: who held the tree, what ended it, what is left of it, and so
 * was not killed. (`killed` may be NULL.) */
void step_note_end(struct tree *tree, struct proc_list *killed, struct curfew_result *result);
