/*
 * Zephyr's sys_heap, and the three ways programs reach it: sys_heap_alloc, k_malloc, and malloc of the common libc.
 *
 * Chunks come in units of 8 bytes. A chunk is a header (4 bytes, or 8 in a big heap) and what follows it. Free chunks
 * hang in circular lists, one for each power of two; a list's head is where the next search begins, and new chunks go
 * in behind it. Chunk 0 holds the control structure. Configuration as Zephyr's: SYS_HEAP_AUTO,
 * SYS_HEAP_RUNTIME_STATS, SYS_HEAP_ALLOC_LOOPS 3, SYS_HEAP_INFO and hardening off.
 *
 * Here a block's offset is that of its header, and its size is that of the chunk, header included. BLOCK_MARK says that
 * the program's pointer lies 4 bytes further than the header asks for, which happens to aligned blocks.
 */
#include "blocks.h"

enum {
    UNIT = 8,
    LOG2_UNIT = 3,
    SMALL_HEADER = 4,
    BIG_HEADER = 8,
    MOST_SMALL_UNITS = 32767, /* a small heap has 15 bits for a chunk's size */
    CONTROL_FIXED = 28,       /* of the control structure on the device, without the lists */
    WORD = 4,
    ALLOC_LOOPS = 3,
    MARKED_GAP = 4,
    HEAP_REFERENCE = 4, /* the word in front of each block of k_malloc */
    LIBC_ALIGN = 8,     /* alignof(max_align_t) on ARM and Xtensa */
};

struct sys_heap {
    uint32_t bytes;                   /* of the heap, chunk 0 included */
    uint32_t header;                  /* bytes */
    uint32_t solo;                    /* bytes of a free chunk too small to be found (a solo header); 0: none is */
    uint32_t used, used_with_headers; /* bytes */
    uint32_t max_used, max_used_with_headers;
    uint32_t first_block; /* behind chunk 0; it never changes */
    uint32_t lists;       /* how many */
    uint32_t filled;      /* one bit for each list that is not empty */
    uint32_t heads[];
};

static const struct heap_pointer NOTHING = {0, HEAP_OK};

static inline struct sys_heap *control_of(const heap_t *heap) {
    return heap->control;
}

static inline uint32_t log2_floor(uint32_t value) {
    return 31U - (uint32_t)__builtin_clz(value);
}

static inline uint64_t round_up(uint64_t value, uint64_t grain) {
    return (value + grain - 1) & ~(grain - 1);
}

/* Upstream's lists are ours from LOG2_UNIT on; solo headers, which it keeps in none, are in list 0, where no search
 * comes: that saves asking what a chunk is. */
static inline uint32_t list_for(const struct sys_heap *sys, uint32_t bytes) {
    return log2_floor((bytes - sys->solo) | 1);
}

/* Of the chunk for `bytes` of payload; a request that no heap can meet is cut to one that this heap cannot. */
static inline uint32_t chunk_for(const struct sys_heap *sys, uint64_t bytes) {
    uint64_t chunk = round_up(bytes + sys->header, UNIT);
    return chunk > sys->bytes ? sys->bytes : (uint32_t)chunk;
}

static inline uint32_t gap_of(const struct heap_block *block) {
    return (block->size_flags & BLOCK_MARK) != 0 ? MARKED_GAP : 0;
}

/* ---- Free lists. They are hardly ever empty, so that the processor foretells the branches that ask for it. ---- */

static inline void list_insert(heap_t *heap, uint32_t handle) {
    struct sys_heap *sys = control_of(heap);
    uint32_t list = list_for(sys, block_at(heap, handle)->size_flags);
    uint32_t head = sys->heads[list];
    if (head == 0) {
        block_at(heap, handle)->list_prev = handle;
        block_at(heap, handle)->list_next = handle;
        sys->heads[list] = handle;
        sys->filled |= 1U << list;
        return;
    }
    uint32_t tail = block_at(heap, head)->list_prev;
    block_at(heap, handle)->list_prev = tail;
    block_at(heap, handle)->list_next = head;
    block_at(heap, tail)->list_next = handle;
    block_at(heap, head)->list_prev = handle;
}

static inline void list_remove_from(heap_t *heap, uint32_t handle, uint32_t list) {
    struct sys_heap *sys = control_of(heap);
    uint32_t next = block_at(heap, handle)->list_next;
    if (next == handle) {
        sys->heads[list] = 0;
        sys->filled &= ~(1U << list);
        return;
    }
    uint32_t prev = block_at(heap, handle)->list_prev;
    block_at(heap, prev)->list_next = next;
    block_at(heap, next)->list_prev = prev;
    sys->heads[list] = next; /* upstream moves the head even when another chunk was it */
}

static inline void list_remove(heap_t *heap, uint32_t handle) {
    list_remove_from(heap, handle, list_for(control_of(heap), block_at(heap, handle)->size_flags));
}

/* Take a free chunk of at least `bytes`, unlisted; 0 if none. The head that a failing search has moved stays moved. */
static inline uint32_t list_find(heap_t *heap, uint32_t bytes) {
    struct sys_heap *sys = control_of(heap);
    uint32_t list = list_for(sys, bytes);
    uint32_t first = sys->heads[list];
    if (first != 0) {
        int tries = ALLOC_LOOPS;
        uint32_t head = first;
        do {
            if (block_at(heap, head)->size_flags >= bytes) {
                list_remove_from(heap, head, list);
                return head;
            }
            head = block_at(heap, head)->list_next;
        } while (--tries != 0 && head != first);
        sys->heads[list] = head;
    }
    uint32_t above = sys->filled & (~1U << list);
    if (above == 0) {
        return 0;
    }
    list = (uint32_t)__builtin_ctz(above);
    uint32_t found = sys->heads[list];
    list_remove_from(heap, found, list);
    return found;
}

/* ---- Chunks ---- */

/* Make a free chunk, in no list, of the last `rest` bytes that `handle` has had; `bytes` are left to it. */
static inline uint32_t add_tail(heap_t *heap, uint32_t handle, uint32_t bytes, uint32_t rest) {
    uint32_t tail = block_insert_after(heap, handle);
    block_at(heap, tail)->offset = block_at(heap, handle)->offset + (int32_t)bytes;
    block_at(heap, tail)->size_flags = rest;
    return tail;
}

/* Cut a free, unlisted chunk to `bytes` and list the rest. */
static inline void cut_and_list(heap_t *heap, uint32_t handle, uint32_t bytes) {
    uint32_t rest = block_at(heap, handle)->size_flags - bytes;
    block_at(heap, handle)->size_flags = bytes;
    if (rest != 0) {
        list_insert(heap, add_tail(heap, handle, bytes, rest));
    }
}

static inline bool is_free(const heap_t *heap, uint32_t handle) {
    return handle != 0 && !block_used(block_at(heap, handle));
}

/* Make a free chunk of `bytes` of `handle` and its free neighbours, right one first, and list it. */
static inline void merge_and_list(heap_t *heap, uint32_t handle, uint32_t bytes) {
    uint32_t next = block_at(heap, handle)->next;
    if (is_free(heap, next)) {
        list_remove(heap, next);
        bytes += block_at(heap, next)->size_flags;
        block_remove(heap, next);
    }
    uint32_t prev = block_at(heap, handle)->prev;
    if (is_free(heap, prev)) {
        list_remove(heap, prev);
        bytes += block_at(heap, prev)->size_flags;
        block_remove(heap, handle);
        handle = prev;
    }
    block_at(heap, handle)->size_flags = bytes;
    list_insert(heap, handle);
}

static inline void spend(struct sys_heap *sys, uint32_t bytes, uint32_t header) {
    const uint32_t with_headers = sys->used_with_headers += bytes;
    const uint32_t used = sys->used += bytes - header;
    if (used > sys->max_used) {
        sys->max_used = used;
    }
    if (with_headers > sys->max_used_with_headers) {
        sys->max_used_with_headers = with_headers;
    }
}

/* ---- sys_heap_alloc, sys_heap_aligned_alloc, sys_heap_aligned_realloc, sys_heap_free: a block or 0 ---- */

static inline uint32_t allocate(heap_t *heap, uint32_t bytes) {
    struct sys_heap *sys = control_of(heap);
    if (bytes == 0) {
        return 0;
    }
    uint32_t chunk = chunk_for(sys, bytes);
    uint32_t found = list_find(heap, chunk);
    if (found != 0) {
        cut_and_list(heap, found, chunk);
        block_at(heap, found)->size_flags = chunk | BLOCK_USED;
        spend(sys, chunk, sys->header);
    }
    return found;
}

/* Turn an unlisted chunk into a block whose pointer is at address `pointer`, and list what is left on both sides. */
static uint32_t place(heap_t *heap, uint32_t handle, uint64_t pointer, uint32_t bytes) {
    struct sys_heap *sys = control_of(heap);
    uint64_t start = (uint64_t)heap->config->base + (uint32_t)block_at(heap, handle)->offset;
    uint64_t chunk = (pointer - sys->header) & ~(uint64_t)(UNIT - 1);
    if (chunk > start) {
        uint32_t front = (uint32_t)(chunk - start);
        uint32_t rest = add_tail(heap, handle, front, block_at(heap, handle)->size_flags - front);
        block_at(heap, handle)->size_flags = front;
        list_insert(heap, handle);
        handle = rest;
    }
    uint32_t kept = (uint32_t)(round_up(pointer + bytes, UNIT) - chunk);
    cut_and_list(heap, handle, kept);
    bool gap = pointer - sys->header != chunk;
    block_at(heap, handle)->size_flags |= gap ? BLOCK_USED | BLOCK_MARK : BLOCK_USED;
    spend(sys, kept, sys->header);
    return handle;
}

/* `align` is a power of two, or one plus a smaller one (`rewind`): then pointer + rewind is what is aligned. */
static uint32_t allocate_aligned(heap_t *heap, uint32_t align, uint32_t bytes) {
    struct sys_heap *sys = control_of(heap);
    uint32_t rewind = align & -align;
    uint32_t gap = rewind < sys->header ? rewind : sys->header;
    if (align != rewind) {
        align -= rewind;
    } else if (align <= sys->header) {
        return allocate(heap, bytes);
    } else {
        rewind = 0;
        gap = sys->header;
    }
    if (bytes == 0) {
        return 0;
    }
    uint32_t found = list_find(heap, chunk_for(sys, (uint64_t)bytes + align - gap));
    if (found == 0) {
        return 0;
    }
    uint64_t payload = (uint64_t)heap->config->base + (uint32_t)block_at(heap, found)->offset + sys->header;
    return place(heap, found, round_up(payload + rewind, align) - rewind, bytes);
}

static void release(heap_t *heap, uint32_t block) {
    struct sys_heap *sys = control_of(heap);
    const uint32_t bytes = block_size(block_at(heap, block));
    sys->used_with_headers -= bytes;
    sys->used -= bytes - sys->header;
    merge_and_list(heap, block, bytes);
}

static void shrink(heap_t *heap, uint32_t block, uint32_t bytes) {
    struct sys_heap *sys = control_of(heap);
    uint32_t rest = block_size(block_at(heap, block)) - bytes;
    if (rest != 0) {
        sys->used_with_headers -= rest;
        sys->used -= rest;
        block_resize(block_at(heap, block), bytes);
        merge_and_list(heap, add_tail(heap, block, bytes, rest), rest);
    }
}

/* In place: true when the chunk has `need` bytes now. */
static bool resize_in_place(heap_t *heap, uint32_t block, uint32_t need) {
    uint32_t have = block_size(block_at(heap, block));
    if (need <= have) {
        shrink(heap, block, need);
        return true;
    }
    uint32_t next = block_at(heap, block)->next;
    if (!is_free(heap, next) || have + block_at(heap, next)->size_flags < need) {
        return false;
    }
    list_remove(heap, next);
    cut_and_list(heap, next, need - have);
    block_remove(heap, next);
    block_resize(block_at(heap, block), need);
    spend(control_of(heap), need - have, 0);
    return true;
}

/* Resize, or move to a new block of the same alignment; 0 leaves the block as it was. */
static uint32_t resize(heap_t *heap, uint32_t block, uint32_t align, uint32_t bytes) {
    const struct sys_heap *sys = control_of(heap);
    const struct heap_block *old = block_at(heap, block);
    uint32_t gap = gap_of(old);
    uint64_t pointer = (uint64_t)heap->config->base + (uint32_t)old->offset + sys->header + gap;
    bool aligned = align == 0 || pointer % align == 0;
    if (aligned && resize_in_place(heap, block, chunk_for(sys, (uint64_t)bytes + gap))) {
        return block;
    }
    uint32_t moved = align == 0 ? allocate(heap, bytes) : allocate_aligned(heap, align, bytes);
    if (moved != 0) {
        release(heap, block);
    }
    return moved;
}

/* ---- The forms ---- */

static inline uint32_t front_of(const heap_t *heap) {
    return heap->config->allocator == HEAP_ZEPHYR_K ? HEAP_REFERENCE : 0;
}

static inline struct heap_pointer pointer_to(const heap_t *heap, uint32_t handle, uint32_t front) {
    if (handle == 0) {
        return NOTHING;
    }
    const struct heap_block *block = block_at(heap, handle);
    uint32_t before = control_of(heap)->header + gap_of(block) + front;
    return (struct heap_pointer){handle, block->offset + (int32_t)before};
}

static struct heap_pointer any_calloc(heap_t *heap, uint32_t count, uint32_t bytes) {
    return heap->ops->malloc(heap, count * bytes);
}

static struct heap_pointer sys_malloc(heap_t *heap, uint32_t bytes) {
    return pointer_to(heap, allocate(heap, bytes), 0);
}

static struct heap_pointer sys_aligned_alloc(heap_t *heap, uint32_t align, uint32_t bytes) {
    return pointer_to(heap, allocate_aligned(heap, align, bytes), 0);
}

static struct heap_pointer sys_realloc(heap_t *heap, uint32_t block, uint32_t bytes) {
    return pointer_to(heap, resize(heap, block, 0, bytes), 0);
}

static struct heap_pointer k_malloc(heap_t *heap, uint32_t bytes) {
    if (bytes > UINT32_MAX - HEAP_REFERENCE) {
        return NOTHING;
    }
    return pointer_to(heap, allocate(heap, bytes + HEAP_REFERENCE), HEAP_REFERENCE);
}

static struct heap_pointer k_aligned_alloc(heap_t *heap, uint32_t align, uint32_t bytes) {
    if (bytes > UINT32_MAX - HEAP_REFERENCE) {
        return NOTHING;
    }
    uint32_t at_least_word = align < WORD ? WORD : align;
    uint32_t block = allocate_aligned(heap, at_least_word | HEAP_REFERENCE, bytes + HEAP_REFERENCE);
    return pointer_to(heap, block, HEAP_REFERENCE);
}

static struct heap_pointer k_realloc(heap_t *heap, uint32_t block, uint32_t bytes) {
    if (bytes > UINT32_MAX - HEAP_REFERENCE) {
        return NOTHING;
    }
    return pointer_to(heap, resize(heap, block, 0, bytes + HEAP_REFERENCE), HEAP_REFERENCE);
}

static struct heap_pointer libc_malloc(heap_t *heap, uint32_t bytes) {
    return pointer_to(heap, allocate_aligned(heap, LIBC_ALIGN, bytes), 0);
}

static struct heap_pointer libc_realloc(heap_t *heap, uint32_t block, uint32_t bytes) {
    return pointer_to(heap, resize(heap, block, LIBC_ALIGN, bytes), 0);
}

/* ---- Creation ---- */

/* What follows from the region. Offsets are relative to its start. */
struct geometry {
    uint32_t start; /* of chunk 0 */
    uint32_t units, header, least;
    uint32_t lists;         /* as list_for numbers them */
    uint32_t control_units; /* of chunk 0 */
};

static struct geometry geometry_of(const struct heap_config *config) {
    uint32_t footer = config->size / UNIT > MOST_SMALL_UNITS ? BIG_HEADER : SMALL_HEADER;
    uint64_t start = round_up(config->base, UNIT);
    uint64_t end = ((uint64_t)config->base + config->size - footer) & ~(uint64_t)(UNIT - 1);
    struct geometry geometry = {.start = (uint32_t)(start - config->base)};
    geometry.units = end > start ? (uint32_t)((end - start) / UNIT) : 0;
    bool big = geometry.units > MOST_SMALL_UNITS;
    geometry.header = big ? BIG_HEADER : SMALL_HEADER;
    geometry.least = big ? 2 : 1;
    uint32_t upstream_lists = 0;
    if (geometry.units >= geometry.least) {
        upstream_lists = log2_floor(geometry.units - geometry.least + 1) + 1;
    }
    geometry.lists = LOG2_UNIT + upstream_lists;
    geometry.control_units = (uint32_t)round_up(CONTROL_FIXED + WORD * upstream_lists, UNIT) / UNIT;
    return geometry;
}

static int64_t sys_control_bytes(const struct heap_config *config) {
    if (config->size > INT32_MAX) {
        return HEAP_E_CONFIG;
    }
    if (config->size <= BIG_HEADER) {
        return HEAP_E_SMALL;
    }
    struct geometry geometry = geometry_of(config);
    if (geometry.units < geometry.control_units + geometry.least) {
        return HEAP_E_SMALL;
    }
    return (int64_t)(sizeof(struct sys_heap) + geometry.lists * sizeof(uint32_t));
}

static int sys_create(heap_t *heap) {
    struct sys_heap *sys = control_of(heap);
    struct geometry geometry = geometry_of(heap->config);
    sys->bytes = geometry.units * UNIT;
    sys->header = geometry.header;
    sys->solo = (geometry.least - 1) * UNIT;
    sys->lists = geometry.lists;
    sys->first_block = block_take(heap);
    *block_at(heap, sys->first_block) = (struct heap_block){
        .offset = (int32_t)(geometry.start + geometry.control_units * UNIT),
        .size_flags = (geometry.units - geometry.control_units) * UNIT,
    };
    list_insert(heap, sys->first_block);
    return HEAP_OK;
}

/* ---- Looking at it ---- */

static void sys_view(const heap_t *heap, uint32_t handle, struct heap_view *view) {
    const struct heap_block *block = block_at(heap, handle);
    struct heap_pointer pointer = pointer_to(heap, handle, front_of(heap));
    uint32_t before = (uint32_t)(pointer.offset - block->offset);
    *view = (struct heap_view){
        .block = handle,
        .chunk = block->offset,
        .pointer = pointer.offset,
        .chunk_bytes = block_size(block),
        .usable = block_size(block) > before ? block_size(block) - before : 0,
        .used = block_used(block),
    };
}

static int sys_walk(const heap_t *heap, heap_visit *visit, void *context) {
    int result = 0;
    struct heap_view view;
    for (uint32_t handle = control_of(heap)->first_block; handle != 0 && result == 0;
         handle = block_at(heap, handle)->next) {
        sys_view(heap, handle, &view);
        result = visit(context, &view);
    }
    return result;
}

static void sys_stats(const heap_t *heap, struct heap_stats *stats) {
    const struct sys_heap *sys = control_of(heap);
    uint32_t largest = 0;
    for (uint32_t handle = sys->first_block; handle != 0; handle = block_at(heap, handle)->next) {
        uint32_t bytes = block_size(block_at(heap, handle));
        if (block_used(block_at(heap, handle))) {
            stats->used_blocks++;
        } else if (bytes <= sys->solo) {
            stats->solo_headers++;
        } else {
            stats->free_blocks++;
            stats->free_with_headers += bytes;
            largest = bytes > largest ? bytes : largest;
        }
    }
    stats->used = sys->used;
    stats->max_used = sys->max_used;
    stats->free = stats->free_with_headers - stats->free_blocks * sys->header;
    stats->used_with_headers = sys->used_with_headers;
    stats->max_used_with_headers = sys->max_used_with_headers;
    uint32_t total = stats->free + stats->used;
    stats->min_free = total > stats->max_used ? total - stats->max_used : 0;
    stats->largest_free_block = largest != 0 ? largest - sys->header : 0;
    stats->largest_free = stats->largest_free_block;
}

struct sums {
    uint32_t blocks, used, used_bytes, listed;
};

static int check_chain(const heap_t *heap, struct sums *sums) {
    const struct sys_heap *sys = control_of(heap);
    struct geometry geometry = geometry_of(heap->config);
    uint32_t at = geometry.start + geometry.control_units * UNIT;
    uint32_t prev = 0;
    for (uint32_t handle = sys->first_block; handle != 0; prev = handle, handle = block_at(heap, handle)->next) {
        const struct heap_block *block = block_at(heap, handle);
        if (!block_exists(heap, handle) || sums->blocks++ > heap->live || (uint32_t)block->offset != at) {
            return HEAP_E_ORDER;
        }
        if (block->prev != prev) {
            return HEAP_E_LINK;
        }
        if (block_size(block) % UNIT != 0 || block_size(block) == 0) {
            return HEAP_E_ALIGNED;
        }
        if (block_used(block)) {
            sums->used++;
            sums->used_bytes += block_size(block);
        } else if (is_free(heap, prev)) {
            return HEAP_E_MERGE;
        } else {
            sums->listed++;
        }
        at += block_size(block);
    }
    return at == geometry.start + geometry.units * UNIT ? HEAP_OK : HEAP_E_ORDER;
}

static int check_list(const heap_t *heap, uint32_t list, uint32_t *listed) {
    const struct sys_heap *sys = control_of(heap);
    uint32_t head = sys->heads[list];
    if ((head != 0) != ((sys->filled >> list & 1) != 0)) {
        return HEAP_E_BITMAP;
    }
    uint32_t handle = head;
    while (handle != 0) {
        if (!block_exists(heap, handle) || (*listed)++ > heap->live || block_used(block_at(heap, handle)) ||
            list_for(sys, block_at(heap, handle)->size_flags) != list) {
            return HEAP_E_LIST;
        }
        uint32_t next = block_at(heap, handle)->list_next;
        if (next == 0 || !block_exists(heap, next) || block_at(heap, next)->list_prev != handle) {
            return HEAP_E_LIST;
        }
        handle = next == head ? 0 : next;
    }
    return HEAP_OK;
}

static int sys_check(const heap_t *heap) {
    const struct sys_heap *sys = control_of(heap);
    struct sums sums = {0};
    uint32_t listed = 0;
    int error = check_chain(heap, &sums);
    for (uint32_t list = 0; list < sys->lists && error == HEAP_OK; list++) {
        error = check_list(heap, list, &listed);
    }
    if (error != HEAP_OK) {
        return error;
    }
    if (listed != sums.listed) {
        return HEAP_E_LIST;
    }
    if (sums.blocks + 1 != heap->live) {
        return HEAP_E_RECORDS;
    }
    bool agree = sums.used_bytes == sys->used_with_headers && sums.used_bytes - sums.used * sys->header == sys->used;
    return agree && sys->used <= sys->max_used ? HEAP_OK : HEAP_E_COUNT;
}

const struct heap_ops heap_zephyr_sys_ops = {
    .realloc_zero_frees = true,
    .control_bytes = sys_control_bytes,
    .create = sys_create,
    .malloc = sys_malloc,
    .calloc = any_calloc,
    .realloc = sys_realloc,
    .aligned_alloc = sys_aligned_alloc,
    .free = release,
    .stats = sys_stats,
    .walk = sys_walk,
    .check = sys_check,
    .view = sys_view,
};

const struct heap_ops heap_zephyr_k_ops = {
    .realloc_zero_frees = true,
    .control_bytes = sys_control_bytes,
    .create = sys_create,
    .malloc = k_malloc,
    .calloc = any_calloc,
    .realloc = k_realloc,
    .aligned_alloc = k_aligned_alloc,
    .free = release,
    .stats = sys_stats,
    .walk = sys_walk,
    .check = sys_check,
    .view = sys_view,
};

const struct heap_ops heap_zephyr_libc_ops = {
    .realloc_zero_frees = true,
    .control_bytes = sys_control_bytes,
    .create = sys_create,
    .malloc = libc_malloc,
    .calloc = any_calloc,
    .realloc = libc_realloc,
    .aligned_alloc = sys_aligned_alloc,
    .free = release,
    .stats = sys_stats,
    .walk = sys_walk,
    .check = sys_check,
    .view = sys_view,
};
