// SPDX-License-Identifier: MIT
#pragma once

/* Find a program the way Go does: in PATH, but never by way of the current directory. */

#include "base/base.h"

/*
 * A name with a slash is returned as it is, unchecked. Else the first executable regular file in
 * `path_list` (PATH's value; NULL, where there is none, is /bin:/usr/bin, and "" no directory at
 * all). -ENOENT: none; -EACCES: only files that can't be executed; -EPERM: the first hit lies
 * relative to the current directory (an empty or relative entry of PATH) and is refused. "", "."
 * and
 * ".." are never found.
 */
int lookup_program(const char *name, const char *path_list, char **ret);
