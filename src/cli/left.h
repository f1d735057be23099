// SPDX-License-Identifier: MIT
#pragma once

/* "curfew left": print the time that this process has left. Returns the exit status. */
int left_main(void);
