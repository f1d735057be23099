// SPDX-License-Identifier: MIT
#pragma once

/* A report as a picture. */

#include <jansson.h>
#include <stddef.h>

/* A page of HTML that needs nothing else, to be freed; NULL: no memory. */
char *timeline_new(const json_t *report, size_t *ret_size);
