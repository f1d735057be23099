// SPDX-License-Identifier: MIT
#pragma once

/* The processes of a report as bars over time. */

#include "cli/full/pen.h"

#include <jansson.h>

/* 0 or -ENOMEM. The report is a sound one. */
int bars_draw(const struct pen *pen, const json_t *report, bool all);
