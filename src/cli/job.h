// SPDX-License-Identifier: MIT
#pragma once

/* Run the command to its end. Returns the exit status, or the negative number of the signal that
 * curfew is to die of. */

#include "opts.h"

int job_main(const struct opts *opts);
