// SPDX-License-Identifier: MIT
#include "cli/full/json.h"
#include "cli/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                uint32_t unused;
                size_t character = utf8_decode(text + i, &unused);

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

/* In JSON they stand within strings only. */
static bool is_control(const char *text, size_t *ret_size, uint32_t *ret) {
        *ret_size = utf8_decode(text, ret);
        return *ret == 0x7f || (*ret >= 0x80 && *ret < 0xa0);
}

char *json_print(const json_t *json, size_t flags) {
        char *text = json_dumps(json, flags | JSON_REAL_PRECISION(15)), *safe, *out;
        size_t n = 0, size;
        uint32_t c;

        for (const char *p = text; p && *p; p += size)
                n += is_control(p, &size, &c);
        if (n == 0)
                return text;

        safe = out = malloc(strlen(text) + 5 * n + 1);
        for (const char *p = text; safe && *p; p += size)
                if (is_control(p, &size, &c))
                        out += sprintf(out, "\\u%04x", (unsigned)c);
                else
                        out = mempcpy(out, p, size);
        if (safe)
                *out = 0;
        free(text);
        return safe;
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
