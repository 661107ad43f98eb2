/*
 * Two things about musl's core that only C can do to it. Each prints a sentence and exits 1 when it finds a fault:
 *
 *   musl_faults flip SEED     overwrites fields of records, bins and counts; heap_check must see each
 *   musl_faults starve SEED   refuses host memory now and then; the call must fail and change nothing
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "musl_chunks.h"

enum { IDS = 64, CALLS = 300, FLIPS = 100, ROUNDS = 100 };

/* ---- Chance and memory ---- */

static uint32_t draw(uint64_t *chance, uint32_t below) {
    *chance ^= *chance << 13;
    *chance ^= *chance >> 7;
    *chance ^= *chance << 17;
    return (uint32_t)(*chance >> 20) % below;
}

/* Refuses every other request to enlarge what there is, when it refuses at all. */
struct host {
    bool miserly, refuse_next;
    unsigned refusals;
};

static void *resize(void *context, void *old, size_t old_bytes, size_t bytes) {
    struct host *host = context;
    if (bytes == 0) {
        free(old);
        return NULL;
    }
    if (host->miserly && old != NULL) {
        host->refuse_next = !host->refuse_next;
        if (host->refuse_next) {
            host->refusals++;
            return NULL;
        }
    }
    void *moved = malloc(bytes); /* always elsewhere, so that a pointer kept too long is seen */
    if (moved != NULL && old != NULL) {
        memcpy(moved, old, old_bytes < bytes ? old_bytes : bytes);
        free(old);
    }
    return moved;
}

static int failed(const char *what, unsigned seed, int detail) {
    printf("%s (seed %u, detail %d)\n", what, seed, detail);
    return 1;
}

/* ---- One call on a heap whose blocks stand under ids ---- */

struct program {
    heap_t heap;
    struct heap_config config;
    struct host host;
    uint32_t held[IDS];
};

struct call {
    uint32_t kind, id, bytes, align;
};

static int start(struct program *program, enum heap_allocator allocator, uint32_t limits, bool miserly) {
    *program = (struct program){.host = {.miserly = miserly}};
    program->config = (struct heap_config){
        .allocator = allocator,
        .total_limit = limits % 3 == 0 ? 0 : 1U << 20,
        .brk_limit = limits % 2 == 0 ? 0 : 1U << 16,
        .memory = {resize, &program->host},
    };
    return heap_create(&program->heap, &program->config);
}

static struct call draw_call(uint64_t *chance) {
    const uint32_t most = draw(chance, 8) == 0 ? 300000 : 2000;
    return (struct call){
        .kind = draw(chance, 4),
        .id = draw(chance, IDS),
        .bytes = draw(chance, most),
        .align = 1U << draw(chance, 13),
    };
}

/* What the call gave: an offset, or INT32_MIN for NULL; HEAP_E_MEMORY where the host had none. */
static int32_t carry_out(struct program *program, const struct call *call) {
    heap_t *heap = &program->heap;
    uint32_t *held = &program->held[call->id];
    struct heap_pointer made = {0, HEAP_OK};
    if (*held == 0) {
        made = call->kind == 0   ? heap_aligned_alloc(heap, call->align, call->bytes)
               : call->kind == 1 ? heap_calloc(heap, 1, call->bytes)
                                 : heap_malloc(heap, call->bytes);
    } else if (call->kind == 0) {
        made = heap_realloc(heap, *held, call->bytes);
    } else {
        const int error = heap_free(heap, *held);
        *held = error == HEAP_OK ? 0 : *held;
        return error == HEAP_OK ? INT32_MIN : error;
    }
    if (made.block == 0) {
        return made.offset == HEAP_OK ? INT32_MIN : made.offset;
    }
    *held = made.block;
    return made.offset;
}

/* ---- The two tests ---- */

/* Whether the rules leave the field free to hold anything. */
static bool is_unused(const heap_t *heap, uint32_t handle, uint32_t field) {
    const struct heap_block *block = block_at(heap, handle);
    const bool linked = field >= 4;
    if (handle == musl_of(heap)->origin) {
        return field == 0 || field == 2 || linked;
    }
    if (block->size_flags == 0) {
        return true; /* a spare record */
    }
    if (block->size_flags == SENTINEL) {
        return field == 5;
    }
    return linked && block_used(block) && !(chunk_is_mapped(block) && field == 4);
}

static uint32_t another(uint64_t *chance, const heap_t *heap, uint32_t value) {
    switch (draw(chance, 3)) {
    case 0:
        return value ^ (1U << draw(chance, 32));
    case 1:
        return value + CHUNK_GRAIN;
    default:
        return draw(chance, heap->capacity) * (uint32_t)sizeof(struct heap_block);
    }
}

static uint32_t *draw_field(uint64_t *chance, heap_t *heap) {
    struct musl *musl = musl_of(heap);
    const uint32_t field = draw(chance, 8);
    const uint32_t handle = (1 + draw(chance, heap->capacity - 1)) * (uint32_t)sizeof(struct heap_block);
    if (field == 6) {
        const uint32_t end = draw(chance, 2);
        struct bin *bin = &musl->bins[draw(chance, BINS)];
        return end == 0 ? &bin->first : &bin->last;
    }
    if (field == 7) {
        uint32_t *counts[] = {&musl->pages.counts.brk_pages, &musl->pages.counts.mmap_pages,
                              &musl->pages.counts.mappings, &musl->pages.counts.resident_brk,
                              &musl->pages.counts.resident_mmap};
        return counts[draw(chance, 5)];
    }
    struct heap_block *block = block_at(heap, handle);
    uint32_t *fields[] = {(uint32_t *)&block->offset, &block->size_flags, &block->prev, &block->next,
                          &block->list_prev,          &block->list_next};
    return is_unused(heap, handle, field) ? NULL : fields[field];
}

static int flip(unsigned seed, unsigned *flips) {
    uint64_t chance = seed + 88172645463325252U;
    struct program program;
    int result = start(&program, seed % 2 == 0 ? HEAP_MUSL_OLD : HEAP_MUSL_1_1_24, seed / 2, false);
    for (int number = 0; number < CALLS && result == 0; number++) {
        const struct call call = draw_call(&chance);
        carry_out(&program, &call);
        result = heap_check(&program.heap);
    }
    if (result != 0) {
        return failed("heap_check finds a fault in a sound heap", seed, result);
    }
    for (int number = 0; number < FLIPS && result == 0; number++) {
        uint32_t *field = draw_field(&chance, &program.heap);
        const uint32_t kept = field == NULL ? 0 : *field;
        const uint32_t value = another(&chance, &program.heap, kept);
        if (field == NULL || value == kept) {
            continue;
        }
        *field = value;
        result = heap_check(&program.heap) == HEAP_OK ? failed("heap_check overlooks a broken field", seed, number) : 0;
        *field = kept;
        (*flips)++;
    }
    heap_destroy(&program.heap);
    return result;
}

static bool same_stats(const struct program *one, const struct program *other) {
    struct heap_stats a;
    struct heap_stats b;
    heap_stats(&one->heap, &a);
    heap_stats(&other->heap, &b);
    return memcmp(&a, &b, sizeof a) == 0;
}

/* The same calls on a heap that is refused memory, each repeated until it goes through, and on one that is not. */
static int starve(unsigned seed, unsigned *refusals) {
    uint64_t chance = seed + 88172645463325252U;
    struct program poor;
    struct program rich;
    const enum heap_allocator allocator = seed % 2 == 0 ? HEAP_MUSL_OLD : HEAP_MUSL_1_1_24;
    int result =
        start(&poor, allocator, seed / 2, true) != HEAP_OK || start(&rich, allocator, seed / 2, false) != HEAP_OK;
    for (int number = 0; number < CALLS && result == 0; number++) {
        const struct call call = draw_call(&chance);
        const int32_t expected = carry_out(&rich, &call);
        int32_t given = carry_out(&poor, &call);
        while (given == HEAP_E_MEMORY) {
            given = carry_out(&poor, &call);
        }
        if (given != expected || !same_stats(&poor, &rich) || heap_check(&poor.heap) != HEAP_OK) {
            result = failed("a call that the host refused memory left its traces", seed, number);
        }
    }
    *refusals += poor.host.refusals;
    heap_destroy(&poor.heap);
    heap_destroy(&rich.heap);
    return result;
}

int main(int count, char **words) {
    if (count != 3) {
        return failed("usage: musl_faults flip|starve SEED", 0, count);
    }
    const bool flips = strcmp(words[1], "flip") == 0;
    const unsigned first = (unsigned)strtoul(words[2], NULL, 10);
    unsigned done = 0;
    int result = 0;
    for (unsigned round = 0; round < ROUNDS && result == 0; round++) {
        result = flips ? flip(first + round, &done) : starve(first + round, &done);
    }
    if (result == 0 && done < ROUNDS) {
        result = failed("hardly anything was tried", first, (int)done);
    }
    return result;
}
