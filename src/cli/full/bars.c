// SPDX-License-Identifier: MIT
#include "cli/full/bars.h"
#include "cli/full/marks.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A line for each process, below its parent. Of the same parent, children of the same name that
 * have none themselves share one from four on: three hundred compilers are one thing to look at. A
 * parent is a pid, which others may have had; it is the last of those who were there at the time.
 *
 * If that is still more than a screen, what was short shares a line with what else was short below
 * the same parent, each with all that it has started: how short follows from how many lines there
 * are. What had to be killed, or was left, is not folded away.
 *
 * The bar is yellow from the first step on, and who was there when KILL was sent ends with a cross;
 * who was there at the end, with an arrow.
 */

#define MANY      4
#define SCREEN    40
#define MAX_LINES 200
#define MAX_DEPTH 200
#define MAX_BARS  10000 /* more than curfew lists */
#define NONE      SIZE_MAX
#define SHORT     "(short)"

struct bar {
        const char *name;
        int pid;
        double from, to;
        bool is_open, is_killed;
        size_t child, last_child, sibling; /* numbers, or NONE */
        size_t member;                     /* the next that shares this one's line, or NONE */
        unsigned n_members;
        unsigned depth;
        bool is_shared;  /* it has no line of its own */
        double last;     /* when the last ended of it and of those below it */
        bool is_notable; /* one of them was killed or left */
};

struct bars {
        const struct pen *pen;
        struct bar *items;
        size_t n, root, last_root;
        struct marks marks;
        int label;        /* how many columns names have */
        unsigned at_most; /* so many lines */
        unsigned n_lines, n_hidden;
};

static double number(const json_t *object, const char *key) {
        return json_number_value(json_object_get(object, key));
}

static void read_bar(struct bars *bars, const json_t *process, double killed, double end) {
        const json_t *ended = json_object_get(process, "ended");
        struct bar *bar = &bars->items[bars->n++];

        *bar = (struct bar){
                .name = json_string_value(json_object_get(process, "name")),
                .pid = (int)json_integer_value(json_object_get(process, "pid")),
                .from = number(process, "started"),
                .is_open = json_is_null(ended),
                .child = NONE,
                .last_child = NONE,
                .sibling = NONE,
                .member = NONE,
                .n_members = 1,
        };
        bar->to = bar->is_open ? end : json_number_value(ended);
        bar->is_killed = killed >= 0 && !bar->is_open && bar->to >= killed;
}

static size_t find_parent(const struct bars *bars, size_t number, int pid) {
        const struct bar *bar = &bars->items[number];

        for (size_t i = bars->n; i-- > 0;) {
                const struct bar *other = &bars->items[i];

                if (i != number && other->pid == pid && other->from <= bar->from &&
                        other->to >= bar->from)
                        return i;
        }
        return NONE;
}

static void append_child(struct bars *bars, size_t parent, size_t child) {
        size_t *first = parent == NONE ? &bars->root : &bars->items[parent].child;
        size_t *last = parent == NONE ? &bars->last_root : &bars->items[parent].last_child;

        if (*last == NONE)
                *first = child;
        else
                bars->items[*last].sibling = child;
        *last = child;
        if (parent != NONE)
                bars->items[child].depth = bars->items[parent].depth + 1;
}

/* A parent was seen before its child, or a circle of them could be made up. */
static void build_tree(struct bars *bars, const json_t *processes) {
        for (size_t i = 0; i < bars->n; ++i) {
                const json_t *process = json_array_get(processes, i);
                int pid = (int)json_integer_value(json_object_get(process, "parent"));
                size_t parent = find_parent(bars, i, pid);

                if (parent >= i || bars->items[parent].depth == MAX_DEPTH)
                        parent = NONE;
                append_child(bars, parent, i);
        }
}

static bool are_alike(const struct bar *a, const struct bar *b) {
        return a->child == NONE && b->child == NONE && strcmp(a->name, b->name) == 0;
}

/* Among the siblings from `first` on, those who are like it share its line. */
static void share(struct bars *bars, size_t first) {
        struct bar *head = &bars->items[first];
        size_t last = first;
        unsigned n = 0;

        for (size_t i = first; i != NONE; i = bars->items[i].sibling)
                n += are_alike(head, &bars->items[i]);
        if (n < MANY || head->is_shared)
                return;
        for (size_t i = head->sibling; i != NONE; i = bars->items[i].sibling)
                if (!bars->items[i].is_shared && are_alike(head, &bars->items[i])) {
                        bars->items[i].is_shared = true;
                        bars->items[last].member = i;
                        last = i;
                }
        head->n_members = n;
}

static void share_all(struct bars *bars, size_t first) {
        for (size_t i = first; i != NONE; i = bars->items[i].sibling)
                if (bars->items[i].child == NONE && !bars->items[i].is_shared)
                        share(bars, i);
}

/* The same for all, from the leaves on; and what is known of each with all below it. */
static void gather(struct bars *bars, size_t first) {
        share_all(bars, first);
        for (size_t i = first; i != NONE; i = bars->items[i].sibling) {
                struct bar *bar = &bars->items[i];

                bar->last = bar->to;
                bar->is_notable = bar->is_killed || bar->is_open;
                gather(bars, bar->child);
                for (size_t j = bar->child; j != NONE; j = bars->items[j].sibling) {
                        const struct bar *child = &bars->items[j];

                        bar->last = child->last > bar->last ? child->last : bar->last;
                        bar->is_notable = bar->is_notable || child->is_notable;
                }
        }
}

/* With those that share its line, which may have been before it. */
static bool is_short(const struct bars *bars, const struct bar *bar, double limit) {
        for (;; bar = &bars->items[bar->member]) {
                if (bar->is_notable || bar->last - bar->from >= limit)
                        return false;
                if (bar->member == NONE)
                        return true;
        }
}

static unsigned count_lines(const struct bars *bars, size_t first, double limit) {
        unsigned n = 0, n_short = 0;

        for (size_t i = first; i != NONE; i = bars->items[i].sibling) {
                const struct bar *bar = &bars->items[i];

                if (bar->is_shared)
                        continue;
                if (is_short(bars, bar, limit))
                        n_short = 1;
                else
                        n += 1 + count_lines(bars, bar->child, limit);
        }
        return n + n_short;
}

/* Add this one, those that share its line, and all below it to the line that ends with `last`, and
 * return with whom it ends now. */
static size_t append_all(struct bars *bars, size_t last, size_t i) {
        size_t child = bars->items[i].child;

        if (last != i)
                bars->items[last].member = i;
        for (last = i; bars->items[last].member != NONE;)
                last = bars->items[last].member;
        for (; child != NONE; child = bars->items[child].sibling)
                if (!bars->items[child].is_shared)
                        last = append_all(bars, last, child);
        return last;
}

static unsigned count_members(const struct bars *bars, size_t i) {
        unsigned n = 1;

        while ((i = bars->items[i].member) != NONE)
                ++n;
        return n;
}

static void fold(struct bars *bars, size_t first, double limit) {
        size_t head = NONE, last = NONE;

        for (size_t i = first; i != NONE; i = bars->items[i].sibling) {
                struct bar *bar = &bars->items[i];

                if (bar->is_shared)
                        continue;
                if (!is_short(bars, bar, limit)) {
                        fold(bars, bar->child, limit);
                        continue;
                }
                bar->is_shared = head != NONE;
                head = head == NONE ? i : head;
                last = append_all(bars, last == NONE ? i : last, i);
                bar->child = NONE;
        }
        if (head == NONE || count_members(bars, head) == bars->items[head].n_members)
                return; /* it is alone, or with its like */
        bars->items[head].n_members = count_members(bars, head);
        bars->items[head].name = SHORT;
}

/* Returns what is short, or 0: nothing needs to be. */
static double fold_all(struct bars *bars, double end) {
        double limit = 0;

        gather(bars, bars->root);
        while (limit < end && count_lines(bars, bars->root, limit) > SCREEN)
                limit = limit > 0 ? 2 * limit : end / 1024;
        if (limit > 0)
                fold(bars, bars->root, limit);
        return limit;
}

/* How much of the column from t to t + width its line's processes were there: where that begins and
 * ends, as parts of it. Nothing: from > to. */
static struct bar cover(const struct bars *bars, const struct bar *bar, double t, double width) {
        struct bar sum = { .from = 2, .to = -1 };

        for (;; bar = &bars->items[bar->member]) {
                double from = (bar->from - t) / width, to = (bar->to - t) / width;

                if (from < 1 && to >= 0) {
                        sum.from = from < sum.from ? from : sum.from;
                        sum.to = to > sum.to ? to : sum.to;
                        sum.is_killed = sum.is_killed || (bar->is_killed && to < 1);
                        sum.is_open = sum.is_open || bar->is_open;
                }
                if (bar->member == NONE)
                        break;
        }
        return sum;
}

static void draw_block(const struct pen *pen, double from, double to) {
        static const char *const blocks[] = { "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█" };
        int eighths = (int)(8 * (to < 1 ? to : 1) + 0.5);

        if (from > 0.25)
                pen_glyph(pen, from < 0.75 ? "▐" : "▕", "=");
        else
                pen_glyph(pen, blocks[eighths < 1 ? 0 : eighths - 1], "=");
}

static void draw_cell(const struct bars *bars, const struct bar *bar, int column) {
        const struct pen *pen = bars->pen;
        const struct marks *marks = &bars->marks;
        double width = marks->end / marks->columns, t = column * width;
        struct bar part = cover(bars, bar, t, width);

        if (part.from > part.to) {
                marks_draw_line(marks, pen, column);
                return;
        }
        if (part.is_killed) {
                pen_color(pen, PEN_RED);
                pen_glyph(pen, "✗", "X");
        } else if (part.is_open && column == marks->columns - 1) {
                pen_color(pen, PEN_RED);
                pen_glyph(pen, "▶", ">");
        } else {
                pen_color(pen, t + width > marks->first_step ? PEN_YELLOW : PEN_BLUE);
                draw_block(pen, part.from, part.to);
        }
        pen_color(pen, PEN_PLAIN);
}

/* Its name, and its pid or how many they are, which stays to be seen if the name is cut. */
static void draw_label(const struct bars *bars, const struct bar *bar) {
        char tail[32];
        int indent = 2 * (int)bar->depth, n, room;

        if (bar->n_members > 1)
                snprintf(tail, sizeof(tail), " %s%u", bars->pen->is_utf8 ? "×" : "x",
                        bar->n_members);
        else
                snprintf(tail, sizeof(tail), " %d", bar->pid);
        room = bars->label - (int)strlen(tail);
        indent = indent < room - 4 ? indent : room - 4;

        pen_blank(indent);
        n = indent + pen_text(bars->pen, bar->name, room - indent);
        pen_color(bars->pen, PEN_DIM);
        n += pen_text(bars->pen, tail, bars->label);
        pen_color(bars->pen, PEN_PLAIN);
        pen_blank(bars->label + 1 - n);
}

static void draw_line(struct bars *bars, const struct bar *bar) {
        if (++bars->n_lines > bars->at_most) {
                bars->n_hidden += bar->n_members;
                return;
        }
        draw_label(bars, bar);
        for (int column = 0; column < bars->marks.columns; ++column)
                draw_cell(bars, bar, column);
        putchar('\n');
}

static void draw_tree(struct bars *bars, size_t first) {
        for (size_t i = first; i != NONE; i = bars->items[i].sibling) {
                if (bars->items[i].is_shared)
                        continue;
                draw_line(bars, &bars->items[i]);
                draw_tree(bars, bars->items[i].child);
        }
}

/* A third of the width is for names, or less if that does. */
static int choose_label(const struct bars *bars) {
        int most = bars->pen->width / 3, n = 12;

        for (size_t i = 0; i < bars->n; ++i) {
                int wanted = (int)strlen(bars->items[i].name) + 12;

                n = wanted > n ? wanted : n;
        }
        return n < most ? n : most;
}

static double time_of_kill(const json_t *steps) {
        size_t n = json_array_size(steps);
        const json_t *last = n > 0 ? json_array_get(steps, n - 1) : NULL;
        const char *signal = json_string_value(json_object_get(last, "signal"));

        return signal && strcmp(signal, "KILL") == 0 ? number(last, "time") : -1;
}

int bars_draw(const struct pen *pen, const json_t *report, bool all) {
        const json_t *processes = json_object_get(report, "processes");
        double end = number(json_object_get(report, "times"), "end");
        double killed = time_of_kill(json_object_get(report, "steps"));
        struct bars bars = { .pen = pen, .root = NONE, .last_root = NONE };
        size_t n = json_array_size(processes);
        double limit;

        if (n == 0)
                return 0;
        if (n > MAX_BARS) {
                bars.n_hidden = (unsigned)(n - MAX_BARS);
                n = MAX_BARS;
        }
        bars.items = calloc(n, sizeof(*bars.items));
        if (!bars.items)
                return -ENOMEM;
        for (size_t i = 0; i < n; ++i)
                read_bar(&bars, json_array_get(processes, i), killed, end);
        build_tree(&bars, processes);
        limit = all ? 0 : fold_all(&bars, end);

        bars.at_most = all ? MAX_BARS : MAX_LINES;
        bars.label = choose_label(&bars);
        marks_init(&bars.marks, report, pen->width - bars.label - 1);
        marks_draw(&bars.marks, pen, bars.label + 1);
        draw_tree(&bars, bars.root);
        if (bars.n_hidden > 0)
                printf("and %u more\n", bars.n_hidden);
        if (limit > 0)
                printf("%s took less than %.3g s each; 'curfew show --all' has a line for each\n",
                        SHORT, limit);
        free(bars.items);
        return 0;
}
