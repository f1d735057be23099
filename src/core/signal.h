// SPDX-License-Identifier: MIT
#pragma once

/* Signals as words; the text is [text, end), so that it can be a part of a longer one. */

#include "base/base.h"

int signal_parse(const char *text, const char *end, int *ret);
