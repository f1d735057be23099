// SPDX-License-Identifier: MIT
#pragma once

/*
 * The bare system call: what the kernel returns, a negative errno included.
 *
 * syscall(2) would do, but for errno. A child that borrows our memory may execute while the thread
 * that it came from does, and both have the same errno; and the keeper has no C library at all.
 *
 *         r = sys_call(SYS_close, fd);
 */

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc knows it since 2.33, the kernel's headers since 5.9. */
#ifndef SYS_close_range
#define SYS_close_range __NR_close_range
#endif

/* The same, but for 5.8. */
#ifndef SYS_faccessat2
#define SYS_faccessat2 __NR_faccessat2
#endif

/* What a call that maps memory returns, as a pointer; or NULL. */
static inline void *sys_pointer(long r) {
        return r < 0 && r > -4096 ? NULL : (void *)r; /* NOLINT(performance-no-int-to-ptr) */
}

/* What is left out of the six arguments is zero. */
#define sys_call(...) sys_call_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define sys_call_(nr, a, b, c, d, e, f, ...)                                                       \
        sys_call6_((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* Always a part of the caller, which may be a child in our memory. */
#define _call_ __attribute__((__always_inline__)) static inline long

/* NOLINTBEGIN(readability-function-size): there are as many parameters as the kernel has. */

#if defined(__x86_64__) && defined(__LP64__)
#define SYS_CALL_IS_BARE 1
_call_ sys_call6_(long rax, long rdi, long rsi, long rdx, long d, long e, long f) {
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = e;
        register long r9 __asm__("r9") = f;

        __asm__ volatile("syscall"
                         : "+a"(rax)
                         : "D"(rdi), "S"(rsi), "d"(rdx), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
        return rax;
}
#elif defined(__aarch64__) && defined(__LP64__)
#define SYS_CALL_IS_BARE 1
_call_ sys_call6_(long nr, long a, long b, long c, long d, long e, long f) {
        register long x8 __asm__("x8") = nr;
        register long x0 __asm__("x0") = a;
        register long x1 __asm__("x1") = b;
        register long x2 __asm__("x2") = c;
        register long x3 __asm__("x3") = d;
        register long x4 __asm__("x4") = e;
        register long x5 __asm__("x5") = f;

        __asm__ volatile("svc #0"
                         : "+r"(x0)
                         : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                         : "memory");
        return x0;
}
#elif defined(__riscv) && __riscv_xlen == 64
#define SYS_CALL_IS_BARE 1
_call_ sys_call6_(long nr, long a, long b, long c, long d, long e, long f) {
        register long a7 __asm__("a7") = nr;
        register long a0 __asm__("a0") = a;
        register long a1 __asm__("a1") = b;
        register long a2 __asm__("a2") = c;
        register long a3 __asm__("a3") = d;
        register long a4 __asm__("a4") = e;
        register long a5 __asm__("a5") = f;

        __asm__ volatile("ecall"
                         : "+r"(a0)
                         : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
                         : "memory");
        return a0;
}
#else
#define SYS_CALL_IS_BARE 0
_call_ sys_call6_(long nr, long a, long b, long c, long d, long e, long f) {
        long r = syscall(nr, a, b, c, d, e, f);

        return r < 0 ? -errno : r;
}
#endif

/* NOLINTEND(readability-function-size) */
