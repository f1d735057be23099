// SPDX-License-Identifier: MIT
#include "sys/capture.h"

#include <string.h>
#include <sys/mman.h>

/*
 * A capture is one piece of memory from the first byte on. It fills up in order, and grows by
 * doubling, until it holds as many bytes as it may keep. Nothing has been lost by then, so head and
 * tail need not be told apart; only when the next byte comes does the part behind the head become a
 * ring, in place, whose oldest byte is the one right behind the head:
 *
 *         | head, which stays | newer … | oldest … |
 *                                         ^ oldest
 *
 * Where only the head is kept the ring has no places, and where only the tail is kept the ring is
 * all of it. However the output is split into writes, what is kept is the same. Each byte that
 * comes after it is full pushes one out, another or itself, so what is cut off is counted by
 * counting what comes.
 *
 * Keeping much is mostly the first touch of the memory, which takes longer than reading the pipe.
 * In huge pages it takes a seventh, so what is larger than MAPPED has a mapping of its own, which
 * asks for them; when that grows the kernel moves it, and no byte is copied. Who frees it has only
 * the size to tell the two by. So a capture is mapped if and only if there is more than MAPPED in
 * it: doubling stops there once.
 *
 * If there is no memory to grow, the limit becomes what there is: the capture goes on as if that
 * had been asked for, and says so with an error. Nobody who writes has to wait for memory.
 */

#define FIRST_ROOM ((size_t)4096)
#define MAPPED     ((size_t)1 << 20)
#define UNIT       ((size_t)2 << 20) /* a huge page */

static size_t min_size(size_t a, size_t b) {
        return a < b ? a : b;
}

void capture_init(struct capture *capture, size_t limit, enum curfew_keep keep) {
        if (limit == 0)
                limit = CURFEW_CAPTURE_LIMIT;
        limit = min_size(limit, SIZE_MAX / 2);

        *capture = (struct capture){ .limit = limit };
        switch (keep) {
        case CURFEW_KEEP_HEAD: capture->head = limit; break;
        case CURFEW_KEEP_TAIL: capture->head = 0; break;
        case CURFEW_KEEP_BOTH: capture->head = limit / 2; break;
        }
        capture->oldest = capture->head;
}

/* With the NUL. */
static size_t mapping_size(size_t size) {
        return (size / UNIT + 1) * UNIT;
}

void capture_free(char *data, size_t size) {
        if (data && size > MAPPED)
                munmap(data, mapping_size(size));
        else
                free(data);
}

void capture_deinit(struct capture *capture) {
        capture_free(capture->data, capture->room);
        *capture = (struct capture)CAPTURE_NULL;
}

static char *map(const struct capture *capture, size_t room) {
        size_t size = mapping_size(room);
        char *data;

        if (capture->room > MAPPED) {
                data = mremap(capture->data, mapping_size(capture->room), size, MREMAP_MAYMOVE);
                return data != MAP_FAILED ? data : NULL;
        }

        data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (data == MAP_FAILED)
                return NULL;
        madvise(data, size, MADV_HUGEPAGE); /* without, they are small */
        memcpy(data, capture->data, capture->size);
        free(capture->data);
        return data;
}

static int resize(struct capture *capture, size_t room) {
        char *data = room > MAPPED ? map(capture, room) : realloc(capture->data, room + 1);

        if (!data)
                return -ENOMEM;
        capture->data = data;
        capture->room = room;
        return 0;
}

int capture_open(struct capture *capture) {
        return resize(capture, min_size(FIRST_ROOM, capture->limit));
}

static void settle_for_less(struct capture *capture) {
        capture->error = -ENOMEM;
        capture->limit = capture->room;
        capture->head = min_size(capture->head, capture->limit);
        capture->oldest = capture->head;
}

/* Have room for `more` bytes, or for what the limit leaves of them. */
static void grow(struct capture *capture, size_t more) {
        size_t needed = capture->size + min_size(more, capture->limit - capture->size);
        bool nearly = capture->room > capture->limit / 2;
        size_t room = nearly ? capture->limit : capture->room * 2;

        if (needed <= capture->room)
                return;
        if (needed <= MAPPED)
                room = min_size(room, MAPPED);
        if (resize(capture, needed > room ? needed : room) < 0)
                settle_for_less(capture);
}

/* It is full: go round in the ring, of which only as much as it holds can matter. */
static void replace(struct capture *capture, const char *data, size_t size) {
        size_t ring = capture->limit - capture->head;
        size_t left = min_size(size, ring);

        capture->cut += size;
        data += size - left;
        while (left > 0) {
                size_t n = min_size(left, capture->limit - capture->oldest);

                memcpy(capture->data + capture->oldest, data, n);
                data += n;
                left -= n;
                capture->oldest += n;
                if (capture->oldest == capture->limit)
                        capture->oldest = capture->head;
        }
}

bool capture_ring(const struct capture *capture, struct iovec ret[2]) {
        if (!capture->data || capture->size < capture->limit)
                return false;
        ret[0] = (struct iovec){
                .iov_base = capture->data + capture->oldest,
                .iov_len = capture->limit - capture->oldest,
        };
        ret[1] = (struct iovec){
                .iov_base = capture->data + capture->head,
                .iov_len = capture->oldest - capture->head,
        };
        return true;
}

void capture_replaced(struct capture *capture, size_t size) {
        size_t behind = capture->limit - capture->oldest;

        capture->cut += size;
        capture->oldest = size < behind ? capture->oldest + size : capture->head + (size - behind);
}

void capture_add(struct capture *capture, const void *data, size_t size) {
        size_t n;

        if (size == 0)
                return;

        grow(capture, size);
        n = min_size(size, capture->room - capture->size);
        if (n > 0)
                memcpy(capture->data + capture->size, data, n);
        capture->size += n;
        replace(capture, (const char *)data + n, size - n);
}

char *capture_room(struct capture *capture, size_t *ret_size) {
        *ret_size = capture->room - capture->size;
        return capture->data ? capture->data + capture->size : NULL;
}

void capture_fill(struct capture *capture, size_t size) {
        capture->size += size;
}

static void reverse(char *data, size_t size) {
        for (size_t i = 0; i < size / 2; ++i) {
                char c = data[i];

                data[i] = data[size - 1 - i];
                data[size - 1 - i] = c;
        }
}

/* Bring what is at `first` to the front. */
static void rotate(char *data, size_t size, size_t first) {
        if (first == 0)
                return;
        reverse(data, first);
        reverse(data + first, size - first);
        reverse(data, size);
}

/* Give back what is not in use. If that fails it is untouched, and takes nothing but addresses. */
static char *trim(struct capture *capture) {
        size_t used = mapping_size(capture->size), size = mapping_size(capture->room);
        char *less;

        if (capture->size > MAPPED) {
                if (used < size)
                        munmap(capture->data + used, size - used);
                return capture->data;
        }

        less = realloc(capture->data, capture->size + 1);
        return less ? less : capture->data;
}

void capture_finish(struct capture *capture, struct curfew_output *ret) {
        *ret = (struct curfew_output){
                .size = capture->size,
                .cut = capture->cut,
                .cut_at = capture->cut > 0 ? capture->head : 0,
                .error = capture->error,
        };
        if (!capture->data)
                return;

        rotate(capture->data + capture->head, capture->limit - capture->head,
                capture->oldest - capture->head);
        ret->data = trim(capture);
        ret->data[ret->size] = '\0';

        capture->data = NULL;
        capture_deinit(capture);
}
