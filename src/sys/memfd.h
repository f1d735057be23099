// SPDX-License-Identifier: MIT
#pragma once

/* Files that lie in memory. */

#include "base/base.h"

/* A new one, close-on-exec, at a number above 2. What is to be executed has to say so (Linux 6.3,
 * vm.memfd_noexec). */
int memfd_make(const char *name);
int memfd_make_executable(const char *name);

/* Make it so long. -EFBIG: the caller may have no file of that size. */
int memfd_resize(int fd, size_t size);

/* Write it, and let nobody change it any more. */
int memfd_fill(int fd, const void *data, size_t size);
