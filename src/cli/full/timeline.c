// SPDX-License-Identifier: MIT
#include "cli/full/timeline.h"
#include "cli/full/json.h"

#include <stdlib.h>
#include <string.h>

/*
 * The page is timeline.html, with the report in place of a marker: data for its script, which draws
 * it. In there '<' is the one character that could end the data or begin something else. JSON has
 * it within strings only, where it may be written as an escape.
 */

#define MARKER "@REPORT@</script>"

extern const unsigned char timeline_html[];
extern const size_t timeline_html_size;

static size_t count(const char *text, char c) {
        size_t n = 0;

        for (; *text; ++text)
                n += *text == c;
        return n;
}

static char *append_escaped(char *p, const char *text) {
        for (; *text; ++text)
                if (*text == '<')
                        p = stpcpy(p, "\\u003c");
                else
                        *p++ = *text;
        return p;
}

char *timeline_new(const json_t *report, size_t *ret_size) {
        const char *html = (const char *)timeline_html, *end = html + timeline_html_size;
        const char *marker = memmem(html, timeline_html_size, MARKER, strlen(MARKER));
        char *data = json_print(report, JSON_COMPACT), *page = NULL, *p;

        if (data)
                page = malloc(timeline_html_size + strlen(data) + 5 * count(data, '<'));
        if (page) {
                p = mempcpy(page, html, (size_t)(marker - html));
                p = append_escaped(p, data);
                marker += strlen("@REPORT@");
                p = mempcpy(p, marker, (size_t)(end - marker));
                *ret_size = (size_t)(p - page);
        }
        free(data);
        return page;
}
