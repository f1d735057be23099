// SPDX-License-Identifier: MIT
#include "core/path.h"

#include <string.h>

/* What has been written so far, without its last component. */
static char *drop_component(const char *start, char *end) {
        while (end > start && *--end != '/')
                ;
        return end;
}

void path_clean(char *path) {
        char *out = path;
        const char *in = path;

        while (*in) {
                size_t n;

                in += strspn(in, "/");
                n = strcspn(in, "/");

                if (n == 2 && in[0] == '.' && in[1] == '.') {
                        out = drop_component(path, out);
                } else if (n > 0 && !(n == 1 && in[0] == '.')) {
                        *out++ = '/';
                        memmove(out, in, n);
                        out += n;
                }
                in += n;
        }

        if (out == path)
                *out++ = '/';
        *out = 0;
}
