// SPDX-License-Identifier: MIT
#pragma once

/* Where this process may make control groups. */

#include "base/base.h"

/* A descriptor of the directory of its own group in the hierarchy of cgroup v2, wherever that is
 * mounted. `id` is the group's, from child_cgroup(), or 0. -ENOENT: it is not mounted; -EACCES,
 * -EPERM, -EROFS: no group can be made there. */
int cgroupfs_open(uint64_t id);
