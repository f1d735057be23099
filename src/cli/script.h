// SPDX-License-Identifier: MIT
#pragma once

/* Scripts that don't say what runs them are the shell's, as for execvp(3) and for shells. */

#define SCRIPT_SHELL "/bin/sh"

/* The arguments with which it runs the one that `argv` names: the file `path`, or what it finds in
 * PATH itself (NULL). To be freed; NULL if there is no memory. */
const char **script_argv(const char *path, const char *const argv[]);
