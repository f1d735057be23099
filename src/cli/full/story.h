// SPDX-License-Identifier: MIT
#pragma once

/* What a report says, in words. */

#include "cli/full/pen.h"

#include <jansson.h>

/* What became of it, and of what. The report is a sound one. */
void story_tell_verdict(const struct pen *pen, const json_t *report);

/* Everything else, in lines. */
void story_tell_details(const struct pen *pen, const json_t *report);
