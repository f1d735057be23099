// SPDX-License-Identifier: MIT
#include "base/ascii.h"
#include "core/duration.h"
#include "core/signal.h"
#include "curfew.h"

#include <string.h>

/* "[whom:]SIGNAL[:GRACE]", with commas between the steps. Neither a signal nor a duration has a
 * comma or a colon in it, so each part ends at the next one. */

static const char *find_end(const char *text, const char *end, char separator) {
        const char *found = memchr(text, separator, (size_t)(end - text));

        return found ?: end;
}

static bool word_is(const char *text, const char *end, const char *word) {
        return (size_t)(end - text) == strlen(word) && ascii_begins(text, end, word);
}

static bool parse_whom(const char *text, const char *end, enum curfew_whom *ret) {
        if (word_is(text, end, "tree"))
                *ret = CURFEW_TREE;
        else if (word_is(text, end, "group"))
                *ret = CURFEW_GROUP;
        else if (word_is(text, end, "leader"))
                *ret = CURFEW_LEADER;
        else
                return false;
        return true;
}

static int parse_step(const char *text, const char *end, struct curfew_step *ret) {
        struct curfew_step step = { 0 };
        const char *colon = find_end(text, end, ':');
        int r;

        if (colon < end && parse_whom(text, colon, &step.whom)) {
                text = colon + 1;
                colon = find_end(text, end, ':');
        }

        r = signal_parse(text, colon, &step.signal);
        if (r < 0 || step.signal == 0)
                return -EINVAL;

        if (colon < end) {
                r = duration_parse(colon + 1, end, &step.grace);
                if (r < 0)
                        return r;
                if (step.grace == 0)
                        step.grace = CURFEW_NO_GRACE;
        }

        *ret = step;
        return 0;
}

_public_ int curfew_plan_parse(const char *text, struct curfew_step ret[]) {
        struct curfew_step plan[CURFEW_MAX_STEPS] = { 0 };
        const char *end;
        size_t n = 0;

        if (!text || !ret)
                return -EINVAL;

        for (end = text + strlen(text);; ++text, ++n) {
                const char *comma = find_end(text, end, ',');
                int r;

                if (n == CURFEW_MAX_STEPS)
                        return -E2BIG;
                r = parse_step(text, comma, &plan[n]);
                if (r < 0)
                        return r;
                text = comma;
                if (comma == end)
                        break;
        }

        memcpy(ret, plan, sizeof(plan));
        return 0;
}
