// SPDX-License-Identifier: MIT
#pragma once

/* What this machine allows, found out by trying. */

/* "curfew doctor": what can hold a tree here, and what to do for a better guarantee. Returns an
 * exit status: 0 if nothing can get away, 1 if a daemon can. */
int doctor_main(void);
