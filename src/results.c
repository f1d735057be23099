// SPDX-License-Identifier: MIT
#include "results.h"

#include <string.h>
#include <sys/mman.h>

/*
 * A result is over half of a run, and there is nothing to write into it as long as the run goes on.
 * Memory from mmap(2) takes none until it is touched, and is zero; so ten thousand runs cost what
 * those of them cost that have something to tell. It is had all the same: where memory is not
 * promised lightly (vm.overcommit_memory), it is the start that fails.
 */

#define FIRST_CHUNK 32
#define LAST_CHUNK  4096

struct results_chunk {
        struct results_chunk *next;
        size_t n;
        union results_slot slots[];
};

static size_t size_of(size_t n) {
        return sizeof(struct results_chunk) + n * sizeof(union results_slot);
}

void results_init(struct results *results) {
        memset(&results->first, 0, sizeof(results->first));
        results->free = &results->first;
        results->chunks = NULL;
        results->fresh = 0;
}

void results_deinit(struct results *results) {
        struct results_chunk *chunk;

        while ((chunk = results->chunks)) {
                results->chunks = chunk->next;
                munmap(chunk, size_of(chunk->n));
        }
}

static bool grow(struct results *results) {
        size_t n = results->chunks ? 2 * results->chunks->n : FIRST_CHUNK;
        struct results_chunk *chunk;

        n = n < LAST_CHUNK ? n : LAST_CHUNK;
        chunk = mmap(NULL, size_of(n), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (chunk == MAP_FAILED)
                return false;

        chunk->next = results->chunks;
        chunk->n = n;
        results->chunks = chunk;
        results->fresh = n;
        return true;
}

struct curfew_result *results_take(struct results *results) {
        union results_slot *slot = results->free;

        if (slot) {
                results->free = slot->next;
                slot->next = NULL;
                return &slot->result;
        }
        if (results->fresh == 0 && !grow(results))
                return NULL;
        return &results->chunks->slots[--results->fresh].result;
}

void results_give(struct results *results, struct curfew_result *result) {
        union results_slot *slot = container_of(result, union results_slot, result);

        slot->next = results->free;
        results->free = slot;
}
