/*
 * musl's malloc as it was before mallocng, on 32 bits: `oldmalloc` of 1.2.1 and later, and that of 1.1.24 and 1.2.0.
 *
 * Chunks are multiples of 16 bytes and tile each area. Free ones hang in 64 bins by size; a bitmap finds the next bin
 * that holds one. Requests above 112 KiB get a mapping of their own. The break and the areas never shrink; what can
 * fall is the number of resident pages, when a long run of freed pages is handed back (madvise).
 *
 * A page becomes resident when the program or the allocator writes to it. The allocator writes the 8 bytes of a
 * chunk's header, and two list links behind it when the chunk is freed. What was written once stays resident, except
 * inside of a free chunk; so only headers in new places have to be looked at here.
 */
#include "musl_chunks.h"

enum {
    LARGEST_CHUNK = 0x1c00 * CHUNK_GRAIN, /* a larger one gets a mapping of its own */
    NOT_WORTH_CUTTING = CHUNK_GRAIN,      /* a remainder up to this stays with the chunk */
    RECLAIM_ABOVE = 163840,               /* free chunks up to this keep their pages */
    FIRST_CUT_IN_PLACE = 40,              /* 1.1.24: chunks of lower bins change bins when cut */
};

static inline uint32_t round_up(uint32_t value, uint32_t grain) {
    return (value + grain - 1) & ~(grain - 1);
}

/* The chunk for a request: header included, in whole grains; 0 when no address space could hold it. */
static inline uint32_t chunk_for(uint32_t bytes) {
    if (bytes > INT32_MAX - CHUNK_GRAIN - PAGE_BYTES + 1) {
        return 0;
    }
    return bytes == 0 ? CHUNK_GRAIN : round_up(bytes + CHUNK_HEADER, CHUNK_GRAIN);
}

static inline uint32_t address_of(const struct heap_block *chunk) {
    return (uint32_t)chunk->offset;
}

/* ---- Bins. Record 0 takes the writes to the neighbours that the ends of a list do not have. ---- */

static inline void unbin(struct musl *musl, const heap_t *heap, uint32_t handle) {
    const uint32_t number = bin_of(block_size(block_at(heap, handle)));
    const uint32_t next = block_at(heap, handle)->list_next;
    const uint32_t prev = block_at(heap, handle)->list_prev;
    struct bin *bin = &musl->bins[number];
    const struct bin old = *bin;
    block_at(heap, prev)->list_next = next;
    block_at(heap, next)->list_prev = prev;
    bin->first = prev == 0 ? next : old.first;
    bin->last = next == 0 ? prev : old.last;
    musl->filled ^= (uint64_t)((prev | next) == 0) << number;
}

static inline void append_to_bin(struct musl *musl, const heap_t *heap, uint32_t handle) {
    const uint32_t number = bin_of(block_size(block_at(heap, handle)));
    struct bin *bin = &musl->bins[number];
    const struct bin old = *bin;
    block_at(heap, handle)->list_next = 0;
    block_at(heap, handle)->list_prev = old.last;
    block_at(heap, old.last)->list_next = handle;
    bin->first = old.last == 0 ? handle : old.first;
    bin->last = handle;
    musl->filled |= UINT64_C(1) << number;
}

/* Takes out the first chunk of a bin that has one. */
static inline void take_first(struct musl *musl, const heap_t *heap, uint32_t number) {
    struct bin *bin = &musl->bins[number];
    const uint32_t handle = bin->first;
    const uint32_t next = block_at(heap, handle)->list_next;
    const uint32_t last = bin->last;
    block_at(heap, next)->list_prev = 0;
    bin->first = next;
    bin->last = next == 0 ? 0 : last;
    musl->filled ^= (uint64_t)(next == 0) << number;
}

/* ---- Pages ---- */

static inline void touch_header(struct musl *musl, const struct heap_block *chunk) {
    pages_touch(&musl->pages, address_of(chunk) - CHUNK_HEADER, CHUNK_HEADER);
}

/* The header and the two list links behind it. */
static inline void touch_free(struct musl *musl, const struct heap_block *chunk) {
    pages_touch(&musl->pages, address_of(chunk) - CHUNK_HEADER, CHUNK_HEADER + 2 * sizeof(uint32_t));
}

static inline void touch_links(struct musl *musl, const struct heap_block *chunk) {
    pages_touch(&musl->pages, address_of(chunk), 2 * sizeof(uint32_t));
}

static uint32_t mapped_area_bytes(const struct musl *musl, uint32_t bytes) {
    const uint32_t least = PAGE_BYTES << (musl->map_step / 2);
    return bytes < least ? least : bytes;
}

static uint32_t enlarged(uint32_t capacity, uint32_t least) {
    const uint32_t half_as_much_again = capacity + capacity / 2;
    if (least <= capacity) {
        return capacity;
    }
    return least > half_as_much_again ? least : half_as_much_again;
}

/*
 * Sees to it that there are bits for the pages that a chunk of this size can need. It comes before the kernel is asked,
 * so that a call which the host cannot serve changes nothing. The control structure may move.
 */
static bool prepare_pages(heap_t *heap, uint32_t size) {
    struct musl *musl = musl_of(heap);
    const uint32_t bytes = mapped_area_bytes(musl, round_up(size + CHUNK_GRAIN, PAGE_BYTES));
    struct pages_span span = pages_span_for(&musl->pages, bytes);
    if (pages_cover(&musl->pages, span)) {
        return true;
    }
    span.break_pages = enlarged(musl->pages.break_capacity, span.break_pages);
    span.map_pages = enlarged(musl->pages.map_capacity, span.map_pages);
    const size_t enough = sizeof *musl + pages_words(span) * sizeof musl->words[0];
    const struct heap_memory *memory = &heap->config->memory;
    struct musl *moved = memory->resize(memory->context, musl, heap->control_bytes, enough);
    if (moved == NULL) {
        musl->starved = true;
        return false;
    }
    heap->control = moved;
    heap->control_bytes = (uint32_t)enough;
    pages_widen(&moved->pages, moved->words, span);
    return true;
}

/* ---- Blocks with a mapping of their own ---- */

static COLD uint32_t map_block(heap_t *heap, uint32_t size) {
    if (!prepare_pages(heap, size)) {
        return 0;
    }
    struct musl *musl = musl_of(heap);
    const uint32_t bytes = round_up(size + CHUNK_HEADER, PAGE_BYTES);
    const uint32_t base = pages_map(&musl->pages, bytes);
    if (base == PAGES_REFUSED) {
        return 0;
    }
    const uint32_t handle = block_take(heap);
    struct heap_block *block = block_at(heap, handle);
    *block = (struct heap_block){
        .offset = (int32_t)(base + CHUNK_GRAIN),
        .size_flags = (bytes - CHUNK_HEADER) | MAPPED,
        .next = musl->mappings,
        .list_prev = CHUNK_HEADER,
    };
    block_at(heap, musl->mappings)->prev = handle; /* record 0 takes the write when there was none */
    musl->mappings = handle;
    touch_header(musl, block);
    return handle;
}

static inline uint32_t mapping_base(const struct heap_block *block) {
    return address_of(block) - CHUNK_HEADER - mapping_lead(block);
}

static COLD void unmap_block(heap_t *heap, uint32_t handle) {
    struct musl *musl = musl_of(heap);
    const struct heap_block *block = block_at(heap, handle);
    pages_unmap(&musl->pages, mapping_base(block), block_size(block) + mapping_lead(block));
    if (musl->mappings == handle) {
        musl->mappings = block->next;
    }
    block_remove(heap, handle);
}

/* ---- Freeing ---- */

/* Hands back the whole pages inside a free chunk, all but those of its links and of the next header. */
static void reclaim(struct musl *musl, const struct heap_block *chunk) {
    const uint32_t start = address_of(chunk) - CHUNK_HEADER;
    const uint32_t from = round_up(start + CHUNK_GRAIN, PAGE_BYTES);
    const uint32_t to = (start + block_size(chunk) - CHUNK_GRAIN) & ~(PAGE_BYTES - 1);
    pages_drop(&musl->pages, from, to - from);
}

/* Whether adding `more` to `size` makes a chunk that is long, and longer than the next power of two was. */
static bool grew_long(uint32_t size, uint32_t more) {
    return size + more > RECLAIM_ABOVE && ((size + more) ^ more) > more;
}

/* For a chunk just freed, which took in a free one before and one after it; their sizes are 0 where there was none. */
static COLD void reclaim_if_grown(struct musl *musl, const struct heap_block *chunk, uint32_t before, uint32_t after) {
    const uint32_t freed = block_size(chunk) - before - after;
    bool grown = grew_long(freed, before + after);
    if (musl->early) { /* looks at each step by itself */
        grown = (before != 0 && grew_long(freed, before)) || (after != 0 && grew_long(freed, after));
    }
    if (grown) {
        reclaim(musl, chunk);
    }
}

/* Takes a chunk of an area out of the chain, where it always has neighbours. */
static inline void unlink_chunk(heap_t *heap, uint32_t handle) {
    const uint32_t prev = block_at(heap, handle)->prev;
    const uint32_t next = block_at(heap, handle)->next;
    block_at(heap, prev)->next = next;
    block_at(heap, next)->prev = prev;
    block_give_back(heap, handle);
}

/* Frees a chunk of an area: merges it with its free neighbours and puts the whole last in its bin. */
static void release(heap_t *heap, uint32_t handle) {
    struct musl *musl = musl_of(heap);
    const uint32_t prev = block_at(heap, handle)->prev;
    const uint32_t next = block_at(heap, handle)->next;
    uint32_t before = 0;
    uint32_t after = 0;
    uint32_t whole = block_size(block_at(heap, handle));

    if (chunk_is_free(block_at(heap, next))) {
        after = block_size(block_at(heap, next));
        whole += after;
        unbin(musl, heap, next);
        unlink_chunk(heap, next);
    }
    if (chunk_is_free(block_at(heap, prev))) {
        before = block_size(block_at(heap, prev));
        whole += before;
        unbin(musl, heap, prev);
        unlink_chunk(heap, handle);
        handle = prev;
    } else {
        touch_links(musl, block_at(heap, handle));
    }
    block_at(heap, handle)->size_flags = whole;
    append_to_bin(musl, heap, handle);
    if (whole > RECLAIM_ABOVE) {
        reclaim_if_grown(musl, block_at(heap, handle), before, after);
    }
}

/* ---- Cutting ---- */

/* A new record behind a chunk of an area, which always has a neighbour there. */
static inline uint32_t insert_after(heap_t *heap, uint32_t handle) {
    const uint32_t made = block_take(heap);
    const uint32_t next = block_at(heap, handle)->next;
    block_at(heap, made)->prev = handle;
    block_at(heap, made)->next = next;
    block_at(heap, handle)->next = made;
    block_at(heap, next)->prev = made;
    return made;
}

/* Cuts a chunk at `size`; the rest is a new chunk behind it, whose flags and pages are the caller's to set. */
static inline uint32_t split(heap_t *heap, uint32_t handle, uint32_t size) {
    const uint32_t rest = insert_after(heap, handle);
    struct heap_block *chunk = block_at(heap, handle);
    struct heap_block *tail = block_at(heap, rest);
    tail->offset = (int32_t)(address_of(chunk) + size);
    tail->size_flags = block_size(chunk) - size;
    chunk->size_flags = size | BLOCK_USED;
    return rest;
}

/*
 * Cuts what a chunk just taken from a bin, or from new pages, has too much. The rest lies between used chunks, since
 * free ones never touch, so there is nothing to merge it with.
 */
static inline void trim(heap_t *heap, uint32_t handle, uint32_t size) {
    if (block_size(block_at(heap, handle)) - size > NOT_WORTH_CUTTING) {
        struct musl *musl = musl_of(heap);
        const uint32_t rest = split(heap, handle, size);
        touch_free(musl, block_at(heap, rest));
        append_to_bin(musl, heap, rest);
    }
}

/* Frees what a block that shrinks in place gives up; the chunk behind it may be free. */
static void cut_off(heap_t *heap, uint32_t handle, uint32_t size) {
    const uint32_t rest = split(heap, handle, size);
    touch_header(musl_of(heap), block_at(heap, rest));
    release(heap, rest);
}

/*
 * 1.1.24: cuts the head of a bin so that the rest keeps its place in the bin, where that saves taking it out and
 * putting it back. False when it cannot: the chunk is as before.
 */
static bool cut_in_place(heap_t *heap, uint32_t handle, uint32_t size, uint32_t bin) {
    struct musl *musl = musl_of(heap);
    const uint32_t whole = block_size(block_at(heap, handle));
    if (bin < FIRST_CUT_IN_PLACE) {
        return false;
    }
    if (bin < bin_that_fits(size) + 3 && (bin != LAST_BIN || whole - size <= LARGEST_CHUNK)) {
        return false;
    }
    if (bin_of(whole - size) != bin) {
        return false;
    }
    const uint32_t next = block_at(heap, handle)->list_next;
    const uint32_t rest = split(heap, handle, size);
    block_at(heap, rest)->list_next = next;
    block_at(heap, rest)->list_prev = 0;
    block_at(heap, next)->list_prev = rest;
    musl->bins[bin].first = rest;
    musl->bins[bin].last = next == 0 ? rest : musl->bins[bin].last;
    touch_free(musl, block_at(heap, rest));
    return true;
}

/* ---- Growing ---- */

/* Turns fresh pages into one used chunk with a sentinel behind it. */
static uint32_t add_area(heap_t *heap, uint32_t base, uint32_t bytes) {
    struct musl *musl = musl_of(heap);
    const uint32_t old_end = musl->last_end;
    const bool adjoins = base == musl->area_end;
    uint32_t handle = old_end; /* where the areas adjoin, the sentinel between them becomes the header of the chunk */
    uint32_t before = block_at(heap, old_end)->list_prev;
    if (!adjoins) {
        pages_touch(&musl->pages, base + CHUNK_HEADER, CHUNK_HEADER);
        handle = block_insert_after(heap, old_end);
        before = old_end;
    }
    const uint32_t lead = adjoins ? 0 : CHUNK_GRAIN; /* room for the sentinel in front */
    block_at(heap, handle)->offset = (int32_t)(base + lead);
    block_at(heap, handle)->size_flags = (bytes - lead) | BLOCK_USED;

    const uint32_t end = block_insert_after(heap, handle);
    block_at(heap, end)->offset = (int32_t)(base + bytes);
    block_at(heap, end)->size_flags = SENTINEL;
    block_at(heap, end)->list_prev = before;
    touch_header(musl, block_at(heap, end));
    musl->area_end = (uint64_t)base + bytes;
    musl->last_end = end;
    return handle;
}

/* A used chunk of at least `size` bytes from new pages, by the break or else by a mapping; 0 when neither can be. */
static uint32_t grow(heap_t *heap, uint32_t size) {
    if (!prepare_pages(heap, size)) {
        return 0;
    }
    struct musl *musl = musl_of(heap);
    uint32_t bytes = round_up(size + CHUNK_GRAIN, PAGE_BYTES);
    uint32_t base = pages_extend_break(&musl->pages, bytes);
    if (base == PAGES_REFUSED) {
        bytes = mapped_area_bytes(musl, bytes);
        base = pages_map(&musl->pages, bytes);
        if (base == PAGES_REFUSED) {
            return 0;
        }
        musl->map_step++;
    }
    return add_area(heap, base, bytes);
}

/* 1.1.24: joins a used chunk to the free one in front of it, if there is one. */
static uint32_t join_previous(heap_t *heap, uint32_t handle) {
    const uint32_t prev = block_at(heap, handle)->prev;
    if (!chunk_is_free(block_at(heap, prev))) {
        return handle;
    }
    unbin(musl_of(heap), heap, prev);
    block_at(heap, prev)->size_flags =
        (block_size(block_at(heap, prev)) + block_size(block_at(heap, handle))) | BLOCK_USED;
    unlink_chunk(heap, handle);
    return prev;
}

/* Joins a used chunk to the free one behind it. */
static void absorb_next(heap_t *heap, uint32_t handle) {
    const uint32_t next = block_at(heap, handle)->next;
    unbin(musl_of(heap), heap, next);
    block_at(heap, handle)->size_flags += block_size(block_at(heap, next));
    unlink_chunk(heap, next);
}

/* ---- The calls, on chunk sizes ---- */

static COLD uint32_t allocate_by_growing(heap_t *heap, uint32_t size) {
    uint32_t handle = grow(heap, size);
    if (handle != 0) {
        if (musl_of(heap)->early) {
            handle = join_previous(heap, handle);
        }
        trim(heap, handle, size);
    }
    return handle;
}

static inline uint32_t allocate(heap_t *heap, uint32_t size) {
    if (size > LARGEST_CHUNK) {
        return map_block(heap, size);
    }
    struct musl *musl = musl_of(heap);
    const uint64_t fitting = musl->filled & (~UINT64_C(0) << bin_that_fits(size));
    if (fitting == 0) {
        return allocate_by_growing(heap, size);
    }
    const uint32_t bin = (uint32_t)__builtin_ctzll(fitting);
    const uint32_t handle = musl->bins[bin].first;
    if (musl->early && cut_in_place(heap, handle, size, bin)) {
        return handle;
    }
    take_first(musl, heap, bin);
    block_at(heap, handle)->size_flags |= BLOCK_USED;
    trim(heap, handle, size);
    return handle;
}

static void free_chunk(heap_t *heap, uint32_t handle) {
    if (chunk_is_mapped(block_at(heap, handle))) {
        unmap_block(heap, handle);
    } else {
        release(heap, handle);
    }
}

/* Another chunk, with the contents copied; 0 leaves the old one. */
static uint32_t move_to_new(heap_t *heap, uint32_t handle, uint32_t size) {
    const uint32_t made = allocate(heap, size);
    if (made != 0) {
        const uint32_t old_size = block_size(block_at(heap, handle));
        const uint32_t copied = (size < old_size ? size : old_size) - CHUNK_HEADER;
        pages_touch(&musl_of(heap)->pages, address_of(block_at(heap, made)), copied);
        free_chunk(heap, handle);
    }
    return made;
}

static uint32_t resize_mapping(heap_t *heap, uint32_t handle, uint32_t size) {
    struct heap_block *block = block_at(heap, handle);
    const uint32_t lead = mapping_lead(block);
    const uint32_t old_bytes = block_size(block) + lead;
    if (size + lead < PAGE_BYTES) {
        const uint32_t made = move_to_new(heap, handle, size);
        if (made != 0 || musl_of(heap)->starved) {
            return made;
        }
    }
    const uint32_t bytes = round_up(size + lead, PAGE_BYTES);
    if (bytes == old_bytes) {
        return handle;
    }
    if (!prepare_pages(heap, size + lead)) {
        return 0;
    }
    const uint32_t base = pages_remap(&musl_of(heap)->pages, mapping_base(block), old_bytes, bytes);
    if (base == PAGES_REFUSED) {
        return move_to_new(heap, handle, size);
    }
    block->offset = (int32_t)(base + lead + CHUNK_HEADER);
    block_resize(block, bytes - lead);
    return handle;
}

/* 1.1.24: takes the free neighbour even when that is still too little; the move that follows would free both. */
static uint32_t resize_merging(heap_t *heap, uint32_t handle, uint32_t size) {
    if (size > block_size(block_at(heap, handle)) && chunk_is_free(block_at(heap, block_at(heap, handle)->next))) {
        if (!prepare_pages(heap, size)) {
            return 0;
        }
        absorb_next(heap, handle);
    }
    if (size > block_size(block_at(heap, handle))) {
        return move_to_new(heap, handle, size);
    }
    if (block_size(block_at(heap, handle)) - size > NOT_WORTH_CUTTING) {
        cut_off(heap, handle, size);
    }
    return handle;
}

/* 1.2.1: moves a shrinking block where a smaller bin has a chunk for it, so that the large one is not chipped. */
static uint32_t shrink_or_move(heap_t *heap, uint32_t handle, uint32_t size) {
    const struct musl *musl = musl_of(heap);
    const uint32_t bin = bin_that_fits(size);
    if (bin < bin_of(block_size(block_at(heap, handle))) && (musl->filled >> bin & 1) != 0) {
        return move_to_new(heap, handle, size);
    }
    cut_off(heap, handle, size);
    return handle;
}

static uint32_t resize(heap_t *heap, uint32_t handle, uint32_t size) {
    struct musl *musl = musl_of(heap);
    const uint32_t old_size = block_size(block_at(heap, handle));
    if (!musl->early && size <= old_size && old_size - size <= NOT_WORTH_CUTTING) {
        return handle;
    }
    if (chunk_is_mapped(block_at(heap, handle))) {
        return resize_mapping(heap, handle, size);
    }
    if (musl->early) {
        return resize_merging(heap, handle, size);
    }
    if (size < old_size) {
        return shrink_or_move(heap, handle, size);
    }
    const struct heap_block *next = block_at(heap, block_at(heap, handle)->next);
    if (chunk_is_free(next) && old_size + block_size(next) >= size) {
        absorb_next(heap, handle);
        trim(heap, handle, size);
        return handle;
    }
    return move_to_new(heap, handle, size);
}

/* Gives up the first bytes of a block; the record that names the rest. */
static uint32_t drop_front(heap_t *heap, uint32_t handle, uint32_t front) {
    struct musl *musl = musl_of(heap);
    struct heap_block *block = block_at(heap, handle);
    if (chunk_is_mapped(block)) {
        block->offset += (int32_t)front;
        block->size_flags -= front;
        block->list_prev += front;
        touch_header(musl, block);
        return handle;
    }
    const uint32_t rest = split(heap, handle, front);
    block_at(heap, rest)->size_flags |= BLOCK_USED;
    touch_header(musl, block_at(heap, rest));
    release(heap, handle);
    return rest;
}

/* ---- The interface ---- */

static inline struct heap_pointer answer(heap_t *heap, uint32_t handle) {
    if (handle != 0) {
        return (struct heap_pointer){handle, block_at(heap, handle)->offset};
    }
    struct musl *musl = musl_of(heap);
    const struct heap_pointer nothing = {0, musl->starved ? HEAP_E_MEMORY : HEAP_OK};
    musl->starved = false;
    return nothing;
}

static int64_t musl_control_bytes(const struct heap_config *config) {
    (void)config;
    return (int64_t)sizeof(struct musl);
}

static int musl_create(heap_t *heap) {
    struct musl *musl = musl_of(heap);
    const struct heap_config *config = heap->config;
    pages_init(&musl->pages, config->total_limit, config->brk_limit);
    musl->early = config->allocator == HEAP_MUSL_1_1_24;
    musl->area_end = UINT64_MAX; /* nothing adjoins the first area */
    musl->origin = block_take(heap);
    musl->last_end = musl->origin;
    *block_at(heap, musl->origin) = (struct heap_block){.size_flags = SENTINEL};
    return HEAP_OK;
}

static struct heap_pointer musl_malloc(heap_t *heap, uint32_t bytes) {
    const uint32_t size = chunk_for(bytes);
    return answer(heap, size == 0 ? 0 : allocate(heap, size));
}

/* Whole pages are only read, and written where they are not zero; such pages are resident already. */
static void touch_cleared(struct pages *pages, uint32_t address, uint32_t bytes) {
    if (bytes < PAGE_BYTES) {
        if (bytes > 0) {
            pages_touch(pages, address, bytes);
        }
        return;
    }
    const uint32_t head = -address % PAGE_BYTES;
    const uint32_t tail = (address + bytes) % PAGE_BYTES;
    if (head > 0) {
        pages_touch(pages, address, head);
    }
    if (tail > 0) {
        pages_touch(pages, address + bytes - tail, tail);
    }
}

/* A mapping is zero from the start and is not cleared. */
static struct heap_pointer musl_calloc(heap_t *heap, uint32_t count, uint32_t bytes) {
    const struct heap_pointer made = musl_malloc(heap, count * bytes);
    if (made.block != 0 && !chunk_is_mapped(block_at(heap, made.block))) {
        touch_cleared(&musl_of(heap)->pages, (uint32_t)made.offset, count * bytes);
    }
    return made;
}

static struct heap_pointer musl_realloc(heap_t *heap, uint32_t block, uint32_t bytes) {
    const uint32_t size = chunk_for(bytes);
    return answer(heap, size == 0 ? 0 : resize(heap, block, size));
}

static struct heap_pointer musl_aligned_alloc(heap_t *heap, uint32_t align, uint32_t bytes) {
    if (align <= CHUNK_GRAIN) {
        return musl_malloc(heap, bytes);
    }
    if (bytes > UINT32_MAX - align) {
        return answer(heap, 0);
    }
    const uint32_t size = chunk_for(bytes + align - 1);
    const uint32_t handle = size == 0 ? 0 : allocate(heap, size);
    if (handle == 0) {
        return answer(heap, 0);
    }
    const uint32_t front = -address_of(block_at(heap, handle)) % align;
    return answer(heap, front == 0 ? handle : drop_front(heap, handle, front));
}

static void musl_free(heap_t *heap, uint32_t block) {
    free_chunk(heap, block);
}

static int musl_touch(heap_t *heap, uint32_t block, uint32_t from, uint32_t bytes) {
    const struct heap_block *chunk = block_at(heap, block);
    const uint32_t usable = block_size(chunk) - CHUNK_HEADER;
    if (from > usable || bytes > usable - from) {
        return HEAP_E_BLOCK;
    }
    if (bytes > 0) {
        pages_touch(&musl_of(heap)->pages, address_of(chunk) + from, bytes);
    }
    return HEAP_OK;
}

/* The two differ in musl.early alone, which musl_create takes from the configuration. */
#define MUSL_OPS                                                                                                       \
    {                                                                                                                  \
        .realloc_zero_frees = false, .control_bytes = musl_control_bytes, .create = musl_create,                       \
        .malloc = musl_malloc, .calloc = musl_calloc, .realloc = musl_realloc, .aligned_alloc = musl_aligned_alloc,    \
        .free = musl_free, .touch = musl_touch, .stats = musl_stats, .walk = musl_walk, .check = musl_check,           \
        .view = musl_view, .pages = musl_page_counts,                                                                  \
    }

const struct heap_ops heap_musl_old_ops = MUSL_OPS;
const struct heap_ops heap_musl_1_1_24_ops = MUSL_OPS;
