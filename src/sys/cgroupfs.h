// SPDX-License-Identifier: MIT
#pragma once

/* Where this process may make control groups. */

#include "base/base.h"

/* A descriptor of the directory of its own group in the hierarchy of cgroup v2, wherever that is
 * mounted. -ENOENT: it is not; -EACCES, -EPERM, -EROFS: no group can be made there. */
int cgroupfs_open(void);
