/*
 * What musl.c and musl_inspect.c share: how an emulated musl heap is laid out in records.
 *
 * A record's offset is the pointer that the program has or would have, 8 bytes past its header; its size is that of
 * the chunk, header included. Areas (runs of pages that touch no other) follow each other in one chain in the order in
 * which they were grown, each behind a sentinel of size 0; a sentinel is neither used nor free, so that nothing merges
 * across it. A block with a mapping of its own stands outside of that chain, in a chain of its kind.
 */
#ifndef MEMFLEET_MUSL_CHUNKS_H
#define MEMFLEET_MUSL_CHUNKS_H

#include "blocks.h"
#include "musl_pages.h"

enum {
    CHUNK_GRAIN = 16,
    CHUNK_HEADER = 8,
    BINS = 64,
    LAST_BIN = BINS - 1,

    SENTINEL = BLOCK_MARK,            /* size 0: the end of an area, and what precedes the next one in the chain */
    MAPPED = BLOCK_USED | BLOCK_MARK, /* a used block with a mapping of its own */
};

/* The ends of a list; 0 and 0 when it is empty. First in, first out. */
struct bin {
    uint32_t first, last;
};

struct musl {
    struct pages pages;
    uint64_t area_end; /* address after the last area grown; not reduced modulo 2^32 */
    uint64_t filled;   /* one bit a bin: it holds a chunk */
    struct bin bins[BINS];
    uint32_t origin;   /* the sentinel in front of the first area */
    uint32_t last_end; /* the sentinel of the last area; its list_prev is that of the area before, up to origin */
    uint32_t mappings; /* first block with a mapping of its own */
    uint32_t map_step; /* areas mapped so far because the break could not grow */
    bool early;        /* the rules of 1.1.24 and 1.2.0, not those of oldmalloc */
    bool starved;      /* the host had no memory for the bits of further pages */
    uint64_t words[];  /* the bits of the pages */
};

static inline struct musl *musl_of(const heap_t *heap) {
    return heap->control;
}

static inline bool chunk_is_free(const struct heap_block *chunk) {
    return (chunk->size_flags & BLOCK_FLAGS) == 0;
}

static inline bool chunk_is_mapped(const struct heap_block *chunk) {
    return (chunk->size_flags & BLOCK_FLAGS) == MAPPED;
}

/* Bytes between the start of a mapping and the header of its block; kept where free chunks have a list link. */
static inline uint32_t mapping_lead(const struct heap_block *mapped) {
    return mapped->list_prev;
}

/*
 * The bin of free chunks of n + 1 grains. Bins are as fine as the grain up to 33 grains (528 bytes), then four for each
 * power of two; the last one takes all from 7169 grains on. The table spares the sizes that are common a branch which
 * would be mispredicted often.
 */
enum { COMMON_GRAINS = 128 };

static const uint8_t BIN_OF_COMMON[COMMON_GRAINS] = {
    // clang-format off
     0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15,
    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    32, 32, 32, 32, 32, 32, 32, 32, 33, 33, 33, 33, 33, 33, 33, 33,
    34, 34, 34, 34, 34, 34, 34, 34, 35, 35, 35, 35, 35, 35, 35, 35,
    36, 36, 36, 36, 36, 36, 36, 36, 36, 36, 36, 36, 36, 36, 36, 36,
    37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37,
    38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38,
    39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39,
    // clang-format on
};

static inline uint32_t bin_of_uncommon(uint32_t grains_less_one) {
    const uint32_t log2 = 31U - (uint32_t)__builtin_clz(grains_less_one);
    const uint32_t bin = 4 * log2 + 8 + (grains_less_one >> (log2 - 2));
    return bin < LAST_BIN ? bin : LAST_BIN;
}

static inline uint32_t bin_of_grains(uint32_t grains_less_one) {
    return grains_less_one < COMMON_GRAINS ? BIN_OF_COMMON[grains_less_one] : bin_of_uncommon(grains_less_one);
}

/* The bin that a free chunk of this size hangs in. */
static inline uint32_t bin_of(uint32_t size) {
    return bin_of_grains(size / CHUNK_GRAIN - 1);
}

/*
 * The lowest bin of which every chunk is at least this large; `size` needs no mapping of its own. Bins of one size
 * serve that size. Of the others, the bin after the one that a grain less would hang in begins at `size` or above.
 */
static inline uint32_t bin_that_fits(uint32_t size) {
    const uint32_t grains_less_one = size / CHUNK_GRAIN - 1;
    const uint32_t wide = grains_less_one > 32;
    return bin_of_grains(grains_less_one - wide) + wide;
}

void musl_stats(const heap_t *heap, struct heap_stats *stats);
int musl_walk(const heap_t *heap, heap_visit *visit, void *context);
int musl_check(const heap_t *heap);
void musl_view(const heap_t *heap, uint32_t block, struct heap_view *view);
const struct heap_pages *musl_page_counts(const heap_t *heap);

#endif
