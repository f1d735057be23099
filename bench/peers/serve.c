// SPDX-License-Identifier: MIT
#include "serve.h"

#include "bench.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static int64_t resident_before;

static int64_t resident(void) {
        FILE *file = fopen("/proc/self/statm", "re");
        long pages;

        if (!file || fscanf(file, "%*s %ld", &pages) != 1)
                bench_fail("/proc/self/statm");
        fclose(file);
        return pages * sysconf(_SC_PAGESIZE);
}

static int64_t grow(size_t mib) {
        int64_t before = bench_now();

        if (mmap(NULL, mib << 20, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
                bench_fail("mmap");
        return bench_now() - before;
}

static const struct verb *find(const struct verb *verbs, const char *name) {
        while (verbs->name && strcmp(verbs->name, name) != 0)
                ++verbs;
        return verbs->name ? verbs : NULL;
}

static void answer(const struct verb *verbs, const char *name, size_t n, const char *program) {
        const struct verb *verb = find(verbs, name);

        if (strcmp(name, "many") == 0) {
                malloc_trim(0);
                resident_before = resident();
        }
        if (strcmp(name, "grow") == 0)
                printf("%jd\n", (intmax_t)grow(n));
        else if (strcmp(name, "memory") == 0)
                printf("%jd\n", (intmax_t)(resident() - resident_before));
        else if (verb)
                printf("%jd\n", (intmax_t)verb->measure(n, program));
        else
                puts("-");
        fflush(stdout);
}

static void raise_limit(void) {
        struct rlimit limit;

        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
}

void serve(const struct verb *verbs) {
        char line[4096], name[16], program[4096];
        size_t n;

        raise_limit();
        while (fgets(line, sizeof(line), stdin)) {
                name[0] = program[0] = '\0';
                n = 0;
                sscanf(line, "%15s %zu %4095s", name, &n, program);
                answer(verbs, name, n, program);
        }
        verbs = find(verbs, "end");
        if (verbs)
                verbs->measure(0, NULL); /* none outlives us */
}
