// SPDX-License-Identifier: MIT
#pragma once

/* The program under the name "timeout": GNU timeout, to the letter. */

/* The exit status; or the negative number of the signal that the program dies of. */
int timeout_main(char *const argv[]);
