// SPDX-License-Identifier: MIT
#include "core/value.h"

struct value {
        struct ctx_of_kind base;
        const void *key;
        void *value;
        void (*release)(void *value);
};

static bool value_find(const struct curfew_ctx **ctx, const void *key, void **ret) {
        const struct value *value = container_of(*ctx, const struct value, base.ctx);

        if (value->key == key)
                *ret = value->value;
        else
                *ctx = value->base.ctx.parent;
        return value->key == key;
}

static void value_free(struct curfew_ctx *ctx, struct list *dead _unused_) {
        struct value *value = container_of(ctx, struct value, base.ctx);

        if (value->release)
                value->release(value->value);
}

static const struct ctx_kind value_kind = { .find = value_find, .free = value_free };

int value_new(struct curfew_ctx *parent, const void *key, void *value, void (*release)(void *value),
        struct curfew_ctx **ret) {
        struct curfew_ctx *ctx;
        struct value *own;
        int r;

        r = ctx_alloc(sizeof(*own), &value_kind, parent, false, &ctx);
        if (r < 0)
                return r;

        own = container_of(ctx, struct value, base.ctx);
        own->key = key;
        own->value = value;
        own->release = release;
        ctx_attach(ctx, parent);
        *ret = ctx;
        return 0;
}
