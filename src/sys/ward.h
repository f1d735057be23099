// SPDX-License-Identifier: MIT
#pragma once

/* What a keeper must know of a run in order to stop it when its host is dead. It lies in memory
 * that both have mapped, so that to keep it up to date costs a store, and a host that is killed
 * leaves it as it was last. */

#include "base/base.h"
#include "curfew.h"
#include "sys/cgroup.h"

#include <stdatomic.h>

struct ward {
        _Atomic uint32_t used;  /* written last, and cleared first */
        _Atomic uint32_t taken; /* steps that have been taken: written after the step, and … */
        _Atomic int64_t due;    /* … after the time at which the next one is */
        _Atomic int heard;      /* a signal that has come from elsewhere, or 0: written after … */
        int64_t heard_at;       /* … when, … */
        struct sweep_heard who; /* … and who has got it */
        pid_t listener;         /* a fork of the host that writes this, too; or 0 */
        bool detach;
        bool leads_group;     /* the leader has a process group of its own, … */
        bool group_is_shared; /* … which others may be in */
        pid_t leader;         /* of a tree in a control group; a keeper knows its own */
        struct curfew_step plan[CURFEW_MAX_STEPS];
        enum curfew_until until; /* whom that leaves alone */
        int64_t linger;
        char cgroup[CGROUP_NAME_MAX]; /* below the host's; or empty: it is the keeper's children */
};

/* Note a signal that has come from elsewhere. */
void ward_hear(struct ward *ward, int signal, int64_t now, const struct sweep_heard *who);

/* The host is gone: wait for its listener to have heard all there was, and to be gone, too. */
void ward_await_listener(const struct ward *ward);
