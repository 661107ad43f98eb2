/* What can be seen of an emulated musl heap: statistics, blocks in address order, broken invariants. */
#include "musl_chunks.h"

const struct heap_pages *musl_page_counts(const heap_t *heap) {
    return &musl_of(heap)->pages.counts;
}

void musl_view(const heap_t *heap, uint32_t block, struct heap_view *view) {
    const struct heap_block *chunk = block_at(heap, block);
    *view = (struct heap_view){
        .block = block,
        .chunk = chunk->offset - CHUNK_HEADER,
        .pointer = chunk->offset,
        .chunk_bytes = block_size(chunk),
        .usable = block_size(chunk) - CHUNK_HEADER,
        .used = block_used(chunk),
    };
}

static void count_block(const struct heap_block *chunk, struct heap_stats *stats) {
    const uint32_t usable = block_size(chunk) - CHUNK_HEADER;
    if (block_used(chunk)) {
        stats->used_blocks++;
        stats->used += usable;
        stats->used_with_headers += block_size(chunk);
        return;
    }
    stats->free_blocks++;
    stats->free += usable;
    stats->free_with_headers += block_size(chunk);
    if (stats->largest_free_block < usable) {
        stats->largest_free_block = usable;
    }
}

void musl_stats(const heap_t *heap, struct heap_stats *stats) {
    const struct musl *musl = musl_of(heap);
    stats->pages = musl->pages.counts;
    for (uint32_t handle = block_at(heap, musl->origin)->next; handle != 0; handle = block_at(heap, handle)->next) {
        if (block_size(block_at(heap, handle)) != 0) {
            count_block(block_at(heap, handle), stats);
        }
    }
    for (uint32_t handle = musl->mappings; handle != 0; handle = block_at(heap, handle)->next) {
        count_block(block_at(heap, handle), stats);
    }
    stats->largest_free = stats->largest_free_block;
}

/* ---- Walking ---- */

/* The run of records (an area, or one mapped block) that comes next in address order; 0 after the last. */
static uint32_t next_run(const heap_t *heap, uint64_t from) {
    const struct musl *musl = musl_of(heap);
    uint64_t nearest = UINT64_MAX;
    uint32_t found = 0;
    for (uint32_t end = musl->last_end; end != musl->origin; end = block_at(heap, end)->list_prev) {
        const uint32_t first = block_at(heap, block_at(heap, end)->list_prev)->next;
        const uint64_t address = (uint32_t)block_at(heap, first)->offset;
        if (address >= from && address < nearest) {
            nearest = address;
            found = first;
        }
    }
    for (uint32_t handle = musl->mappings; handle != 0; handle = block_at(heap, handle)->next) {
        const uint64_t address = (uint32_t)block_at(heap, handle)->offset;
        if (address >= from && address < nearest) {
            nearest = address;
            found = handle;
        }
    }
    return found;
}

int musl_walk(const heap_t *heap, heap_visit *visit, void *context) {
    int result = 0;
    uint64_t from = 0;
    for (uint32_t run = next_run(heap, 0); run != 0 && result == 0; run = next_run(heap, from)) {
        from = (uint64_t)(uint32_t)block_at(heap, run)->offset + 1;
        uint32_t handle = run;
        do {
            struct heap_view view;
            musl_view(heap, handle, &view);
            result = visit(context, &view);
            handle = chunk_is_mapped(block_at(heap, handle)) ? 0 : block_at(heap, handle)->next;
        } while (result == 0 && handle != 0 && block_size(block_at(heap, handle)) != 0);
    }
    return result;
}

/* ---- Checking ---- */

/* What the chains add up to. */
struct tally {
    uint32_t records;
    uint32_t blocks; /* used or free, no sentinels */
    uint32_t free_blocks;
    uint32_t break_bytes;
    uint32_t mapped_bytes;
    uint32_t mapped_blocks;
};

static int check_chunk(const heap_t *heap, uint32_t handle) {
    const struct heap_block *chunk = block_at(heap, handle);
    const uint32_t flags = chunk->size_flags & BLOCK_FLAGS;
    if (flags != 0 && flags != BLOCK_USED) {
        return HEAP_E_ORDER;
    }
    if (chunk->offset % CHUNK_GRAIN != 0 || block_size(chunk) % CHUNK_GRAIN != 0) {
        return HEAP_E_ALIGNED;
    }
    if (chunk->next == 0 || !block_exists(heap, chunk->next)) {
        return HEAP_E_ORDER;
    }
    const struct heap_block *next = block_at(heap, chunk->next);
    if (next->offset != (int32_t)((uint32_t)chunk->offset + block_size(chunk))) {
        return HEAP_E_ORDER;
    }
    return chunk_is_free(chunk) && chunk_is_free(next) ? HEAP_E_MERGE : HEAP_OK;
}

/* The area that ends with this sentinel. */
static int check_area(const heap_t *heap, const struct heap_block *end, struct tally *tally) {
    const struct heap_block *first = block_at(heap, block_at(heap, end->list_prev)->next);
    const uint32_t start = (uint32_t)first->offset - CHUNK_GRAIN;
    const uint32_t bytes = (uint32_t)end->offset - start;
    if (start % PAGE_BYTES != 0 || bytes % PAGE_BYTES != 0) {
        return HEAP_E_ALIGNED;
    }
    if (end->size_flags != SENTINEL) {
        return HEAP_E_ORDER;
    }
    if (!pages_hold(&musl_of(heap)->pages, start, bytes)) {
        return HEAP_E_PAGES;
    }
    if (start < MAPPINGS_START) {
        tally->break_bytes += bytes;
    } else {
        tally->mapped_bytes += bytes;
    }
    return HEAP_OK;
}

static int check_areas(const heap_t *heap, struct tally *tally) {
    const struct musl *musl = musl_of(heap);
    uint32_t last_end = musl->origin;
    uint32_t prev = musl->origin;
    if (block_at(heap, prev)->size_flags != SENTINEL) {
        return HEAP_E_ORDER;
    }
    for (uint32_t handle = block_at(heap, prev)->next; handle != 0;
         prev = handle, handle = block_at(heap, handle)->next) {
        if (!block_exists(heap, handle) || tally->records++ > heap->live) {
            return HEAP_E_ORDER;
        }
        const struct heap_block *chunk = block_at(heap, handle);
        int error = HEAP_OK;
        if (chunk->prev != prev) {
            return HEAP_E_LINK;
        }
        if (block_size(chunk) == 0) {
            error = chunk->list_prev == last_end ? check_area(heap, chunk, tally) : HEAP_E_LINK;
            last_end = handle;
        } else {
            error = check_chunk(heap, handle);
            tally->blocks++;
            tally->free_blocks += chunk_is_free(chunk);
        }
        if (error != HEAP_OK) {
            return error;
        }
    }
    return last_end == musl->last_end ? HEAP_OK : HEAP_E_LINK;
}

static int check_mapping(const heap_t *heap, uint32_t handle, uint32_t prev, struct tally *tally) {
    const struct heap_block *block = block_at(heap, handle);
    const uint32_t base = (uint32_t)block->offset - CHUNK_HEADER - mapping_lead(block);
    const uint32_t bytes = block_size(block) + mapping_lead(block);
    if (!chunk_is_mapped(block)) {
        return HEAP_E_ORDER;
    }
    if (block->prev != prev) {
        return HEAP_E_LINK;
    }
    if (block->offset % CHUNK_GRAIN != 0 || base % PAGE_BYTES != 0 || bytes % PAGE_BYTES != 0) {
        return HEAP_E_ALIGNED;
    }
    if (base < MAPPINGS_START || !pages_hold(&musl_of(heap)->pages, base, bytes)) {
        return HEAP_E_PAGES;
    }
    tally->mapped_bytes += bytes;
    tally->mapped_blocks++;
    tally->blocks++;
    return HEAP_OK;
}

static int check_mappings(const heap_t *heap, struct tally *tally) {
    uint32_t prev = 0;
    for (uint32_t handle = musl_of(heap)->mappings; handle != 0; prev = handle, handle = block_at(heap, handle)->next) {
        if (!block_exists(heap, handle) || tally->records++ > heap->live) {
            return HEAP_E_ORDER;
        }
        const int error = check_mapping(heap, handle, prev, tally);
        if (error != HEAP_OK) {
            return error;
        }
    }
    return HEAP_OK;
}

static int check_bin(const heap_t *heap, uint32_t number, uint32_t *listed) {
    const struct musl *musl = musl_of(heap);
    const struct bin *bin = &musl->bins[number];
    uint32_t prev = 0;
    for (uint32_t handle = bin->first; handle != 0; prev = handle, handle = block_at(heap, handle)->list_next) {
        if (!block_exists(heap, handle) || (*listed)++ > heap->live || !chunk_is_free(block_at(heap, handle))) {
            return HEAP_E_LIST;
        }
        if (block_at(heap, handle)->list_prev != prev || bin_of(block_size(block_at(heap, handle))) != number) {
            return HEAP_E_LIST;
        }
    }
    if (bin->last != prev) {
        return HEAP_E_LIST;
    }
    return (musl->filled >> number & 1) == (bin->first != 0) ? HEAP_OK : HEAP_E_BITMAP;
}

/* How far a walk has come. */
struct progress {
    uint64_t end;
    uint32_t blocks;
};

/* No block of the walk begins before the last one ended. */
static int check_overlap(void *context, const struct heap_view *view) {
    struct progress *progress = context;
    if ((uint32_t)view->chunk < progress->end) {
        return HEAP_E_ORDER;
    }
    progress->end = (uint64_t)(uint32_t)view->chunk + view->chunk_bytes;
    progress->blocks++;
    return HEAP_OK;
}

/* The walk meets every block; one that starts where another does would be passed over. */
static int check_walk(const heap_t *heap, const struct tally *tally) {
    struct progress progress = {0, 0};
    const int error = musl_walk(heap, check_overlap, &progress);
    return error == HEAP_OK && progress.blocks != tally->blocks ? HEAP_E_ORDER : error;
}

int musl_check(const heap_t *heap) {
    const struct musl *musl = musl_of(heap);
    const struct pages *pages = &musl->pages;
    struct tally tally = {.records = 2}; /* the record of NULL and the origin */
    uint32_t listed = 0;
    int error = check_areas(heap, &tally);
    if (error == HEAP_OK) {
        error = check_mappings(heap, &tally);
    }
    for (uint32_t bin = 0; bin < BINS && error == HEAP_OK; bin++) {
        error = check_bin(heap, bin, &listed);
    }
    if (error != HEAP_OK) {
        return error;
    }
    if (tally.records != heap->live) {
        return HEAP_E_RECORDS;
    }
    if (tally.free_blocks != listed) {
        return HEAP_E_LIST;
    }
    if (tally.break_bytes / PAGE_BYTES != pages->counts.brk_pages ||
        tally.mapped_bytes / PAGE_BYTES != pages->counts.mmap_pages ||
        tally.mapped_blocks + musl->map_step != pages->counts.mappings) {
        return HEAP_E_PAGES;
    }
    error = check_walk(heap, &tally);
    return error == HEAP_OK ? pages_check(pages) : error;
}
