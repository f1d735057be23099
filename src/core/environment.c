// SPDX-License-Identifier: MIT
#include "core/environment.h"
#include "base/clock.h"
#include "core/deadline.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * An environment is the outcome of a sequence of settings and removals by name, each of which has
 * to find what was said of that name before. Every start builds one, and environments of a few
 * hundred entries are common, so that names are found by a hash table. It lives in the same
 * allocation as the result:
 *
 *         entries, NULL | slots of the table | text of the defaults
 *
 * A slot holds an entry's index + 1, or 0. A removal is an entry like any other while this lasts:
 * the bare name takes the place of the setting, a later setting takes the place of the bare name,
 * and those that are left are squeezed out at the end. Malformed entries that are to be kept never
 * get into the table, which tells the two apart.
 */

#define PWD      "PWD="
#define DEADLINE "CURFEW_DEADLINE="

struct builder {
        char **entries;
        size_t n;
        uint32_t *slots;
        size_t mask; /* their number - 1 */
};

static size_t count(const char *const *list) {
        size_t n = 0;

        while (list && list[n])
                ++n;
        return n;
}

static size_t name_length(const char *entry) {
        return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b) {
        size_t n = name_length(a);

        return n == name_length(b) && memcmp(a, b, n) == 0;
}

/* FNV-1a. */
static uint32_t hash_name(const char *entry) {
        uint32_t hash = 2166136261U;

        for (; *entry && *entry != '='; ++entry)
                hash = (hash ^ (unsigned char)*entry) * 16777619U;
        return hash;
}

/* The slot of an entry's name: its own, or the free one where it belongs. */
static uint32_t *find_slot(const struct builder *builder, const char *entry) {
        for (size_t i = hash_name(entry);; ++i) {
                uint32_t *slot = &builder->slots[i & builder->mask];

                if (*slot == 0 || same_name(builder->entries[*slot - 1], entry))
                        return slot;
        }
}

static void append(struct builder *builder, const char *entry) {
        builder->entries[builder->n++] = (char *)entry;
}

static void set(struct builder *builder, const char *entry) {
        uint32_t *slot = find_slot(builder, entry);

        if (*slot > 0) {
                builder->entries[*slot - 1] = (char *)entry;
        } else {
                append(builder, entry);
                *slot = (uint32_t)builder->n;
        }
}

static bool is_earlier(const char *entry, int64_t deadline) {
        int64_t other;

        return strchr(entry, '=') && deadline_parse(entry + strlen(DEADLINE), &other) == 0 &&
               other <= deadline;
}

static void set_base(struct builder *builder, const char *const *base) {
        for (; base && *base; ++base) {
                size_t n = name_length(*base);

                if (n > 0 && (*base)[n] == '=')
                        set(builder, *base);
                else if (**base)
                        append(builder, *base);
        }
}

/* Whether they name PWD. */
static bool set_edits(struct builder *builder, const char *const *edits) {
        bool pwd = false;

        for (; edits && *edits; ++edits) {
                set(builder, *edits);
                pwd = pwd || same_name(*edits, PWD);
        }
        return pwd;
}

static void set_deadline(struct builder *builder, int64_t deadline, char *text) {
        uint32_t slot = *find_slot(builder, DEADLINE);

        if (slot > 0 && is_earlier(builder->entries[slot - 1], deadline))
                return;
        sprintf(text, DEADLINE "%" PRId64, deadline);
        set(builder, text);
}

static void squeeze_out_removals(struct builder *builder) {
        size_t n = 0;

        for (size_t i = 0; i < builder->n; ++i) {
                char *entry = builder->entries[i];

                if (strchr(entry, '=') || *find_slot(builder, entry) != i + 1)
                        builder->entries[n++] = entry;
        }
        builder->entries[n] = NULL;
}

int environment_build(const char *const *base, const char *const *edits, const char *pwd,
        int64_t deadline, char ***ret) {
        size_t max = count(base) + count(edits) + 2, n_slots = 1;
        size_t size_pwd = pwd ? strlen(PWD) + strlen(pwd) + 1 : 0;
        size_t size_deadline = sizeof(DEADLINE "-9223372036854775808");
        struct builder builder = { .n = 0 };
        char *text;

        while (n_slots < 2 * max)
                n_slots *= 2;

        builder.entries = calloc(1, (max + 1) * sizeof(*builder.entries) +
                                            n_slots * sizeof(*builder.slots) + size_pwd +
                                            size_deadline);
        if (!builder.entries)
                return -ENOMEM;
        builder.slots = (uint32_t *)(builder.entries + max + 1);
        builder.mask = n_slots - 1;
        text = (char *)(builder.slots + n_slots);

        set_base(&builder, base);
        if (!set_edits(&builder, edits) && pwd) {
                sprintf(text, PWD "%s", pwd);
                set(&builder, text);
        }
        if (deadline != CLOCK_NEVER)
                set_deadline(&builder, deadline, text + size_pwd);
        squeeze_out_removals(&builder);

        *ret = builder.entries;
        return 0;
}
