// SPDX-License-Identifier: MIT

/* As in glibc before 2.36. */
#define P_PIDFD NOT_YET_P_PIDFD
#include_next <sys/wait.h>
#undef P_PIDFD
