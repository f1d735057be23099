// SPDX-License-Identifier: MIT
#pragma once

/* Where the keeper's program begins; what this returns is its exit status. */
int keeper_main(int argc, char *argv[]);

/* For the few instructions that call it. */
_Noreturn void keeper_start(long *stack);
