// SPDX-License-Identifier: MIT
#include "cli/full/pen.h"
#include "cli/utf8.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define WIDTH_MIN 40
#define WIDTH_MAX 400

static bool is_set(const char *name) {
        const char *value = getenv(name);

        return value && value[0];
}

/* See no-color.org. A terminal of no name has no colours. */
static bool shows_color(void) {
        const char *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && !is_set("NO_COLOR") && term && term[0] &&
               strcmp(term, "dumb") != 0;
}

/* A locale that isn't installed still says what the terminal takes. */
static bool takes_utf8(void) {
        const char *name = is_set("LC_ALL")     ? getenv("LC_ALL")
                           : is_set("LC_CTYPE") ? getenv("LC_CTYPE")
                                                : getenv("LANG");

        if (!setlocale(LC_CTYPE, "") && name &&
                (strcasestr(name, "utf-8") || strcasestr(name, "utf8")))
                setlocale(LC_CTYPE, "C.UTF-8");
        return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static int measure(void) {
        struct winsize size = { 0 };
        const char *columns = getenv("COLUMNS");
        int width = 80;

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                width = size.ws_col;
        else if (columns && atoi(columns) > 0)
                width = atoi(columns);
        if (width < WIDTH_MIN)
                return WIDTH_MIN;
        return width < WIDTH_MAX ? width : WIDTH_MAX;
}

void pen_init(struct pen *pen) {
        *pen = (struct pen){
                .has_color = shows_color(),
                .is_utf8 = takes_utf8(),
                .width = measure(),
        };
}

void pen_color(const struct pen *pen, enum pen_color color) {
        static const char *const codes[] = {
                [PEN_PLAIN] = "",
                [PEN_BOLD] = "1",
                [PEN_DIM] = "2",
                [PEN_RED] = "31",
                [PEN_GREEN] = "32",
                [PEN_YELLOW] = "33",
                [PEN_BLUE] = "34",
        };

        if (pen->has_color)
                printf("\033[%sm", codes[color]);
}

void pen_glyph(const struct pen *pen, const char *utf8, const char *ascii) {
        fputs(pen->is_utf8 ? utf8 : ascii, stdout);
}

/* How many columns the character takes that a text begins with, or -1 if it is nothing to be shown;
 * its size in bytes goes to *ret. */
static int columns_of(const struct pen *pen, const char *text, size_t *ret) {
        uint32_t c = 0;
        size_t size = utf8_decode(text, &c);

        *ret = size > 0 ? size : 1;
        if (!utf8_is_plain(c) || (c >= 0x80 && !pen->is_utf8))
                return -1;
        return c < 0x80 ? 1 : wcwidth((wchar_t)c);
}

static int measure_text(const struct pen *pen, const char *text) {
        int n = 0;

        while (*text) {
                size_t size;
                int columns = columns_of(pen, text, &size);

                n += columns < 0 ? 1 : columns;
                text += size;
        }
        return n;
}

int pen_text(const struct pen *pen, const char *text, int columns) {
        bool is_cut = measure_text(pen, text) > columns;
        int room = is_cut ? columns - 1 : columns, n = 0;

        while (*text) {
                size_t size;
                int wanted = columns_of(pen, text, &size);

                if (n + (wanted < 0 ? 1 : wanted) > room)
                        break;
                if (wanted < 0)
                        putchar('?');
                else
                        fwrite(text, 1, size, stdout);
                n += wanted < 0 ? 1 : wanted;
                text += size;
        }
        if (is_cut && columns > 0) {
                pen_glyph(pen, "…", "~");
                ++n;
        }
        return n;
}

void pen_blank(int columns) {
        if (columns > 0)
                printf("%*s", columns, "");
}
