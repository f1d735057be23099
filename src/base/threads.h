// SPDX-License-Identifier: MIT
#pragma once

/*
 * Whether this process has one thread only, and so nobody to lock out: then a locked instruction,
 * which takes as long as twenty others, can be left out. The C library knows, and asks the same in
 * its own locks. Only that thread could start another, so it stays as it is as long as that
 * doesn't.
 */

#include "base/base.h"

#if defined(__GLIBC__) && __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>

static inline bool threads_alone(void) {
        return __libc_single_threaded;
}
#else
static inline bool threads_alone(void) {
        return false;
}
#endif
