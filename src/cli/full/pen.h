// SPDX-License-Identifier: MIT
#pragma once

/* Writing on a terminal, or on what isn't one. */

#include <stdbool.h>

enum pen_color {
        PEN_PLAIN,
        PEN_BOLD,
        PEN_DIM,
        PEN_RED,
        PEN_GREEN,
        PEN_YELLOW,
        PEN_BLUE,
};

struct pen {
        bool has_color;
        bool is_utf8; /* else ASCII */
        int width;    /* in columns */
};

/* For standard output as it is: its width, whether it shows colours, and which characters. */
void pen_init(struct pen *pen);

void pen_color(const struct pen *pen, enum pen_color color);

/* One of two texts that are no foreign ones: in UTF-8 and in ASCII. */
void pen_glyph(const struct pen *pen, const char *utf8, const char *ascii);

/*
 * Text in UTF-8 that came from elsewhere: in `columns` at most, cut with an ellipsis if that is too
 * little. What a terminal would take for a command is '?'. Returns how many it took.
 */
int pen_text(const struct pen *pen, const char *text, int columns);

/* Blanks. */
void pen_blank(int columns);
