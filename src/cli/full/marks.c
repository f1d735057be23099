// SPDX-License-Identifier: MIT
#include "cli/full/marks.h"

#include <stdio.h>
#include <string.h>

#define MAX_LINES 3 /* of names; those that don't fit stand in the words below */

static double number(const json_t *object, const char *key) {
        return json_number_value(json_object_get(object, key));
}

static int column_of(const struct marks *marks, double time) {
        int column = marks->columns - 1;

        if (time < marks->end)
                column = time > 0 ? (int)(time / marks->end * marks->columns) : 0;
        return column < marks->columns ? column : marks->columns - 1;
}

/* Where its name is: right of its column, or left of it at the right edge. */
static void place(const struct marks *marks, const struct mark *mark, int *ret_from, int *ret_to) {
        int column = column_of(marks, mark->time), n = (int)strlen(mark->name);
        bool is_left = column + n >= marks->columns && column >= n;

        *ret_from = is_left ? column - n : column;
        *ret_to = is_left ? column : column + n;
}

static bool fits(const struct marks *marks, const struct mark *mark, int line) {
        int from, to;

        place(marks, mark, &from, &to);
        if (to >= marks->columns)
                return false;
        for (int i = 0; i < marks->n; ++i) {
                int other_from, other_to;

                if (marks->items[i].line != line)
                        continue;
                place(marks, &marks->items[i], &other_from, &other_to);
                if (from <= other_to + 1 && other_from <= to + 1)
                        return false;
        }
        return true;
}

static void add(struct marks *marks, const char *name, double time) {
        struct mark mark = { .time = time, .name = name, .line = MAX_LINES };

        if (marks->n == MARKS_MAX || time > marks->end)
                return;
        for (int line = 0; line < MAX_LINES && mark.line == MAX_LINES; ++line)
                if (fits(marks, &mark, line))
                        mark.line = line;
        if (mark.line < MAX_LINES && mark.line >= marks->n_lines)
                marks->n_lines = mark.line + 1;
        marks->items[marks->n++] = mark;
}

static void add_sent(struct marks *marks, const json_t *sent) {
        add(marks, json_string_value(json_object_get(sent, "signal")), number(sent, "time"));
}

void marks_init(struct marks *marks, const json_t *report, int columns) {
        const json_t *steps = json_object_get(report, "steps");
        const json_t *warned = json_object_get(report, "warned");
        const json_t *deadline = json_object_get(report, "deadline");
        double end = number(json_object_get(report, "times"), "end");

        *marks = (struct marks){ .end = end > 0 ? end : 1e-6, .columns = columns };
        marks->first_step = json_array_size(steps) > 0 ? number(json_array_get(steps, 0), "time")
                                                       : 2 * marks->end;
        for (size_t i = 0; i < json_array_size(steps); ++i)
                add_sent(marks, json_array_get(steps, i));
        if (json_is_object(warned))
                add_sent(marks, warned);
        if (json_is_number(deadline))
                add(marks, "deadline", json_number_value(deadline));
}

/* 1, 2 or 5 of some power of ten, so that a dozen columns lie between two. */
static double choose_tick(const struct marks *marks) {
        double least = marks->end * 12 / marks->columns, tick = 1e-6;

        for (int i = 0; tick < least; ++i)
                tick *= i % 3 == 1 ? 2.5 : 2;
        return tick;
}

static void draw_axis(const struct marks *marks, const struct pen *pen) {
        double tick = choose_tick(marks);
        int n = 0;

        pen_color(pen, PEN_DIM);
        for (int i = 0; i * tick < marks->end; ++i) {
                char text[32];
                int column = column_of(marks, i * tick);
                int size = snprintf(
                        text, sizeof(text), "%s%.6g s", pen->is_utf8 ? "╷" : "|", i * tick);

                if (column < n || column + size - (pen->is_utf8 ? 2 : 0) > marks->columns)
                        continue;
                pen_blank(column - n);
                n = column + pen_text(pen, text, 32);
        }
        pen_color(pen, PEN_PLAIN);
        putchar('\n');
}

/* The next in this line whose name begins in column `from` or later, or NULL. */
static const struct mark *find_next(const struct marks *marks, int line, int from) {
        const struct mark *next = NULL;
        int best = marks->columns;

        for (int i = 0; i < marks->n; ++i) {
                const struct mark *mark = &marks->items[i];
                int begin, end;

                place(marks, mark, &begin, &end);
                if (mark->line != line || begin < from || begin >= best)
                        continue;
                best = begin;
                next = mark;
        }
        return next;
}

static void draw_marks(const struct marks *marks, const struct pen *pen, int line) {
        const struct mark *mark;
        int n = 0;

        while ((mark = find_next(marks, line, n))) {
                int begin, end, column = column_of(marks, mark->time);

                place(marks, mark, &begin, &end);
                pen_blank(begin - n);
                n = begin + 1;
                if (column > begin)
                        n += pen_text(pen, mark->name, marks->columns);
                pen_glyph(pen, "▼", "v");
                if (column == begin)
                        n += pen_text(pen, mark->name, marks->columns);
        }
        putchar('\n');
}

void marks_draw(const struct marks *marks, const struct pen *pen, int indent) {
        pen_blank(indent);
        draw_axis(marks, pen);
        for (int line = marks->n_lines - 1; line >= 0; --line) {
                pen_blank(indent);
                draw_marks(marks, pen, line);
        }
}

void marks_draw_line(const struct marks *marks, const struct pen *pen, int column) {
        bool is_marked = false;

        for (int i = 0; i < marks->n; ++i)
                is_marked = is_marked || column_of(marks, marks->items[i].time) == column;
        if (!is_marked) {
                putchar(' ');
                return;
        }
        pen_color(pen, PEN_DIM);
        pen_glyph(pen, "┊", ":");
        pen_color(pen, PEN_PLAIN);
}
