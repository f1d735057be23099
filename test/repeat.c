// SPDX-License-Identifier: MIT

/*
 * Does the same many times on one supervisor, to have its system calls counted.
 *
 *     repeat N BACKEND start COMMAND…   start it and wait for it
 *     repeat N BACKEND stop COMMAND…    start it, stop it, and wait for it
 *     repeat N BACKEND capture COMMAND… start it, keep its output, and wait for it
 *     repeat N BACKEND call COMMAND…    the same, but by a callback, which drops it
 */

#include <curfew.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, int error) {
        fprintf(stderr, "repeat: %s: %s\n", what, strerror(-error));
        exit(1);
}

static enum curfew_backend find_backend(const char *name) {
        for (unsigned i = CURFEW_BACKEND_ANY; i <= CURFEW_BACKEND_PID_NAMESPACE; ++i) {
                const char *known = curfew_backend_name((enum curfew_backend)i);

                if (known && strcmp(known, name) == 0)
                        return (enum curfew_backend)i;
        }
        return CURFEW_BACKEND_ANY;
}

static int drop(void *arg, const void *data, size_t size) {
        (void)arg;
        (void)data;
        (void)size;
        return 0;
}

static struct curfew_stream find_output(const char *verb) {
        if (strcmp(verb, "capture") == 0)
                return (struct curfew_stream){ .kind = CURFEW_CAPTURE };
        if (strcmp(verb, "call") == 0)
                return (struct curfew_stream){ .kind = CURFEW_CALLBACK, .fn = drop };
        return (struct curfew_stream){ .kind = CURFEW_NULL };
}

int main(int argc, char **argv) {
        struct curfew_cmd cmd = { 0 };
        enum curfew_stage stage = CURFEW_STAGE_NONE;
        struct curfew_run *run = NULL;
        struct curfew *sup;
        size_t n;
        int r;

        if (argc < 5)
                return 2;
        n = strtoul(argv[1], NULL, 10);
        cmd.backend = find_backend(argv[2]);
        cmd.out = find_output(argv[3]);
        cmd.argv = (const char *const *)argv + 4;

        r = curfew_new(&sup);
        if (r < 0)
                fail("curfew_new", r);
        for (; n > 0; --n) {
                r = curfew_start(sup, NULL, &cmd, &stage, &run);
                if (r < 0)
                        fail(curfew_stage_name(stage), r);
                if (strcmp(argv[3], "stop") == 0)
                        curfew_run_stop(run);
                r = curfew_run_wait(run, CURFEW_FOREVER);
                if (r < 0)
                        fail("curfew_run_wait", r);
                curfew_run_free(run);
        }
        curfew_free(sup);
        return 0;
}
