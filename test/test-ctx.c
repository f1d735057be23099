// SPDX-License-Identifier: MIT

/* The tree of contexts from inside: its links, its memory, its shapes, and threads in it. */

#include "base/clock.h"
#include "core/ctx.h"
#include "core/deadline.h"
#include "core/merge.h"
#include "core/source.h"
#include "core/value.h"
#include "test.h"

#include <pthread.h>

#define MILLION 1000000

static const struct curfew_cause plain = { 0, NULL };

static struct curfew_ctx *derive(struct curfew_ctx *parent) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(ctx_new(parent, &ctx), 0);
        return ctx;
}

static struct curfew_ctx *derive_deadline(struct curfew_ctx *parent, int64_t deadline) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(ctx_new_with_deadline(parent, deadline, plain, &ctx), 0);
        return ctx;
}

/* Allocations are counted; see the link arguments. */

static atomic_ulong allocations;
static unsigned long fail_at;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

static bool fails(void) {
        return atomic_fetch_add(&allocations, 1) + 1 == fail_at;
}

void *__wrap_malloc(size_t size) {
        return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
        return fails() ? NULL : __real_calloc(n, size);
}

char *__wrap_strdup(const char *text) {
        return fails() ? NULL : __real_strdup(text);
}

static unsigned long count_from(unsigned long *mark) {
        unsigned long n = atomic_load(&allocations) - *mark;

        *mark += n;
        return n;
}

static void do_nothing(void *arg) {
        (void)arg;
}

/* go 18 */
static void test_allocations(void) {
        static const int key;
        unsigned long mark = atomic_load(&allocations);
        struct curfew_ctx *root = derive(NULL), *child, *deadline, *value = NULL;
        struct curfew_after *first, *second;

        assert_eq(count_from(&mark), 1);
        child = derive(root);
        assert_eq(count_from(&mark), 1);
        deadline = derive_deadline(child, 1000);
        assert_eq(count_from(&mark), 1);
        assert_eq(value_new(deadline, &key, NULL, NULL, &value), 0);
        assert_eq(count_from(&mark), 1);
        assert_eq(ctx_after(value, do_nothing, NULL, &first), 0);
        assert_eq(count_from(&mark), 2); /* itself, and the list that it is the first on */
        assert_eq(ctx_after(value, do_nothing, NULL, &second), 0);
        assert_eq(count_from(&mark), 1);
        assert_eq(ctx_look(value, 1000), -ETIMEDOUT);
        ctx_cancel(root, plain);
        assert_eq(count_from(&mark), 0);
        curfew_after_free(first);
        curfew_after_free(second);
        curfew_ctx_unref(value);
        curfew_ctx_unref(deadline);
        curfew_ctx_unref(child);
        curfew_ctx_unref(root);
}

/* With the word that malloc adds, a node is a cache line. */
static void test_size(void) {
        assert_le(sizeof(struct curfew_ctx) + sizeof(size_t), 64);
}

/* A source that is looked at: it counts, and cancels its context when it is told to. */
struct fake {
        struct source source;
        unsigned looks, frees;
        bool fires;
};

static int fake_look(struct source *source, char ret_text[SOURCE_TEXT]) {
        struct fake *fake = container_of(source, struct fake, source);

        ++fake->looks;
        snprintf(ret_text, SOURCE_TEXT, "source");
        return fake->fires ? 7 : 0;
}

static void fake_free(struct source *source) {
        ++container_of(source, struct fake, source)->frees;
}

static struct fake fake_new(void) {
        return (struct fake){ .source = { .fd = -1, .look = fake_look, .free = fake_free } };
}

static unsigned released;

static void count_release(void *value) {
        (void)value;
        ++released;
}

/* Every kind of birth, with the k-th allocation failing: -ENOMEM, nothing kept, the result alone.
 */
static int build_one(
        unsigned kind, struct curfew_ctx *parent, struct fake *fake, struct curfew_ctx **ret) {
        const struct curfew_cause cause = { 1, "text" };
        static const int key;

        switch (kind) {
        case 0: return ctx_new_with_deadline(parent, 1000, cause, ret);
        case 1: return ctx_new_without_cancel(parent, ret);
        case 2: return value_new(parent, &key, NULL, count_release, ret);
        case 3: return source_new(parent, &fake->source, ret);
        default: return merge_new((struct curfew_ctx *[]){ parent, parent }, 2, ret);
        }
}

static void test_out_of_memory(void) {
        struct fake outer = fake_new(), fake = fake_new();
        struct curfew_ctx *parent = NULL;

        assert_eq(source_new(NULL, &outer.source, &parent), 0);
        for (unsigned kind = 0; kind < 5; ++kind) {
                for (unsigned k = 1;; ++k) {
                        struct curfew_ctx *ctx = parent;
                        int r;

                        fail_at = atomic_load(&allocations) + k;
                        r = build_one(kind, parent, &fake, &ctx);
                        fail_at = 0;
                        assert_eq(atomic_load(&parent->refs) == 1, r < 0);
                        if (r == 0) {
                                assert_gt(k, 1);
                                curfew_ctx_unref(ctx);
                                break;
                        }
                        assert_eq(r, -ENOMEM);
                        assert_true(ctx == parent);
                        assert_eq(released, kind > 2);
                        assert_eq(fake.frees, kind > 3);
                        assert_null(parent->children);
                        assert_true(!parent->sequel || list_is_empty(&parent->sequel->hooks));
                }
        }
        assert_eq(released, 1);
        assert_eq(fake.frees, 1);
        curfew_ctx_unref(parent);
        assert_eq(outer.frees, 1);
}

static void test_after_without_memory(void) {
        struct curfew_ctx *ctx = derive(NULL);
        struct curfew_after *after = (struct curfew_after *)ctx;

        for (unsigned k = 1; k <= 2; ++k) {
                fail_at = atomic_load(&allocations) + k;
                assert_eq(ctx_after(ctx, do_nothing, NULL, &after), -ENOMEM);
                fail_at = 0;
                assert_true(after == (struct curfew_after *)ctx);
                assert_eq(atomic_load(&ctx->refs), 1);
        }
        curfew_ctx_unref(ctx);
}

/* A cancel can't fail; its text can. */
static void test_cancel_without_memory(void) {
        struct curfew_ctx *ctx = derive(NULL);
        const struct curfew_cause cause = { 12, "a text" };

        fail_at = atomic_load(&allocations) + 1;
        assert_eq(ctx_cancel(ctx, cause), -ENOMEM);
        fail_at = 0;
        assert_eq(ctx_look(ctx, 0), -ECANCELED);
        assert_eq(ctx_get_cause(ctx).code, 12);
        assert_null(ctx_get_cause(ctx).text);

        fail_at = atomic_load(&allocations) + 1;
        assert_eq(ctx_cancel(ctx, cause), 0); /* done already: nothing to be kept */
        fail_at = 0;
        curfew_ctx_unref(ctx);
}

/* go 4, 5, 6: a parent lists the live children, and only these. */
static void test_children_unlink(void) {
        struct curfew_ctx *parent = derive(NULL), *a = derive(parent),
                          *b = derive_deadline(parent, 5), *c = derive(parent), *last;
        struct curfew_after *after;

        ctx_cancel(a, plain);
        assert_eq(ctx_look(parent, 0), 0);
        assert_true(parent->children == &b->sibling);
        assert_true(parent->children->next == &c->sibling);
        assert_true(parent->children->prev == &c->sibling);
        assert_true(c->sibling.next == &b->sibling);
        assert_eq(ctx_look(b, 5), -ETIMEDOUT);
        assert_true(parent->children == &c->sibling);
        assert_false(list_is_linked(&c->sibling));
        curfew_ctx_unref(c);
        assert_null(parent->children);

        assert_eq(ctx_after(parent, do_nothing, NULL, &after), 0);
        assert_false(list_is_empty(&parent->sequel->afters));
        assert_eq(curfew_after_stop(after), 1);
        assert_true(list_is_empty(&parent->sequel->afters));
        curfew_after_free(after);

        c = derive(parent);
        last = derive(parent);
        assert_true(parent->children->prev == &last->sibling);
        curfew_ctx_unref(last);
        assert_true(parent->children == &c->sibling);
        assert_false(list_is_linked(&c->sibling));
        ctx_cancel(parent, plain);
        assert_null(parent->children);
        curfew_ctx_unref(a);
        curfew_ctx_unref(b);
        curfew_ctx_unref(c);
        assert_eq(atomic_load(&parent->refs), 1);
        curfew_ctx_unref(parent);
}

/* The cause is that of the nearest above, or itself, where an end began. */
static void test_causes(void) {
        struct curfew_ctx *top = derive(NULL), *a = derive(top), *below_a = derive(a),
                          *b = derive(top), *owner = NULL, *below_owner, *late_a, *late_b;

        assert_eq(ctx_new_with_deadline(b, 100, (struct curfew_cause){ 3, "three" }, &owner), 0);
        below_owner = derive_deadline(owner, 200);
        ctx_cancel(a, (struct curfew_cause){ 1, "one" });
        assert_eq(ctx_look(below_owner, 100), -ETIMEDOUT);
        late_a = derive(below_a);
        ctx_cancel(top, (struct curfew_cause){ 2, NULL });
        late_b = derive(b);

        assert_str(ctx_get_cause(a).text, "one");
        assert_str(ctx_get_cause(below_a).text, "one");
        assert_str(ctx_get_cause(late_a).text, "one");
        assert_str(ctx_get_cause(owner).text, "three");
        assert_str(ctx_get_cause(below_owner).text, "three");
        assert_eq(ctx_get_err(below_owner), -ETIMEDOUT);
        assert_eq(ctx_get_cause(b).code, 2);
        assert_eq(ctx_get_cause(late_b).code, 2);
        assert_eq(ctx_get_err(late_b), -ECANCELED);
        assert_eq(late_a->terms->deadline, CLOCK_NEVER);
        assert_eq(below_owner->terms->deadline, 100);

        curfew_ctx_unref(top);
        curfew_ctx_unref(a);
        curfew_ctx_unref(below_a);
        curfew_ctx_unref(late_a);
        curfew_ctx_unref(b);
        curfew_ctx_unref(late_b);
        curfew_ctx_unref(owner);
        curfew_ctx_unref(below_owner);
}

/* The deadline's owner ends, and all below it, whichever of them is looked at. */
static void test_expiry_ends_the_owner(void) {
        struct curfew_ctx *top = derive(NULL), *owner = derive_deadline(top, 100),
                          *a = derive(owner), *b = derive_deadline(a, 200), *c = derive(owner);

        assert_eq(ctx_look(b, 99), 0);
        assert_eq(ctx_look(b, 100), -ETIMEDOUT);
        assert_eq(atomic_load(&owner->err), -ETIMEDOUT);
        assert_eq(atomic_load(&a->err), -ETIMEDOUT);
        assert_eq(atomic_load(&c->err), -ETIMEDOUT);
        assert_eq(atomic_load(&top->err), 0);
        curfew_ctx_unref(owner);
        curfew_ctx_unref(a);
        curfew_ctx_unref(b);
        curfew_ctx_unref(c);
        curfew_ctx_unref(top);
}

/* Sources are looked at from the outermost on, as long as that changes nothing, and for nothing
 * once the context is done. */
static void test_sources(void) {
        struct fake outer = fake_new(), inner = fake_new();
        struct curfew_ctx *top = NULL, *below = NULL, *other = derive(NULL), *merged = NULL;

        assert_eq(source_new(NULL, &outer.source, &top), 0);
        assert_eq(source_new(top, &inner.source, &below), 0);
        assert_eq(merge_new((struct curfew_ctx *[]){ other, below }, 2, &merged), 0);
        assert_true(merged->terms->sources == below->terms->sources);
        assert_eq(merged->terms->sources->n, 2);
        assert_eq(ctx_look(merged, 0), 0);
        assert_eq(ctx_look(top, 0), 0);
        assert_eq(outer.looks, 2);
        assert_eq(inner.looks, 1);

        outer.fires = inner.fires = true;
        assert_eq(ctx_look(merged, 0), -ECANCELED);
        assert_eq(outer.looks, 3);
        assert_eq(inner.looks, 1);
        assert_eq(ctx_get_err(below), -ECANCELED);
        assert_str(ctx_get_cause(merged).text, "source");
        assert_eq(ctx_look(merged, 0), -ECANCELED);
        assert_eq(outer.looks, 3);
        assert_eq(ctx_get_err(other), 0);

        curfew_ctx_unref(top);
        curfew_ctx_unref(below);
        curfew_ctx_unref(other);
        assert_eq(outer.frees + inner.frees, 0);
        curfew_ctx_unref(merged);
        assert_eq(outer.frees, 1);
        assert_eq(inner.frees, 1);
}

/* Each is looked at once, on however many ways it is above. */
static void test_sources_that_are_shared(void) {
        struct fake fakes[3] = { fake_new(), fake_new(), fake_new() };
        struct curfew_ctx *tops[3] = { NULL }, *last = NULL;

        for (unsigned i = 0; i < 3; ++i)
                assert_eq(source_new(NULL, &fakes[i].source, &tops[i]), 0);
        last = curfew_ctx_ref(tops[0]);
        for (unsigned i = 0; i < 100; ++i) {
                struct curfew_ctx *other = derive(last), *next = NULL;

                assert_eq(merge_new((struct curfew_ctx *[]){ last, tops[i % 3], other }, 3, &next),
                        0);
                curfew_ctx_unref(last);
                curfew_ctx_unref(other);
                last = next;
        }
        assert_eq(last->terms->sources->n, 3);
        assert_eq(ctx_look(last, 0), 0);
        for (unsigned i = 0; i < 3; ++i)
                assert_eq(fakes[i].looks, 1);
        fakes[1].fires = true;
        assert_eq(ctx_look(last, 0), -ECANCELED);
        assert_eq(ctx_get_cause(last).code, 7);
        for (unsigned i = 0; i < 3; ++i)
                curfew_ctx_unref(tops[i]);
        curfew_ctx_unref(last);
        for (unsigned i = 0; i < 3; ++i)
                assert_eq(fakes[i].frees, 1);
}

/* A look that calls nothing yet, and what it leaves to be called. */
static void count_call(void *arg) {
        ++*(unsigned *)arg;
}

static void test_quiet_look(void) {
        struct curfew_ctx *owner = derive_deadline(NULL, 100), *child = derive(owner),
                          *merged = NULL;
        struct after_queue queue;
        struct curfew_after *after;
        unsigned calls = 0, never = 0;

        assert_eq(merge_new(&child, 1, &merged), 0);
        assert_eq(ctx_after(owner, count_call, &calls, NULL), 0);
        assert_eq(ctx_after(merged, count_call, &calls, NULL), 0);
        assert_eq(ctx_after(merged, count_call, &never, &after), 0);
        after_queue_init(&queue, ctx_get_root(merged));
        assert_eq(ctx_look_quietly(merged, 99, &queue), 0);
        assert_false(queue.in_use);
        assert_eq(ctx_look_quietly(merged, 100, &queue), -ETIMEDOUT);
        assert_eq(ctx_get_err(owner), -ETIMEDOUT);
        assert_eq(calls, 0);
        curfew_after_free(after);
        curfew_ctx_unref(owner);
        curfew_ctx_unref(child);
        curfew_ctx_unref(merged);
        after_queue_run(&queue);
        after_queue_run(&queue);
        assert_eq(calls, 2);
        assert_eq(never, 0);
}

/* A hook is called once, at once where the end has been, and not after it was removed. */
struct counter {
        struct ctx_hook hook;
        unsigned calls;
};

static void count_hook(struct ctx_hook *hook, struct ctx_ending *ending) {
        (void)ending;
        ++container_of(hook, struct counter, hook)->calls;
}

static void test_hooks(void) {
        struct counter a = { .hook = { .fn = count_hook } }, b = a, c = a;
        struct curfew_ctx *ctx = derive(NULL);

        assert_eq(ctx_prepare_sequel(ctx), 0);
        ctx_add_hook(ctx, &a.hook);
        ctx_add_hook(ctx, &b.hook);
        ctx_remove_hook(ctx, &b.hook);
        ctx_cancel(ctx, plain);
        ctx_add_hook(ctx, &c.hook);
        ctx_settle(ctx);
        ctx_cancel(ctx, plain);
        assert_eq(a.calls, 1);
        assert_eq(b.calls, 0);
        assert_eq(c.calls, 1);
        ctx_remove_hook(ctx, &a.hook);
        ctx_remove_hook(ctx, &c.hook);
        curfew_ctx_unref(ctx);
}

/* Its deadline may be in another tree: then the owner and all merges of it end, too. */
static void test_merge_expires(void) {
        struct curfew_ctx *owner = derive_deadline(NULL, 100), *other = derive_deadline(NULL, 200),
                          *merged[3] = { NULL }, *child;

        assert_eq(merge_new((struct curfew_ctx *[]){ NULL, other, owner }, 3, &merged[0]), 0);
        assert_eq(merge_new(&merged[0], 1, &merged[1]), 0);
        assert_eq(merge_new(&owner, 1, &merged[2]), 0);
        child = derive_deadline(merged[1], 150);
        assert_eq(child->terms->deadline, 100);
        assert_eq(ctx_look(child, 99), 0);
        assert_eq(ctx_look(child, 100), -ETIMEDOUT);
        for (unsigned i = 0; i < 3; ++i)
                assert_eq(ctx_get_err(merged[i]), -ETIMEDOUT);
        assert_eq(ctx_get_err(owner), -ETIMEDOUT);
        assert_eq(ctx_look(other, 199), 0);
        curfew_ctx_unref(child);
        for (unsigned i = 0; i < 3; ++i)
                curfew_ctx_unref(merged[i]);
        curfew_ctx_unref(owner);
        curfew_ctx_unref(other);
}

static struct curfew_ctx *derive_value(
        struct curfew_ctx *parent, const void *key, void *value, void (*release)(void *value)) {
        struct curfew_ctx *ctx = NULL;

        assert_eq(value_new(parent, key, value, release, &ctx), 0);
        return ctx;
}

/* In the order of the parents, and what is found first ends the search. */
static void test_merge_finds_in_order(void) {
        static const int a, b, c;
        char one, two, three;
        struct curfew_ctx *first = derive_value(NULL, &a, &one, NULL),
                          *middle = derive_value(NULL, &a, &two, NULL),
                          *second = derive_value(middle, &b, &two, NULL),
                          *third = derive_value(NULL, &c, &three, NULL), *inner = NULL,
                          *outer = NULL;
        void *value = NULL;

        assert_eq(merge_new((struct curfew_ctx *[]){ first, second }, 2, &inner), 0);
        assert_eq(merge_new((struct curfew_ctx *[]){ NULL, inner, third }, 3, &outer), 0);
        assert_true(value_find(outer, &a, &value));
        assert_true(value == &one);
        assert_true(value_find(outer, &b, &value));
        assert_true(value == &two);
        assert_true(value_find(outer, &c, &value));
        assert_true(value == &three);
        assert_false(value_find(outer, &value, &value));
        assert_true(value == &three);
        curfew_ctx_unref(first);
        curfew_ctx_unref(middle);
        curfew_ctx_unref(second);
        curfew_ctx_unref(third);
        curfew_ctx_unref(inner);
        curfew_ctx_unref(outer);
}

static void cancel_value(void *ctx) {
        ctx_cancel(ctx, plain);
}

static void set_flag(void *flag) {
        *(bool *)flag = true;
}

/* A merge that nobody holds any more, but that has not been freed, when its parent ends: the value
 * that goes before it ends the parent. It is gone, so nothing follows from that. */
static void test_merge_told_when_dead(void) {
        static const int key;
        struct curfew_ctx *parent = derive(NULL), *merged = NULL, *both = NULL,
                          *value = derive_value(NULL, &key, parent, cancel_value);
        bool called = false;

        assert_eq(merge_new(&parent, 1, &merged), 0);
        assert_eq(ctx_after(merged, set_flag, &called, NULL), 0);
        assert_eq(merge_new((struct curfew_ctx *[]){ value, merged }, 2, &both), 0);
        curfew_ctx_unref(value);
        curfew_ctx_unref(merged);
        curfew_ctx_unref(both);
        assert_false(called);
        assert_eq(ctx_get_err(parent), -ECANCELED);
        assert_eq(atomic_load(&parent->refs), 1);
        curfew_ctx_unref(parent);
}

/* Letting go of a context that is just ending, or of a merge that is just being told, waits until
 * it has: its bell, which holds that up, is freed only after it has rung. */
struct hold {
        struct ctx_bell bell;
        int entered[2], leave[2];
        atomic_bool left;
};

static void hold_ring(struct ctx_hook *hook, struct ctx_ending *ending) {
        struct hold *hold = container_of(hook, struct hold, bell.hook);
        char c;

        (void)ending;
        assert_eq(write(hold->entered[1], "x", 1), 1);
        assert_eq(read(hold->leave[0], &c, 1), 1);
        atomic_store(&hold->left, true);
}

static void hold_free(struct ctx_bell *bell) {
        assert_true(atomic_load(&container_of(bell, struct hold, bell)->left));
}

static void *cancel_it(void *ctx) {
        ctx_cancel(ctx, plain);
        return NULL;
}

static void test_goes_while_rung(bool is_merge) {
        struct hold hold = { .bell = { { .fn = hold_ring }, hold_free } };
        struct curfew_ctx *parent = derive(NULL), *ctx = is_merge ? NULL : derive(parent);
        pthread_t thread;
        char c;

        assert_eq(pipe(hold.entered), 0);
        assert_eq(pipe(hold.leave), 0);
        if (is_merge)
                assert_eq(merge_new(&parent, 1, &ctx), 0);
        assert_eq(ctx_prepare_sequel(ctx), 0);
        assert_null(ctx_set_bell(ctx, &hold.bell));
        assert_true(
                ctx_set_bell(ctx, &(struct ctx_bell){ { .fn = hold_ring }, NULL }) == &hold.bell);

        assert_eq(pthread_create(&thread, NULL, cancel_it, parent), 0);
        assert_eq(read(hold.entered[0], &c, 1), 1);
        assert_eq(write(hold.leave[1], "x", 1), 1);
        curfew_ctx_unref(ctx);
        assert_eq(pthread_join(thread, NULL), 0);
        for (unsigned i = 0; i < 2; ++i) {
                close(hold.entered[i]);
                close(hold.leave[i]);
        }
        curfew_ctx_unref(parent);
}

/* A chain of a million: cancelled from the top, then let go of from either end. */
static void test_chain(bool free_top_first) {
        static struct curfew_ctx *chain[MILLION];

        for (unsigned i = 0; i < MILLION; ++i)
                chain[i] = derive(i > 0 ? chain[i - 1] : NULL);
        ctx_cancel(chain[0], plain);
        assert_eq(ctx_look(chain[MILLION - 1], 0), -ECANCELED);
        for (unsigned i = 0; i < MILLION; ++i)
                curfew_ctx_unref(chain[free_top_first ? i : MILLION - 1 - i]);
}

/* The same live, held by its last link alone. */
static void test_chain_held_by_its_end(void) {
        struct curfew_ctx *last = NULL;

        for (unsigned i = 0; i < MILLION; ++i) {
                struct curfew_ctx *next = derive(last);

                curfew_ctx_unref(last);
                last = next;
        }
        assert_eq(ctx_look(last, 0), 0);
        curfew_ctx_unref(last);
}

static void test_million_children(void) {
        static struct curfew_ctx *children[MILLION];
        struct curfew_ctx *parent = derive(NULL);

        for (unsigned i = 0; i < MILLION; ++i)
                children[i] = derive(parent);
        ctx_cancel(parent, plain);
        for (unsigned i = 0; i < MILLION; ++i) {
                assert_eq(ctx_look(children[i], 0), -ECANCELED);
                curfew_ctx_unref(children[i]);
        }
        curfew_ctx_unref(parent);
}

/* Merges of merges follow one after the other, without a frame for each. */
static void test_chain_of_merges(void) {
        enum { N = 100000 };
        static struct curfew_ctx *chain[N];
        static const int key;
        void *value = NULL;

        assert_eq(value_new(NULL, &key, chain, NULL, &chain[0]), 0);
        for (unsigned i = 1; i < N; ++i)
                assert_eq(merge_new(&chain[i - 1], 1, &chain[i]), 0);
        assert_true(value_find(chain[N - 1], &key, &value));
        assert_true(value == chain);
        assert_false(value_find(chain[N - 1], chain, &value));
        ctx_cancel(chain[0], plain);
        assert_eq(ctx_look(chain[N - 1], 0), -ECANCELED);
        for (unsigned i = 0; i < N; ++i)
                curfew_ctx_unref(chain[i]);
}

static void *all_shapes(void *arg) {
        (void)arg;
        test_chain(false);
        test_chain(true);
        test_chain_held_by_its_end();
        test_million_children();
        test_chain_of_merges();
        return NULL;
}

/* On a stack that no recursion of that depth would fit into. */
static void test_shapes_on_a_small_stack(void) {
        pthread_attr_t attr;
        pthread_t thread;

        assert_eq(pthread_attr_init(&attr), 0);
        assert_eq(pthread_attr_setstacksize(&attr, 128 << 10), 0);
        assert_eq(pthread_create(&thread, &attr, all_shapes, NULL), 0);
        assert_eq(pthread_join(thread, NULL), 0);
        pthread_attr_destroy(&attr);
}

/* Threads that derive, cancel, merge, register and let go in one tree, while it ends. */
static void *busy(void *arg) {
        struct curfew_ctx *shared = arg;
        unsigned state = (unsigned)(uintptr_t)pthread_self();

        for (unsigned i = 0; i < 2000; ++i) {
                struct curfew_ctx *child = derive(shared), *merged = NULL, *other = derive(NULL);
                struct curfew_after *after = NULL;

                state = state * 1103515245 + 12345;
                assert_eq(merge_new((struct curfew_ctx *[]){ other, child }, 2, &merged), 0);
                assert_eq(ctx_after(merged, do_nothing, NULL, state & 1 << 16 ? &after : NULL), 0);
                if (state & 1 << 17)
                        ctx_cancel(state & 1 << 18 ? child : other, plain);
                if (state & 1 << 19)
                        curfew_after_free(after), after = NULL;
                curfew_ctx_unref(child);
                if (i == 1000)
                        ctx_cancel(shared, plain);
                assert_true(ctx_look(merged, 0) == 0 || ctx_look(merged, 0) == -ECANCELED);
                curfew_ctx_unref(merged);
                curfew_after_free(after);
                curfew_ctx_unref(other);
        }
        return NULL;
}

static void test_threads(void) {
        for (unsigned round = 0; round < 3; ++round) {
                struct curfew_ctx *shared = derive(NULL);
                pthread_t threads[4];

                for (unsigned i = 0; i < 4; ++i)
                        assert_eq(pthread_create(&threads[i], NULL, busy, shared), 0);
                for (unsigned i = 0; i < 4; ++i)
                        assert_eq(pthread_join(threads[i], NULL), 0);
                assert_eq(atomic_load(&shared->refs), 1);
                assert_null(shared->children);
                curfew_ctx_unref(shared);
        }
}

/* A merge that is let go of just while a parent ends on another thread: by itself, or with what is
 * below it. */
static void test_merge_freed_while_told(void) {
        for (unsigned i = 0; i < 1000; ++i) {
                struct curfew_ctx *parent = derive(NULL), *merged = NULL, *last;
                pthread_t thread;

                assert_eq(merge_new(&parent, 1, &merged), 0);
                if (i % 4 < 2)
                        assert_eq(ctx_after(merged, do_nothing, NULL, NULL), 0);
                last = i % 2 == 0 ? curfew_ctx_ref(merged) : derive(merged);
                curfew_ctx_unref(merged);
                assert_eq(pthread_create(&thread, NULL, cancel_it, parent), 0);
                curfew_ctx_unref(last);
                assert_eq(pthread_join(thread, NULL), 0);
                assert_eq(atomic_load(&parent->refs), 1);
                curfew_ctx_unref(parent);
        }
}

/* The deadline that goes from process to process. */
static void test_deadline_parse(void) {
        static const char *const broken[] = { "", "-1", "+1", " 1", "1 ", "0x10", "1e9", "now",
                "1:", "1/", "9223372036854775808", "18446744073709551617",
                "99999999999999999999999999" };
        int64_t deadline = 5;

        for (unsigned i = 0; i < ARRAY_SIZE(broken); ++i) {
                assert_eq(deadline_parse(broken[i], &deadline), -EINVAL);
                assert_eq(deadline, 5);
        }
        assert_eq(deadline_parse("0", &deadline), 0);
        assert_eq(deadline, 0);
        assert_eq(deadline_parse("0012", &deadline), 0);
        assert_eq(deadline, 12);
        assert_eq(deadline_parse("9223372036854775807", &deadline), 0);
        assert_eq(deadline, INT64_MAX);
}

static int64_t for_child(int64_t left, int64_t grace1, int64_t grace2) {
        const int64_t now = 1000 * CURFEW_SEC;
        const struct curfew_step plan[CURFEW_MAX_STEPS] = {
                { SIGINT, CURFEW_TREE, grace1 },
                { SIGTERM, CURFEW_TREE, grace2 },
        };

        return deadline_for_child(now + left, now, plan, CURFEW_UNTIL_EMPTY) - now;
}

/* Less the graces, but never more than half; a grace without end or without length takes nothing.
 */
static void test_deadline_for_child(void) {
        static const struct curfew_step none[CURFEW_MAX_STEPS];

        assert_eq(for_child(100 * CURFEW_SEC, CURFEW_SEC, 2 * CURFEW_SEC), 97 * CURFEW_SEC);
        assert_eq(for_child(100 * CURFEW_SEC, 0, 2 * CURFEW_SEC), 88 * CURFEW_SEC);
        assert_eq(for_child(100 * CURFEW_SEC, CURFEW_NO_GRACE, CURFEW_FOREVER), 100 * CURFEW_SEC);
        assert_eq(for_child(100 * CURFEW_SEC, 80 * CURFEW_SEC, 1), 50 * CURFEW_SEC);
        assert_eq(for_child(100, INT64_MAX - 1, INT64_MAX - 1), 50);
        assert_eq(for_child(0, 0, 0), 0);
        assert_eq(for_child(-5, 0, 0), -5);
        assert_eq(deadline_for_child(100 * CURFEW_SEC, 0, none, CURFEW_UNTIL_EMPTY),
                100 * CURFEW_SEC - CURFEW_GRACE);
        assert_eq(deadline_for_child(CURFEW_FOREVER, 0, none, CURFEW_UNTIL_EMPTY), CURFEW_FOREVER);
}

int main(void) {
        test_bound(300);

        test_allocations();
        test_size();
        test_out_of_memory();
        test_after_without_memory();
        test_cancel_without_memory();
        test_children_unlink();
        test_causes();
        test_expiry_ends_the_owner();
        test_sources();
        test_sources_that_are_shared();
        test_quiet_look();
        test_hooks();
        test_merge_expires();
        test_merge_finds_in_order();
        test_merge_told_when_dead();
        test_goes_while_rung(false);
        test_goes_while_rung(true);
        test_shapes_on_a_small_stack();
        test_threads();
        test_merge_freed_while_told();
        test_deadline_parse();
        test_deadline_for_child();
        return 0;
}
