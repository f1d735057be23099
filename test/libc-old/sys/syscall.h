// SPDX-License-Identifier: MIT
#include_next <sys/syscall.h>

/* As in glibc before 2.33. */
#undef SYS_close_range
#undef SYS_faccessat2
