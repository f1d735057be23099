// SPDX-License-Identifier: MIT
#pragma once

/* A system call, for programs without a C library. */

#include <asm/unistd.h>

static inline long call(long number, long a, long b, long c, long d) {
#if defined(__x86_64__)
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = 0;
        long r;

        __asm__ volatile("syscall"
                         : "=a"(r)
                         : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                         : "rcx", "r11", "memory");
        return r;
#elif defined(__aarch64__)
        register long x0 __asm__("x0") = a;
        register long x1 __asm__("x1") = b;
        register long x2 __asm__("x2") = c;
        register long x3 __asm__("x3") = d;
        register long x4 __asm__("x4") = 0;
        register long x8 __asm__("x8") = number;

        __asm__ volatile("svc #0"
                         : "+r"(x0)
                         : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x8)
                         : "memory");
        return x0;
#elif defined(__riscv)
        register long a0 __asm__("a0") = a;
        register long a1 __asm__("a1") = b;
        register long a2 __asm__("a2") = c;
        register long a3 __asm__("a3") = d;
        register long a4 __asm__("a4") = 0;
        register long a7 __asm__("a7") = number;

        __asm__ volatile("ecall"
                         : "+r"(a0)
                         : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7)
                         : "memory");
        return a0;
#endif
}
