// SPDX-License-Identifier: MIT
#include "script.h"

#include <stdlib.h>
#include <string.h>

const char **script_argv(const char *path, const char *const argv[]) {
        const char **shell;
        size_t n = 0;

        while (argv[n])
                ++n;
        shell = calloc(n + 4, sizeof(*shell));
        if (!shell)
                return NULL;

        shell[0] = SCRIPT_SHELL;
        if (path) {
                shell[1] = path;
                memcpy(shell + 2, argv + 1, (n - 1) * sizeof(*argv));
        } else {
                shell[1] = "-c";
                shell[2] = "exec \"$0\" \"$@\"";
                memcpy(shell + 3, argv, n * sizeof(*argv));
        }
        return shell;
}
