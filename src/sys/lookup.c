// SPDX-License-Identifier: MIT
#include "sys/lookup.h"
#include "sys/call.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_PATH "/bin:/usr/bin" /* as confstr(3) and execvp(3) have it, with any C library */

/* As an exec would, with the effective ids, and where a filter forbids the question, by the mode.
 * The kernel is asked, since glibc before 2.33 asks it about the real ids.
 */
static bool may_execute(const char *path, const struct stat *st) {
        long r = sys_call(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS);

        return r == 0 || ((r == -ENOSYS || r == -EPERM) && (st->st_mode & 0111));
}

/* What "", "." and ".." lead to is a directory, if anything. */
static int check_program(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
                return -ENOENT;
        return may_execute(path, &st) ? 0 : -EACCES;
}

/* Write the list's first directory, and the name in it, to `path`, which has room for them. Returns
 * the rest of the list, or NULL. */
static const char *take_entry(const char *list, const char *name, char *path) {
        size_t n = strcspn(list, ":");
        const char *rest = list[n] ? list + n + 1 : NULL;

        if (n > 0) {
                memcpy(path, list, n);
                path[n++] = '/';
        }
        strcpy(path + n, name);
        return rest;
}

static int search(const char *list, const char *name, char *path) {
        int r = -ENOENT;

        while (list) {
                int checked;

                list = take_entry(list, name, path);
                checked = check_program(path);
                if (checked == 0)
                        return path[0] == '/' ? 0 : -EPERM;
                if (checked == -EACCES)
                        r = checked;
        }
        return r;
}

int lookup_program(const char *name, const char *path_list, char **ret) {
        const char *list = path_list ?: DEFAULT_PATH;
        _cleanup_(freep) char *path = NULL;
        int r;

        path = malloc(strlen(list) + strlen(name) + 2);
        if (!path)
                return -ENOMEM;

        if (strchr(name, '/')) {
                strcpy(path, name);
        } else {
                r = *list ? search(list, name, path) : -ENOENT;
                if (r < 0)
                        return r;
        }

        *ret = steal_ptr(path);
        return 0;
}
