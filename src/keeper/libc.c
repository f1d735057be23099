// SPDX-License-Identifier: MIT
#include "keeper/libc.h"
#include "sys/call.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

/*
 * The keeper is linked with no C library: what it needs of one is less than the start of one, and
 * there is none that every machine which builds this has in a static form. This is that little,
 * under the names that compilers expect and the rest of the sources use. <string.h> has no place
 * here, as they may be macros in it: strchr() is one in glibc's from 2.43 on.
 */

#if defined(__x86_64__)
__asm__(".globl _start\n"
        "_start:\n\t"
        "xor %ebp, %ebp\n\t"
        "mov %rsp, %rdi\n\t"
        "and $-16, %rsp\n\t"
        "call keeper_start\n\t"
        "ud2\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n"
        "_start:\n\t"
        "mov x29, xzr\n\t"
        "mov x30, xzr\n\t"
        "mov x0, sp\n\t"
        "and sp, x0, #-16\n\t"
        "bl keeper_start\n\t"
        "brk #1\n");
#elif defined(__riscv)
__asm__(".globl _start\n"
        "_start:\n\t"
        ".option push\n\t"
        ".option norelax\n\t"
        "la gp, __global_pointer$\n\t"
        ".option pop\n\t"
        "mv s0, zero\n\t"
        "mv a0, sp\n\t"
        "andi sp, sp, -16\n\t"
        "call keeper_start\n\t"
        "ebreak\n");
#endif

/* What the kernel puts on the stack: the count of the arguments, and then these. */
_Noreturn void keeper_start(long *stack) {
        int status = keeper_main((int)stack[0], (char **)(stack + 1));

        for (;;)
                sys_call(SYS_exit_group, status);
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): these have no better names. */

int *__errno_location(void) {
        static int error;

        return &error;
}

int close(int fd) {
        return (int)sys_call(SYS_close, fd);
}

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
        for (size_t i = 0; i < n; ++i)
                /* cppcheck-suppress useStandardLibrary */
                ((char *)to)[i] = ((const char *)from)[i];
        return to;
}

void *memset(void *to, int c, size_t n) {
        for (size_t i = 0; i < n; ++i)
                ((char *)to)[i] = (char)c;
        return to;
}

size_t strlen(const char *text) {
        size_t n = 0;

        while (text[n])
                ++n;
        return n;
}

int strncmp(const char *a, const char *b, size_t n) {
        for (size_t i = 0; i < n; ++i)
                if (a[i] != b[i] || !a[i])
                        return (unsigned char)a[i] - (unsigned char)b[i];
        return 0;
}

int strcmp(const char *a, const char *b) {
        return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *text, int c) {
        while (*text != (char)c)
                if (!*text++)
                        return NULL;
        return (char *)text;
}

char *strrchr(const char *text, int c) {
        const char *found = NULL;

        do
                if (*text == (char)c)
                        found = text;
        while (*text++);
        return (char *)found;
}

char *strstr(const char *text, const char *word) {
        size_t n = strlen(word);

        for (; *text; ++text)
                if (strncmp(text, word, n) == 0)
                        return (char *)text;
        return n == 0 ? (char *)text : NULL;
}

int clock_gettime(clockid_t clock, struct timespec *ret) {
        return (int)sys_call(SYS_clock_gettime, clock, ret);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* A mapping for each: there are few, and they are lists that grow. */
struct block {
        size_t size; /* of the mapping */
        _Alignas(16) char data[];
};

void *realloc(void *old, size_t size) {
        struct block *block = old ? (struct block *)((char *)old - sizeof(*block)) : NULL;
        size_t need = size + sizeof(*block);

        if (need < size)
                return NULL;
        if (block)
                block = sys_pointer(sys_call(SYS_mremap, block, block->size, need, MREMAP_MAYMOVE));
        else
                block = sys_pointer(sys_call(SYS_mmap, NULL, need, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (!block)
                return NULL;

        block->size = need;
        return block->data;
}

/* What is mapped is zero. */
void *calloc(size_t n, size_t size) {
        return size == 0 || n > SIZE_MAX / size ? NULL : realloc(NULL, n * size);
}

void free(void *ptr) {
        struct block *block;

        if (!ptr)
                return;
        block = (struct block *)((char *)ptr - sizeof(*block));
        sys_call(SYS_munmap, block, block->size);
}
