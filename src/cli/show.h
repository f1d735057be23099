// SPDX-License-Identifier: MIT
#pragma once

/* "curfew show REPORT": tell on a terminal what a report says. Returns the exit status. */
int show_main(char *const argv[]);
