// SPDX-License-Identifier: MIT
#include "cli/full/json.h"

#include <stdlib.h>
#include <string.h>

/* How many bytes the UTF-8 character that `text` begins with has; 0 if that is none. What is too
 * long, a surrogate or beyond the last is none, either. */
static size_t character_size(const unsigned char *text, size_t n) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned char first = text[0];
        size_t size = first < 0x80           ? 1
                      : (first >> 5) == 0x06 ? 2
                      : (first >> 4) == 0x0e ? 3
                      : (first >> 3) == 0x1e ? 4
                                             : 0;
        uint32_t c = first & (0x7fu >> size);

        if (size <= 1)
                return size;
        for (size_t i = 1; i < size; ++i) {
                if (i >= n || (text[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (text[i] & 0x3f);
        }
        return c < least[size] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff ? 0 : size;
}

json_t *json_text(const char *text) {
        static const char unknown[] = { '\xef', '\xbf', '\xbd' };
        size_t n = text ? strlen(text) : 0, size = 0;
        char *clean;
        json_t *json;

        if (!text)
                return json_null();
        json = json_stringn(text, n);
        if (json)
                return json;

        clean = malloc(3 * n + 1);
        if (!clean)
                return NULL;
        for (size_t i = 0; i < n;) {
                size_t character = character_size((const unsigned char *)text + i, n - i);

                if (character == 0)
                        memcpy(clean + size, unknown, sizeof(unknown));
                else
                        memcpy(clean + size, text + i, character);
                size += character == 0 ? 3 : character;
                i += character == 0 ? 1 : character;
        }
        json = json_stringn_nocheck(clean, size);
        free(clean);
        return json;
}

/* To the microsecond. */
json_t *json_seconds(int64_t duration) {
        if (duration < 0 || duration == CURFEW_FOREVER)
                return json_null();
        duration = (duration + 500) / 1000;
        return json_real((double)duration / 1e6);
}

json_t *json_error(int error) {
        return error < 0 ? json_text(strerror(-error)) : json_null();
}

json_t *json_signal(int signal) {
        return json_text(curfew_signal_name(signal));
}

json_t *json_whom(enum curfew_whom whom) {
        static const char *const names[] = {
                [CURFEW_TREE] = "tree",
                [CURFEW_GROUP] = "group",
                [CURFEW_LEADER] = "leader",
        };

        return json_string(names[whom]);
}

json_t *json_args(const struct process *process) {
        json_t *json = json_array();

        for (size_t i = 0; i < process->args_size; i += strlen(process->args + i) + 1)
                json_array_append_new(json, json_text(process->args + i));
        return json;
}

json_t *json_argv(const char *const argv[]) {
        json_t *json = json_array();

        for (size_t i = 0; argv[i]; ++i)
                json_array_append_new(json, json_text(argv[i]));
        return json;
}

json_t *json_sent(const struct curfew_step_taken *step) {
        return json_pack("{so so so si si so}", "time", json_seconds(step->at), "signal",
                json_signal(step->signal), "whom", json_whom(step->whom), "reached",
                (int)step->reached, "left_out", (int)step->left_out, "error",
                json_error(step->error));
}
