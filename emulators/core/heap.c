#include "heap.h"

#include <string.h>

#include "blocks.h"

enum { FIRST_RECORDS = 8 };

static const struct heap_ops *const OPS[HEAP_ALLOCATORS] = {
    [HEAP_TLSF] = &heap_tlsf_ops,
    [HEAP_TLSF_IDF53] = &heap_tlsf_idf53_ops,
    [HEAP_ZEPHYR_SYS] = &heap_zephyr_sys_ops,
    [HEAP_ZEPHYR_K] = &heap_zephyr_k_ops,
    [HEAP_ZEPHYR_LIBC] = &heap_zephyr_libc_ops,
    [HEAP_MUSL_OLD] = &heap_musl_old_ops,
    [HEAP_MUSL_1_1_24] = &heap_musl_1_1_24_ops,
};

static const char *const NAMES[HEAP_ALLOCATORS] = {
    [HEAP_TLSF] = "tlsf",
    [HEAP_TLSF_IDF53] = "tlsf_idf53",
    [HEAP_ZEPHYR_SYS] = "zephyr_sys",
    [HEAP_ZEPHYR_K] = "zephyr_k",
    [HEAP_ZEPHYR_LIBC] = "zephyr_libc",
    [HEAP_MUSL_OLD] = "musl_oldmalloc",
    [HEAP_MUSL_1_1_24] = "musl_1_1_24",
};

static const struct heap_pointer NOTHING = {0, HEAP_OK};

static struct heap_pointer refused(int error) {
    return (struct heap_pointer){0, error};
}

static void *resize(const heap_t *heap, void *old, size_t old_bytes, size_t bytes) {
    return heap->config->memory.resize(heap->config->memory.context, old, old_bytes, bytes);
}

static int grow_records(heap_t *heap, uint32_t capacity) {
    const uint32_t record = sizeof(struct heap_block);
    if (capacity > UINT32_MAX / record) {
        return HEAP_E_MEMORY;
    }
    struct heap_block *blocks = resize(heap, heap->blocks, heap->capacity * record, capacity * record);
    if (blocks == NULL) {
        return HEAP_E_MEMORY;
    }
    heap->blocks = blocks;
    for (uint32_t handle = capacity * record; handle > heap->capacity * record;) {
        handle -= record;
        struct heap_block *spare = block_at(heap, handle);
        spare->size_flags = 0;
        spare->list_next = heap->spare;
        heap->spare = handle;
    }
    heap->capacity = capacity;
    return HEAP_OK;
}

static COLD int reserve_more(heap_t *heap) {
    return grow_records(heap, heap->capacity + heap->capacity / 4 + HEAP_RESERVE);
}

static inline int reserve(heap_t *heap) {
    return heap->capacity - heap->live >= HEAP_RESERVE ? HEAP_OK : reserve_more(heap);
}

static bool in_use(const heap_t *heap, uint32_t block) {
    return block_exists(heap, block) && block_used(block_at(heap, block));
}

/* Record 0 stands for NULL: it is in use from the start, and its cleared flags keep it from being freed. */
static int prepare_records(heap_t *heap) {
    int error = grow_records(heap, FIRST_RECORDS);
    if (error == HEAP_OK) {
        memset(block_at(heap, block_take(heap)), 0, sizeof(struct heap_block));
    }
    return error;
}

int heap_create(heap_t *heap, const struct heap_config *config) {
    memset(heap, 0, sizeof *heap);
    if ((unsigned)config->allocator >= HEAP_ALLOCATORS || config->memory.resize == NULL) {
        return HEAP_E_CONFIG;
    }
    heap->config = config;
    heap->ops = OPS[config->allocator];
    int64_t bytes = heap->ops->control_bytes(config);
    if (bytes < 0) {
        return (int)bytes;
    }
    heap->control = resize(heap, NULL, 0, (size_t)bytes);
    if (heap->control == NULL) {
        return HEAP_E_MEMORY;
    }
    heap->control_bytes = (uint32_t)bytes;
    memset(heap->control, 0, (size_t)bytes);
    int error = prepare_records(heap);
    if (error == HEAP_OK) {
        error = heap->ops->create(heap);
    }
    if (error != HEAP_OK) {
        heap_destroy(heap);
    }
    return error;
}

void heap_destroy(heap_t *heap) {
    if (heap->control == NULL) {
        return;
    }
    if (heap->ops->destroy != NULL) {
        heap->ops->destroy(heap);
    }
    if (heap->blocks != NULL) {
        resize(heap, heap->blocks, heap->capacity * sizeof(struct heap_block), 0);
    }
    resize(heap, heap->control, heap->control_bytes, 0);
    memset(heap, 0, sizeof *heap);
}

struct heap_pointer heap_malloc(heap_t *heap, uint32_t bytes) {
    int error = reserve(heap);
    return error != HEAP_OK ? refused(error) : heap->ops->malloc(heap, bytes);
}

struct heap_pointer heap_calloc(heap_t *heap, uint32_t count, uint32_t bytes) {
    if ((uint64_t)count * bytes > UINT32_MAX) {
        return NOTHING;
    }
    int error = reserve(heap);
    return error != HEAP_OK ? refused(error) : heap->ops->calloc(heap, count, bytes);
}

struct heap_pointer heap_aligned_alloc(heap_t *heap, uint32_t align, uint32_t bytes) {
    if (align == 0 || (align & (align - 1)) != 0) {
        return refused(HEAP_E_ALIGN);
    }
    int error = reserve(heap);
    return error != HEAP_OK ? refused(error) : heap->ops->aligned_alloc(heap, align, bytes);
}

struct heap_pointer heap_realloc(heap_t *heap, uint32_t block, uint32_t bytes) {
    if (bytes == 0 && heap->ops->realloc_zero_frees) {
        return refused(heap_free(heap, block));
    }
    if (block == 0) {
        return heap_malloc(heap, bytes);
    }
    if (!in_use(heap, block)) {
        return refused(HEAP_E_BLOCK);
    }
    int error = reserve(heap);
    return error != HEAP_OK ? refused(error) : heap->ops->realloc(heap, block, bytes);
}

int heap_free(heap_t *heap, uint32_t block) {
    if (block == 0) {
        return HEAP_OK;
    }
    if (!in_use(heap, block)) {
        return HEAP_E_BLOCK;
    }
    heap->ops->free(heap, block);
    return HEAP_OK;
}

int heap_touch(heap_t *heap, uint32_t block, uint32_t from, uint32_t bytes) {
    if (!in_use(heap, block)) {
        return HEAP_E_BLOCK;
    }
    return heap->ops->touch == NULL ? HEAP_OK : heap->ops->touch(heap, block, from, bytes);
}

uint32_t heap_usable(const heap_t *heap, uint32_t block) {
    if (!in_use(heap, block)) {
        return 0;
    }
    struct heap_view view;
    heap->ops->view(heap, block, &view);
    return view.usable;
}

size_t heap_metadata_bytes(const heap_t *heap) {
    return heap->control_bytes + heap->capacity * sizeof(struct heap_block);
}

void heap_stats(const heap_t *heap, struct heap_stats *stats) {
    memset(stats, 0, sizeof *stats);
    heap->ops->stats(heap, stats);
}

int heap_walk(const heap_t *heap, heap_visit *visit, void *context) {
    return heap->ops->walk(heap, visit, context);
}

/* Every record is either live or in the spare list, once. */
static int check_spares(const heap_t *heap) {
    uint32_t spares = 0;
    for (uint32_t handle = heap->spare; handle != 0; handle = block_at(heap, handle)->list_next) {
        if (!block_exists(heap, handle) || block_at(heap, handle)->size_flags != 0 || spares++ > heap->capacity) {
            return HEAP_E_RECORDS;
        }
    }
    return spares + heap->live == heap->capacity ? HEAP_OK : HEAP_E_RECORDS;
}

int heap_check(const heap_t *heap) {
    int error = check_spares(heap);
    return error != HEAP_OK ? error : heap->ops->check(heap);
}

const char *heap_error_text(int error) {
    switch (error) {
    case HEAP_OK:
        return "no error";
    case HEAP_E_CONFIG:
        return "the allocator cannot have this configuration";
    case HEAP_E_SMALL:
        return "the region is too small for the allocator's control structure";
    case HEAP_E_MEMORY:
        return "the host has no memory for another record";
    case HEAP_E_BLOCK:
        return "the handle names no block in use";
    case HEAP_E_ALIGN:
        return "the alignment is not a power of two";
    case HEAP_E_ORDER:
        return "neighbours overlap, leave a gap or are out of order";
    case HEAP_E_LINK:
        return "a link back to the previous neighbour is wrong";
    case HEAP_E_MERGE:
        return "two free neighbours were not merged";
    case HEAP_E_LIST:
        return "a free list and the blocks disagree";
    case HEAP_E_BITMAP:
        return "a bitmap and the free lists disagree";
    case HEAP_E_COUNT:
        return "a running sum differs from what the blocks add up to";
    case HEAP_E_ALIGNED:
        return "a block is off the allocator's grain";
    case HEAP_E_RECORDS:
        return "records are lost";
    case HEAP_E_PAGES:
        return "pages differ from what the areas add up to";
    default:
        return "unknown error";
    }
}

const char *heap_allocator_name(enum heap_allocator allocator) {
    return (unsigned)allocator < HEAP_ALLOCATORS ? NAMES[allocator] : "unknown";
}

int heap_allocator_named(const char *name) {
    for (int allocator = 0; allocator < HEAP_ALLOCATORS; allocator++) {
        if (strcmp(name, NAMES[allocator]) == 0) {
            return allocator;
        }
    }
    return HEAP_E_CONFIG;
}
