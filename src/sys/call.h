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

/* What a call that maps memory returns, as a pointer; or NULL. */
static inline void *sys_pointer(long r) {
        return r < 0 && r > -4096 ? NULL : (void *)r; /* NOLINT(performance-no-int-to-ptr) */
}

/* All six arguments are always passed, since those left out are nobody's business. */
#define sys_call(...) sys_call_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define sys_call_(nr, a, b, c, d, e, f, ...)                                                       \
        sys_call6_((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#if defined(__x86_64__) && defined(__LP64__)
#define SYS_CALL_IS_BARE 1
#define sys_call6_(nr, a, b, c, d, e, f)                                                           \
        ({                                                                                         \
                long rax_ = (nr), rdi_ = (a), rsi_ = (b), rdx_ = (c), d_ = (d), e_ = (e),          \
                     f_ = (f);                                                                     \
                register long r10_ __asm__("r10") = d_;                                            \
                register long r8_ __asm__("r8") = e_;                                              \
                register long r9_ __asm__("r9") = f_;                                              \
                __asm__ volatile("syscall"                                                         \
                                 : "+a"(rax_)                                                      \
                                 : "D"(rdi_), "S"(rsi_), "d"(rdx_), "r"(r10_), "r"(r8_), "r"(r9_)  \
                                 : "rcx", "r11", "memory");                                        \
                rax_;                                                                              \
        })
#elif defined(__aarch64__) && defined(__LP64__)
#define SYS_CALL_IS_BARE 1
#define sys_call6_(nr, a, b, c, d, e, f)                                                           \
        ({                                                                                         \
                long nr_ = (nr), a_ = (a), b_ = (b), c_ = (c), d_ = (d), e_ = (e), f_ = (f);       \
                register long x8_ __asm__("x8") = nr_;                                             \
                register long x0_ __asm__("x0") = a_;                                              \
                register long x1_ __asm__("x1") = b_;                                              \
                register long x2_ __asm__("x2") = c_;                                              \
                register long x3_ __asm__("x3") = d_;                                              \
                register long x4_ __asm__("x4") = e_;                                              \
                register long x5_ __asm__("x5") = f_;                                              \
                __asm__ volatile("svc #0"                                                          \
                                 : "+r"(x0_)                                                       \
                                 : "r"(x8_), "r"(x1_), "r"(x2_), "r"(x3_), "r"(x4_), "r"(x5_)      \
                                 : "memory");                                                      \
                x0_;                                                                               \
        })
#elif defined(__riscv) && __riscv_xlen == 64
#define SYS_CALL_IS_BARE 1
#define sys_call6_(nr, a, b, c, d, e, f)                                                           \
        ({                                                                                         \
                long nr_ = (nr), a_ = (a), b_ = (b), c_ = (c), d_ = (d), e_ = (e), f_ = (f);       \
                register long a7_ __asm__("a7") = nr_;                                             \
                register long a0_ __asm__("a0") = a_;                                              \
                register long a1_ __asm__("a1") = b_;                                              \
                register long a2_ __asm__("a2") = c_;                                              \
                register long a3_ __asm__("a3") = d_;                                              \
                register long a4_ __asm__("a4") = e_;                                              \
                register long a5_ __asm__("a5") = f_;                                              \
                __asm__ volatile("ecall"                                                           \
                                 : "+r"(a0_)                                                       \
                                 : "r"(a7_), "r"(a1_), "r"(a2_), "r"(a3_), "r"(a4_), "r"(a5_)      \
                                 : "memory");                                                      \
                a0_;                                                                               \
        })
#else
#define SYS_CALL_IS_BARE 0
#define sys_call6_(nr, a, b, c, d, e, f)                                                           \
        ({                                                                                         \
                long r_ = syscall((nr), (a), (b), (c), (d), (e), (f));                             \
                r_ < 0 ? -errno : r_;                                                              \
        })
#endif
