/*
 * ESP-IDF's heap: multi_heap over TLSF (two-level segregated fit), as heap_caps_malloc and its kin reach it.
 *
 * Free blocks hang in lists by size class. A class is a power of two (first level) cut into 2^log2_second parts (second
 * level); sizes below `small` have a class for each word. Two levels of bitmaps find the next class that holds a block.
 * Source of the method: Masmano, Ripoll, Crespo, Real: "TLSF: a new dynamic memory allocator for real-time systems".
 *
 * Device layout: heap record (20 bytes), control structure, pool; in the pool each block has a 4-byte header and ends
 * where the next header begins; a sentinel header ends the pool. Here a block's offset is that of its payload.
 */
#include "blocks.h"

enum {
    WORD = 4,
    LOG2_WORD = 2,
    HEADER = 4,
    LEAST_PAYLOAD = 12, /* room for list links and the word that points back */
    LEAST_BLOCK = LEAST_PAYLOAD + HEADER,
    HEAP_RECORD = 20,             /* of multi_heap, in front of the control structure */
    CONTROL_FIXED = 36,           /* of the control structure on the device, without bitmaps and lists */
    POOL_OVERHEAD = 2 * HEADER,   /* first header and sentinel */
    FIRST_LEVELS = 26,            /* the most that 32-bit sizes need */
    DEFAULT_MAX_REQUEST = 4 << 20 /* HEAP_SIZE_MAX of the ESP32 */
};

/* What follows from the size of the region. */
struct geometry {
    uint32_t pool;      /* bytes after the heap record */
    uint32_t control;   /* bytes of the device's control structure */
    uint32_t small;     /* sizes below it have a class for each word */
    uint8_t log2_limit; /* no request reaches 2^log2_limit */
    uint8_t log2_second;
    uint8_t first_levels;
};

struct tlsf {
    struct geometry geometry;
    uint32_t capacity; /* bytes the device counts as free in an empty heap */
    uint32_t free;
    uint32_t min_free;
    uint32_t max_request;
    uint32_t first_block; /* lowest in the pool; it never changes */
    uint32_t first_map;
    uint32_t second_map[FIRST_LEVELS];
    uint32_t heads[]; /* first_levels << log2_second lists */
};

/*
 * Most of a call's time goes into the classes of sizes, that is into shifts, for which x86-64 has had better
 * instructions since 2013 (BMI2). A build for all processors may not take them for granted: so these calls are compiled
 * twice, and the processor is asked when the module is loaded.
 */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define WITH_BETTER_SHIFTS __attribute__((target_clones("default", "bmi2")))
#else
#define WITH_BETTER_SHIFTS
#endif

static const struct heap_pointer NOTHING = {0, HEAP_OK};

static inline uint32_t log2_floor(uint32_t value) {
    return 31U - (uint32_t)__builtin_clz(value);
}

static inline uint32_t lowest_bit(uint32_t bits) {
    return (uint32_t)__builtin_ctz(bits);
}

static inline uint64_t round_up(uint64_t value, uint64_t grain) {
    return (value + grain - 1) & ~(grain - 1);
}

static inline struct tlsf *control_of(const heap_t *heap) {
    return heap->control;
}

/* ---- Size classes ----
 *
 * A class is named by its place in the table of lists: first level << log2_second | second level. All classes of a
 * first level are equally wide; below `small` they are a word wide, which is the width at `small` as well. So one shift
 * makes both kinds, without a branch that could not be foretold.
 */

/* log2 of the width of the class that holds `bytes`; never less than a word. */
static inline uint32_t class_width(const struct geometry *geometry, uint32_t bytes) {
    return log2_floor(bytes | geometry->small) - geometry->log2_second;
}

static inline uint32_t class_of(const struct geometry *geometry, uint32_t bytes) {
    uint32_t width = class_width(geometry, bytes);
    return ((width - LOG2_WORD) << geometry->log2_second) + (bytes >> width);
}

/* The lowest class whose blocks all hold `bytes`, which becomes the least size of that class. */
static inline uint32_t class_that_holds(const struct geometry *geometry, uint32_t *bytes) {
    uint32_t width = class_width(geometry, *bytes);
    uint32_t below = (1U << width) - 1;
    *bytes = (*bytes + below) & ~below;
    return ((width - LOG2_WORD) << geometry->log2_second) + (*bytes >> width); /* right for the next power of two too */
}

static inline uint32_t first_of(const struct geometry *geometry, uint32_t class) {
    return class >> geometry->log2_second;
}

static inline uint32_t second_of(const struct geometry *geometry, uint32_t class) {
    return class & ((1U << geometry->log2_second) - 1);
}

/* ---- Free lists: last in, first out ---- */

static inline void list_insert(const heap_t *heap, struct tlsf *tlsf, uint32_t handle) {
    uint32_t class = class_of(&tlsf->geometry, block_size(block_at(heap, handle)));
    uint32_t first = first_of(&tlsf->geometry, class);
    uint32_t head = tlsf->heads[class];
    block_at(heap, handle)->list_prev = 0;
    block_at(heap, handle)->list_next = head;
    block_at(heap, head)->list_prev = handle; /* record 0 takes the write when the list was empty */
    tlsf->heads[class] = handle;
    tlsf->first_map |= 1U << first;
    tlsf->second_map[first] |= 1U << second_of(&tlsf->geometry, class);
}

/* Take the head of a list. */
static inline uint32_t list_pop(const heap_t *heap, struct tlsf *tlsf, uint32_t class) {
    uint32_t handle = tlsf->heads[class];
    uint32_t next = block_at(heap, handle)->list_next;
    uint32_t first = first_of(&tlsf->geometry, class);
    uint32_t emptied = next == 0;
    block_at(heap, next)->list_prev = 0;
    tlsf->heads[class] = next;
    tlsf->second_map[first] &= ~(emptied << second_of(&tlsf->geometry, class));
    emptied = tlsf->second_map[first] == 0;
    tlsf->first_map &= ~(emptied << first);
    return handle;
}

static inline void list_remove(const heap_t *heap, struct tlsf *tlsf, uint32_t handle) {
    uint32_t class = class_of(&tlsf->geometry, block_size(block_at(heap, handle)));
    uint32_t first = first_of(&tlsf->geometry, class);
    uint32_t prev = block_at(heap, handle)->list_prev;
    uint32_t next = block_at(heap, handle)->list_next;
    uint32_t emptied = (prev | next) == 0;
    block_at(heap, prev)->list_next = next; /* record 0 takes the write where there is no other */
    block_at(heap, next)->list_prev = prev;
    tlsf->heads[class] = prev == 0 ? next : tlsf->heads[class];
    tlsf->second_map[first] &= ~(emptied << second_of(&tlsf->geometry, class));
    emptied = tlsf->second_map[first] == 0;
    tlsf->first_map &= ~(emptied << first);
}

/* Take the first block of the lowest class from `class` up; 0 if none. */
static inline uint32_t list_find(const heap_t *heap, struct tlsf *tlsf, uint32_t class) {
    uint32_t first = first_of(&tlsf->geometry, class);
    if (first >= tlsf->geometry.first_levels) {
        return 0;
    }
    uint32_t map = tlsf->second_map[first] & (~0U << second_of(&tlsf->geometry, class));
    if (map == 0) {
        uint32_t above = tlsf->first_map & (~1U << first);
        if (above == 0) {
            return 0;
        }
        first = lowest_bit(above);
        map = tlsf->second_map[first];
    }
    return list_pop(heap, tlsf, (first << tlsf->geometry.log2_second) + lowest_bit(map));
}

/* ---- Blocks ---- */

/* Absorb the neighbour after `handle`; neither may be in a list. */
static inline void absorb_next(heap_t *heap, uint32_t handle) {
    uint32_t next = block_at(heap, handle)->next;
    block_at(heap, handle)->size_flags += block_size(block_at(heap, next)) + HEADER;
    block_remove(heap, next);
}

static inline void merge_next(heap_t *heap, struct tlsf *tlsf, uint32_t handle) {
    uint32_t next = block_at(heap, handle)->next;
    if (next != 0 && !block_used(block_at(heap, next))) {
        list_remove(heap, tlsf, next);
        absorb_next(heap, handle);
    }
}

/* Cut `handle` to `bytes` payload when a block fits in what is left; that block, or 0. It is in no list yet. */
static inline uint32_t cut(heap_t *heap, uint32_t handle, uint32_t bytes) {
    uint32_t size = block_size(block_at(heap, handle));
    if (size < bytes + LEAST_BLOCK) {
        return 0;
    }
    uint32_t tail = block_insert_after(heap, handle);
    block_resize(block_at(heap, handle), bytes);
    block_at(heap, tail)->offset = block_at(heap, handle)->offset + (int32_t)(bytes + HEADER);
    block_at(heap, tail)->size_flags = size - bytes - HEADER;
    return tail;
}

/* Hand out an unlisted block, cut to `bytes`. */
static inline struct heap_pointer hand_out(heap_t *heap, struct tlsf *tlsf, uint32_t handle, uint32_t bytes) {
    uint32_t tail = cut(heap, handle, bytes);
    if (tail != 0) {
        list_insert(heap, tlsf, tail);
    }
    block_at(heap, handle)->size_flags |= BLOCK_USED;
    return (struct heap_pointer){handle, block_at(heap, handle)->offset};
}

static inline void spend(struct tlsf *tlsf, uint32_t bytes) {
    tlsf->free -= bytes;
    if (tlsf->free < tlsf->min_free) {
        tlsf->min_free = tlsf->free;
    }
}

/* The payload for a request, or 0 when no heap of this size can have it. */
static inline uint32_t payload_for(const struct tlsf *tlsf, uint32_t bytes) {
    if (bytes == 0 || bytes > tlsf->max_request) {
        return 0;
    }
    uint64_t payload = round_up(bytes, WORD);
    if (payload >> tlsf->geometry.log2_limit != 0) {
        return 0;
    }
    return payload < LEAST_PAYLOAD ? LEAST_PAYLOAD : (uint32_t)payload;
}

/* ---- Operations ---- */

static inline struct heap_pointer allocate(heap_t *heap, uint32_t bytes, bool keep_rounding) {
    struct tlsf *tlsf = control_of(heap);
    uint32_t payload = payload_for(tlsf, bytes);
    if (payload == 0) {
        return NOTHING;
    }
    uint32_t rounded = payload;
    uint32_t found = list_find(heap, tlsf, class_that_holds(&tlsf->geometry, &rounded));
    if (found == 0) {
        return NOTHING;
    }
    struct heap_pointer pointer = hand_out(heap, tlsf, found, keep_rounding ? rounded : payload);
    spend(tlsf, block_size(block_at(heap, found)) + HEADER);
    return pointer;
}

static WITH_BETTER_SHIFTS struct heap_pointer tlsf_malloc(heap_t *heap, uint32_t bytes) {
    return allocate(heap, bytes, true);
}

static WITH_BETTER_SHIFTS struct heap_pointer idf53_malloc(heap_t *heap, uint32_t bytes) {
    return allocate(heap, bytes, false);
}

static struct heap_pointer tlsf_calloc(heap_t *heap, uint32_t count, uint32_t bytes) {
    return heap->ops->malloc(heap, count * bytes);
}

static WITH_BETTER_SHIFTS void tlsf_free(heap_t *heap, uint32_t block) {
    struct tlsf *tlsf = control_of(heap);
    block_at(heap, block)->size_flags &= ~(uint32_t)BLOCK_FLAGS;
    tlsf->free += block_size(block_at(heap, block)) + HEADER;
    uint32_t prev = block_at(heap, block)->prev;
    if (prev != 0 && !block_used(block_at(heap, prev))) {
        list_remove(heap, tlsf, prev);
        absorb_next(heap, prev);
        block = prev;
    }
    merge_next(heap, tlsf, block);
    list_insert(heap, tlsf, block);
}

static struct heap_pointer move(heap_t *heap, uint32_t block, uint32_t bytes) {
    struct tlsf *tlsf = control_of(heap);
    uint32_t min_free = tlsf->min_free;
    struct heap_pointer moved = heap->ops->malloc(heap, bytes);
    tlsf->min_free = min_free; /* upstream counts a move as one step, never both blocks at once */
    if (moved.block != 0) {
        tlsf_free(heap, block);
        spend(tlsf, 0);
    }
    return moved;
}

/* In place when it shrinks or when the next neighbour is free and large enough; never rounded to a class. */
static struct heap_pointer tlsf_realloc(heap_t *heap, uint32_t block, uint32_t bytes) {
    struct tlsf *tlsf = control_of(heap);
    uint32_t payload = payload_for(tlsf, bytes);
    if (payload == 0) {
        return NOTHING;
    }
    uint32_t size = block_size(block_at(heap, block));
    if (payload > size) {
        uint32_t next = block_at(heap, block)->next;
        bool fits = next != 0 && !block_used(block_at(heap, next)) &&
                    payload <= size + block_size(block_at(heap, next)) + HEADER;
        if (!fits) {
            return move(heap, block, bytes);
        }
        merge_next(heap, tlsf, block);
    }
    uint32_t tail = cut(heap, block, payload);
    if (tail != 0) {
        merge_next(heap, tlsf, tail);
        list_insert(heap, tlsf, tail);
    }
    tlsf->free += size;
    spend(tlsf, block_size(block_at(heap, block)));
    return (struct heap_pointer){block, block_at(heap, block)->offset};
}

/* Bytes from the payload at `offset` to the aligned address where the block will begin: 0, or room for a free block. */
static uint32_t gap_before(const heap_t *heap, int32_t offset, uint32_t align) {
    uint64_t address = (uint64_t)heap->config->base + (uint32_t)offset;
    uint64_t aligned = round_up(address, align);
    uint64_t gap = aligned - address;
    if (gap != 0 && gap < LEAST_BLOCK) {
        uint64_t further = LEAST_BLOCK - gap > align ? LEAST_BLOCK - gap : align;
        aligned = round_up(aligned + further, align);
    }
    return (uint32_t)(aligned - address);
}

/* Split `gap` bytes off the front of an unlisted block, list them as free, and give the rest. */
static uint32_t cut_front(heap_t *heap, struct tlsf *tlsf, uint32_t handle, uint32_t gap) {
    uint32_t rest = block_insert_after(heap, handle);
    block_at(heap, rest)->offset = block_at(heap, handle)->offset + (int32_t)gap;
    block_at(heap, rest)->size_flags = block_size(block_at(heap, handle)) - gap;
    block_resize(block_at(heap, handle), gap - HEADER);
    list_insert(heap, tlsf, handle);
    return rest;
}

static struct heap_pointer tlsf_aligned_alloc(heap_t *heap, uint32_t align, uint32_t bytes) {
    if (align <= WORD) {
        return heap->ops->malloc(heap, bytes);
    }
    struct tlsf *tlsf = control_of(heap);
    uint32_t payload = payload_for(tlsf, bytes);
    uint64_t search = round_up((uint64_t)payload + align + LEAST_BLOCK, align);
    if (payload == 0 || search >> tlsf->geometry.log2_limit != 0) {
        return NOTHING;
    }
    uint32_t room = (uint32_t)search;
    uint32_t found = list_find(heap, tlsf, class_that_holds(&tlsf->geometry, &room));
    if (found == 0) {
        return NOTHING;
    }
    uint32_t gap = gap_before(heap, block_at(heap, found)->offset, align);
    if (gap != 0) {
        found = cut_front(heap, tlsf, found, gap);
    }
    struct heap_pointer pointer = hand_out(heap, tlsf, found, payload);
    spend(tlsf, block_size(block_at(heap, found)) + HEADER);
    return pointer;
}

/* ---- Creation ---- */

static struct geometry geometry_of(uint32_t size) {
    struct geometry geometry = {.pool = size - HEAP_RECORD};
    uint32_t log2_second = geometry.pool <= 16384 ? 3 : geometry.pool <= 262144 ? 4 : 5;
    uint32_t log2_limit = log2_floor(geometry.pool) + 1;
    uint32_t log2_small = log2_second + LOG2_WORD;
    uint32_t levels = log2_limit >= log2_small ? log2_limit - log2_small + 1 : 0;
    geometry.log2_second = (uint8_t)log2_second;
    geometry.log2_limit = (uint8_t)log2_limit;
    geometry.small = 1U << log2_small;
    geometry.first_levels = (uint8_t)levels;
    geometry.control = CONTROL_FIXED + WORD * levels + WORD * (levels << log2_second);
    return geometry;
}

static int64_t tlsf_control_bytes(const struct heap_config *config) {
    if (config->base % WORD != 0 || config->size > INT32_MAX) {
        return HEAP_E_CONFIG;
    }
    if (config->size <= HEAP_RECORD) {
        return HEAP_E_SMALL;
    }
    struct geometry geometry = geometry_of(config->size);
    if (geometry.pool < geometry.control + LEAST_PAYLOAD) {
        return HEAP_E_SMALL;
    }
    size_t lists = (size_t)geometry.first_levels << geometry.log2_second;
    return (int64_t)(sizeof(struct tlsf) + lists * sizeof(uint32_t));
}

static int tlsf_create(heap_t *heap) {
    struct tlsf *tlsf = control_of(heap);
    uint32_t max_request = heap->config->max_request;
    tlsf->geometry = geometry_of(heap->config->size);
    tlsf->max_request = max_request != 0 ? max_request : DEFAULT_MAX_REQUEST;
    tlsf->capacity = tlsf->geometry.pool - tlsf->geometry.control;
    tlsf->free = tlsf->min_free = tlsf->capacity;
    tlsf->first_block = block_take(heap);
    *block_at(heap, tlsf->first_block) = (struct heap_block){
        .offset = (int32_t)(HEAP_RECORD + tlsf->geometry.control + HEADER),
        .size_flags = (tlsf->capacity - POOL_OVERHEAD) & ~(uint32_t)(WORD - 1),
    };
    list_insert(heap, tlsf, tlsf->first_block);
    return HEAP_OK;
}

/* ---- Looking at it ---- */

static void tlsf_view(const heap_t *heap, uint32_t handle, struct heap_view *view) {
    const struct heap_block *block = block_at(heap, handle);
    *view = (struct heap_view){
        .block = handle,
        .chunk = block->offset - HEADER,
        .pointer = block->offset,
        .chunk_bytes = block_size(block) + HEADER,
        .usable = block_size(block),
        .used = block_used(block),
    };
}

static int tlsf_walk(const heap_t *heap, heap_visit *visit, void *context) {
    int result = 0;
    struct heap_view view;
    for (uint32_t handle = control_of(heap)->first_block; handle != 0 && result == 0;
         handle = block_at(heap, handle)->next) {
        tlsf_view(heap, handle, &view);
        result = visit(context, &view);
    }
    return result;
}

/* The largest request that is sure to find a block of `bytes`: the least size of its class. */
static uint32_t sure_to_fit(const struct geometry *geometry, uint32_t bytes) {
    if (bytes < geometry->small) {
        return bytes == 0 || bytes >= LEAST_PAYLOAD ? bytes : LEAST_PAYLOAD;
    }
    return bytes & ~((1U << class_width(geometry, bytes)) - 1);
}

static void tlsf_stats(const heap_t *heap, struct heap_stats *stats) {
    const struct tlsf *tlsf = control_of(heap);
    uint32_t largest = 0;
    for (uint32_t handle = tlsf->first_block; handle != 0; handle = block_at(heap, handle)->next) {
        uint32_t size = block_size(block_at(heap, handle));
        if (block_used(block_at(heap, handle))) {
            stats->used_blocks++;
            stats->used += size;
        } else {
            stats->free_blocks++;
            largest = size > largest ? size : largest;
        }
    }
    stats->free = tlsf->free;
    stats->min_free = tlsf->min_free;
    stats->max_used = tlsf->capacity - tlsf->min_free;
    stats->largest_free_block = largest;
    stats->largest_free = sure_to_fit(&tlsf->geometry, largest);
}

static int check_chain(const heap_t *heap, uint32_t *free_blocks) {
    const struct tlsf *tlsf = control_of(heap);
    uint32_t prev = 0;
    uint32_t count = 0;
    uint32_t used = 0;
    uint32_t at = HEAP_RECORD + tlsf->geometry.control + HEADER;
    for (uint32_t handle = tlsf->first_block; handle != 0; prev = handle, handle = block_at(heap, handle)->next) {
        const struct heap_block *block = block_at(heap, handle);
        if (!block_exists(heap, handle) || count++ > heap->live || (uint32_t)block->offset != at) {
            return HEAP_E_ORDER;
        }
        if (block->prev != prev) {
            return HEAP_E_LINK;
        }
        if (block_size(block) % WORD != 0) {
            return HEAP_E_ALIGNED;
        }
        if (block_used(block)) {
            used += block_size(block) + HEADER;
        } else if (prev != 0 && !block_used(block_at(heap, prev))) {
            return HEAP_E_MERGE;
        } else {
            (*free_blocks)++;
        }
        at += block_size(block) + HEADER;
    }
    if (at != HEAP_RECORD + tlsf->geometry.control + ((tlsf->capacity - POOL_OVERHEAD) & ~(uint32_t)(WORD - 1)) + 8) {
        return HEAP_E_ORDER;
    }
    if (count + 1 != heap->live) {
        return HEAP_E_RECORDS;
    }
    return tlsf->capacity - used == tlsf->free && tlsf->min_free <= tlsf->free ? HEAP_OK : HEAP_E_COUNT;
}

static int check_list(const heap_t *heap, uint32_t class, uint32_t *listed) {
    const struct tlsf *tlsf = control_of(heap);
    uint32_t prev = 0;
    for (uint32_t handle = tlsf->heads[class]; handle != 0; prev = handle, handle = block_at(heap, handle)->list_next) {
        if (!block_exists(heap, handle) || (*listed)++ > heap->live || block_used(block_at(heap, handle))) {
            return HEAP_E_LIST;
        }
        bool belongs = class_of(&tlsf->geometry, block_size(block_at(heap, handle))) == class;
        if (!belongs || block_at(heap, handle)->list_prev != prev) {
            return HEAP_E_LIST;
        }
    }
    uint32_t map = tlsf->second_map[first_of(&tlsf->geometry, class)];
    bool bit = (map >> second_of(&tlsf->geometry, class) & 1) != 0;
    return bit == (tlsf->heads[class] != 0) ? HEAP_OK : HEAP_E_BITMAP;
}

static int tlsf_check(const heap_t *heap) {
    const struct tlsf *tlsf = control_of(heap);
    uint32_t free_blocks = 0;
    uint32_t listed = 0;
    int error = check_chain(heap, &free_blocks);
    uint32_t classes = (uint32_t)tlsf->geometry.first_levels << tlsf->geometry.log2_second;
    for (uint32_t class = 0; class < classes && error == HEAP_OK; class ++) {
        error = check_list(heap, class, &listed);
    }
    for (uint32_t first = 0; first < tlsf->geometry.first_levels && error == HEAP_OK; first++) {
        bool bit = (tlsf->first_map >> first & 1) != 0;
        error = bit == (tlsf->second_map[first] != 0) ? HEAP_OK : HEAP_E_BITMAP;
    }
    return error == HEAP_OK && listed != free_blocks ? HEAP_E_LIST : error;
}

const struct heap_ops heap_tlsf_ops = {
    .realloc_zero_frees = true,
    .control_bytes = tlsf_control_bytes,
    .create = tlsf_create,
    .malloc = tlsf_malloc,
    .calloc = tlsf_calloc,
    .realloc = tlsf_realloc,
    .aligned_alloc = tlsf_aligned_alloc,
    .free = tlsf_free,
    .stats = tlsf_stats,
    .walk = tlsf_walk,
    .check = tlsf_check,
    .view = tlsf_view,
};

const struct heap_ops heap_tlsf_idf53_ops = {
    .realloc_zero_frees = true,
    .control_bytes = tlsf_control_bytes,
    .create = tlsf_create,
    .malloc = idf53_malloc,
    .calloc = tlsf_calloc,
    .realloc = tlsf_realloc,
    .aligned_alloc = tlsf_aligned_alloc,
    .free = tlsf_free,
    .stats = tlsf_stats,
    .walk = tlsf_walk,
    .check = tlsf_check,
    .view = tlsf_view,
};
