// SPDX-License-Identifier: MIT
#pragma once

/* Durations as words; the text is [text, end), so that it can be a part of a longer one. */

#include "base/base.h"

int duration_parse(const char *text, const char *end, int64_t *ret);
