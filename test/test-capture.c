// SPDX-License-Identifier: MIT
#include "test.h"

#include <sys/mman.h>

/* The capture is compiled in here, with a memory that can be told to be small, and says what was
 * asked of it. */
static size_t most = SIZE_MAX, asked, mapped;

static bool is_there(size_t size) {
        asked = size > asked ? size : asked;
        return size <= most;
}

static void *limited_realloc(void *ptr, size_t size) {
        return is_there(size) ? realloc(ptr, size) : NULL;
}

static void *limited_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset) {
        if (!is_there(size))
                return MAP_FAILED;
        mapped += size;
        return mmap(at, size, prot, flags, fd, offset);
}

static void *limited_mremap(void *data, size_t size, size_t new_size, int flags) {
        if (!is_there(new_size))
                return MAP_FAILED;
        mapped += new_size - size;
        return mremap(data, size, new_size, flags);
}

static int counted_munmap(void *data, size_t size) {
        mapped -= size;
        return munmap(data, size);
}

#define realloc limited_realloc
#define mmap    limited_mmap
#define mremap  limited_mremap
#define munmap  counted_munmap
#include "sys/capture.c"
#undef realloc
#undef mmap
#undef mremap
#undef munmap

static const enum curfew_keep keeps[] = { CURFEW_KEEP_HEAD, CURFEW_KEEP_TAIL, CURFEW_KEEP_BOTH };

static size_t naive_head(size_t limit, enum curfew_keep keep) {
        return keep == CURFEW_KEEP_HEAD ? limit : keep == CURFEW_KEEP_TAIL ? 0 : limit / 2;
}

/* What is to be kept of `all`, by the words of the contract; frees what the capture gave. */
static void assert_kept(struct curfew_output *output, const char *all, size_t size, size_t limit,
        enum curfew_keep keep) {
        size_t cut = size > limit ? size - limit : 0;
        size_t head = cut > 0 ? naive_head(limit, keep) : size;

        assert_true(output->data);
        assert_eq(output->size, size - cut);
        assert_eq(output->cut, cut);
        assert_eq(output->cut_at, cut > 0 ? head : 0);
        assert_eq(memcmp(output->data, all, head), 0);
        assert_eq(memcmp(output->data + head, all + head + cut, size - cut - head), 0);
        assert_eq(output->data[output->size], 0);
        capture_free(output->data, output->size);
}

/* Write `all` in pieces that end where `splits` has a bit. */
static void add_split(struct capture *capture, const char *all, size_t size, unsigned splits) {
        size_t from = 0;

        for (size_t i = 1; i <= size; ++i) {
                if (i < size && !(splits & 1u << (i - 1)))
                        continue;
                capture_add(capture, all + from, i - from);
                from = i;
        }
}

static void check_small(size_t size, size_t limit, enum curfew_keep keep, unsigned splits) {
        static const char all[] = "abcdefghijklmnopqrstuvwxyz";
        struct capture capture;
        struct curfew_output output;

        capture_init(&capture, limit, keep);
        assert_eq(capture_open(&capture), 0);
        add_split(&capture, all, size, splits);
        capture_finish(&capture, &output);
        assert_eq(output.error, 0);
        assert_kept(&output, all, size, limit, keep);
}

/* Every output of up to ten bytes, in every way of writing it, under every limit that matters. */
static void test_all_small(void) {
        for (size_t size = 0; size <= 11; ++size)
                for (size_t limit = 1; limit <= size + 1; ++limit)
                        for (unsigned splits = 0; splits < 1u << size; splits += 2)
                                for (size_t k = 0; k < ARRAY_SIZE(keeps); ++k)
                                        check_small(size, limit, keeps[k], splits >> 1);
}

static uint32_t next_random(void) {
        static uint32_t state = 1;

        return (state = state * 1664525 + 1013904223) >> 8;
}

static void fill(char *data, size_t size) {
        for (size_t i = 0; i < size; ++i)
                data[i] = (char)next_random();
}

/* The next piece, as a reader does it: into the room as far as there is some, the rest added. */
static void add_direct(struct capture *capture, const char *data, size_t size) {
        size_t direct;
        char *room = capture_room(capture, &direct);

        direct = direct < size ? direct : size;
        if (direct > 0)
                memcpy(room, data, direct);
        capture_fill(capture, direct);
        capture_add(capture, data + direct, size - direct);
}

static void check_large(const char *all, size_t size, size_t limit, enum curfew_keep keep) {
        struct capture capture;
        struct curfew_output output;
        size_t kept = size < limit ? size : limit, from = 0;

        asked = 0;
        capture_init(&capture, limit, keep);
        assert_eq(capture_open(&capture), 0);
        while (from < size) {
                size_t n = next_random() % 40000 + 1;

                n = n < size - from ? n : size - from;
                if (next_random() % 2)
                        capture_add(&capture, all + from, n);
                else
                        add_direct(&capture, all + from, n);
                from += n;
                assert_le(capture.size, capture.room);
                assert_le(capture.room, limit);
                assert_eq(capture.size > MAPPED, capture.room > MAPPED);
        }
        capture_finish(&capture, &output);
        assert_kept(&output, all, size, limit, keep);

        if (kept > MAPPED) {
                assert_le(asked, mapping_size(limit));
                assert_le(asked, mapping_size(2 * kept));
        } else {
                assert_le(asked, limit + 1);
                assert_le(asked, kept < FIRST_ROOM ? FIRST_ROOM + 1 : 2 * kept + 1);
        }
}

/* Sizes at which memory grows, written at random. */
static void test_large(void) {
        static char all[600000];

        fill(all, sizeof(all));
        for (int i = 0; i < 500; ++i) {
                size_t size = next_random() % (sizeof(all) >> next_random() % 8);
                size_t limit = next_random() % (sizeof(all) >> next_random() % 8) + 1;

                check_large(all, size, limit, keeps[i % 3]);
        }
}

/* Sizes at which it becomes a mapping, and at which that has another size. */
static void test_mapped(void) {
        static char all[9 << 20];
        static const size_t sizes[] = { MAPPED, UNIT, 2 * UNIT, 4 * UNIT };

        fill(all, sizeof(all));
        for (size_t i = 0; i < 3 * ARRAY_SIZE(sizes); ++i) {
                size_t size = sizes[i / 3] + i % 3 - 1;

                for (size_t k = 0; k < ARRAY_SIZE(keeps); ++k) {
                        check_large(all, size, size, keeps[k]);
                        check_large(all, size, sizeof(all), keeps[k]);
                        check_large(all, sizeof(all), size, keeps[k]);
                }
        }
}

static void test_default_limit(void) {
        struct capture capture;

        for (size_t k = 0; k < ARRAY_SIZE(keeps); ++k) {
                capture_init(&capture, 0, keeps[k]);
                assert_eq(capture.limit, CURFEW_CAPTURE_LIMIT);
                assert_eq(capture.head, naive_head(CURFEW_CAPTURE_LIMIT, keeps[k]));
                capture_deinit(&capture);

                capture_init(&capture, SIZE_MAX, keeps[k]);
                assert_eq(capture_open(&capture), 0);
                assert_eq(capture.room, FIRST_ROOM);
                capture_deinit(&capture);
                capture_deinit(&capture);
        }
}

static void test_not_opened(void) {
        struct capture capture;
        struct curfew_output output = { .data = (char[1]){ 0 } };

        capture_init(&capture, 0, CURFEW_KEEP_HEAD);
        capture_finish(&capture, &output);
        assert_null(output.data);
        assert_eq(output.size, 0);
        assert_eq(output.cut, 0);
        assert_eq(output.error, 0);
}

static void test_no_memory_to_open(void) {
        struct capture capture;

        most = 0;
        capture_init(&capture, 0, CURFEW_KEEP_HEAD);
        assert_eq(capture_open(&capture), -ENOMEM);
        most = SIZE_MAX;
        capture_deinit(&capture);
}

struct memory {
        size_t most, had; /* what can be had at once, and so what there will be */
};

/* No memory to grow at the first byte that doesn't fit: what there is, is the limit. */
static void check_no_memory(
        const char *all, size_t size, size_t limit, enum curfew_keep keep, struct memory memory) {
        struct capture capture;
        struct curfew_output output;

        most = memory.most;
        capture_init(&capture, limit, keep);
        assert_eq(capture_open(&capture), 0);
        for (size_t from = 0; from < size; from += 1000)
                capture_add(&capture, all + from, size - from < 1000 ? size - from : 1000);
        most = 0;
        capture_finish(&capture, &output);
        most = SIZE_MAX;

        assert_eq(output.error, -ENOMEM);
        assert_eq(output.size + output.cut, size);
        assert_eq(output.size, memory.had);
        assert_eq(memcmp(output.data, all, output.cut_at), 0);
        assert_eq(memcmp(output.data + output.cut_at, all + output.cut_at + output.cut,
                          output.size - output.cut_at),
                0);
        assert_eq(output.cut_at,
                naive_head(limit, keep) < output.size ? naive_head(limit, keep) : output.size);
        assert_eq(output.data[output.size], 0);
        capture_free(output.data, output.size);
}

static void test_no_memory(void) {
        static char all[9 << 20];
        static const struct memory memories[] = {
                { 3 * FIRST_ROOM, 2 * FIRST_ROOM },
                { MAPPED + 1, MAPPED },
                { 3 * UNIT, 2 * UNIT },
        };

        fill(all, sizeof(all));
        for (size_t i = 0; i < ARRAY_SIZE(memories) * ARRAY_SIZE(keeps); ++i) {
                struct memory memory = memories[i / ARRAY_SIZE(keeps)];
                enum curfew_keep keep = keeps[i % ARRAY_SIZE(keeps)];
                size_t size = memory.had > MAPPED ? sizeof(all) : 5 * memory.had;

                check_no_memory(all, size, 5 * memory.had / 2, keep, memory);
                check_no_memory(all, size, 3 * memory.had / 2, keep, memory);
                check_no_memory(all, size, (size_t)1 << 30, keep, memory);
        }
}

/* More at once than can be had, and more than a 32-bit size has bits for in all. */
static void test_endless(void) {
        static char piece[1 << 20];
        struct capture capture;
        struct curfew_output output;
        uint64_t n = 6000;

        fill(piece, sizeof(piece));
        capture_init(&capture, 1000, CURFEW_KEEP_BOTH);
        assert_eq(capture_open(&capture), 0);
        for (uint64_t i = 0; i < n; ++i)
                capture_add(&capture, piece, sizeof(piece));
        capture_finish(&capture, &output);
        assert_eq(output.size, 1000);
        assert_eq(output.cut, n * sizeof(piece) - 1000);
        assert_eq(memcmp(output.data, piece, 500), 0);
        assert_eq(memcmp(output.data + 500, piece + sizeof(piece) - 500, 500), 0);
        capture_free(output.data, output.size);
}

int main(void) {
        test_bound(60);
        test_all_small();
        test_large();
        test_mapped();
        test_default_limit();
        test_not_opened();
        test_no_memory_to_open();
        test_no_memory();
        test_endless();
        assert_eq(mapped, 0);
        return 0;
}
