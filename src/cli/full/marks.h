// SPDX-License-Identifier: MIT
#pragma once

/* What stands above the bars: the time, the deadline, the warning, the steps. */

#include "cli/full/pen.h"

#include <jansson.h>

#define MARKS_MAX 16

struct mark {
        double time;
        const char *name;
        int line; /* which line its name stands in */
};

struct marks {
        double end; /* of the time that is shown, in seconds: more than 0 */
        int columns;
        double first_step; /* when that was, or later than all */
        struct mark items[MARKS_MAX];
        int n, n_lines;
};

void marks_init(struct marks *marks, const json_t *report, int columns);

/* Their lines, with so many columns before them. */
void marks_draw(const struct marks *marks, const struct pen *pen, int indent);

/* Below them: a thin line for a mark in this column, or a blank. */
void marks_draw_line(const struct marks *marks, const struct pen *pen, int column);
