// SPDX-License-Identifier: MIT
#pragma once

/* A child's descriptor table. */

#include "base/base.h"
#include "curfew.h"

/* In a child that shares its parent's table: get one of its own, in which nothing is above the
 * sources of `fds`. Fails where that is not allowed, having changed nothing. */
int descriptors_unshare(const struct curfew_extra_fd *fds, size_t n);

/*
 * In the child: make `fds`, sorted by target and each target once, all that the table holds. Where
 * a source has to make way for a target, the entry is changed to where it went. -EBADF: a source is
 * not open, or a target is beyond the limit. -EMFILE: no room to make way.
 */
int descriptors_arrange(struct curfew_extra_fd *fds, size_t n);
