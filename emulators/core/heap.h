/*
 * One interface to the heaps that embedded devices have: ESP-IDF's TLSF, Zephyr's sys_heap, musl's malloc.
 *
 * An emulated heap gives, for every call, the offset and the statistics that the real allocator gives on a 32-bit
 * device. It stores none of the device's memory: what the allocator keeps in headers inside the heap is kept here in
 * records outside of it, one struct heap_block for each block, used or free. A block is named by where its record lies
 * (its handle: bytes from the first record), so that no call looks up an address. Handle 0 is NULL.
 *
 *   heap.c       checks arguments, keeps records in reserve, dispatches           (knows no allocator's rules)
 *   blocks.h     the records: take, give back, link to neighbours                 (for the allocators only)
 *   tlsf.c, sys_heap.c, musl.c     one allocator each, behind a struct heap_ops   (know nothing of each other)
 *   replay.c     runs columns of operations against a heap_t
 *
 * There are no globals and no locks: a heap may be used by one thread at a time, different heaps by different threads.
 * Memory comes from the caller through struct heap_memory. Sizes are bytes unless a name says otherwise.
 */
#ifndef MEMFLEET_HEAP_H
#define MEMFLEET_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum heap_error {
    HEAP_OK = 0,
    HEAP_E_CONFIG = -1, /* the configuration is not one that the allocator can have */
    HEAP_E_SMALL = -2,  /* the region is too small for the allocator's control structure; upstream refuses it as well */
    HEAP_E_MEMORY = -3, /* the host gave no memory for records; the heap is as it was before the call */
    HEAP_E_BLOCK = -4,  /* the handle names no block in use: a double or foreign free */
    HEAP_E_ALIGN = -5,  /* the alignment is not a power of two */

    /* What heap_check found broken. */
    HEAP_E_ORDER = -16,   /* neighbours do not follow each other, overlap or leave a gap */
    HEAP_E_LINK = -17,    /* the link back to the previous neighbour is wrong */
    HEAP_E_MERGE = -18,   /* two free neighbours that should be one */
    HEAP_E_LIST = -19,    /* a free block is in no list, in a wrong one, or a list holds a used block */
    HEAP_E_BITMAP = -20,  /* a bitmap says that a list is empty and it is not, or the reverse */
    HEAP_E_COUNT = -21,   /* a running sum differs from what the blocks add up to */
    HEAP_E_ALIGNED = -22, /* a block starts or ends off the allocator's grain */
    HEAP_E_RECORDS = -23, /* records are lost: not in the heap, not spare */
    HEAP_E_PAGES = -24,   /* mapped or resident pages differ from what the areas add up to */
};

enum heap_allocator {
    HEAP_TLSF,        /* ESP-IDF 5.4 and later: malloc keeps sizes rounded up to their class */
    HEAP_TLSF_IDF53,  /* ESP-IDF 5.1 .. 5.3: blocks are cut to the request */
    HEAP_ZEPHYR_SYS,  /* Zephyr sys_heap_alloc and its kin */
    HEAP_ZEPHYR_K,    /* Zephyr k_malloc and its kin: 4 bytes in front of each block name its heap */
    HEAP_ZEPHYR_LIBC, /* Zephyr malloc of the common libc: 8-byte aligned */
    HEAP_MUSL_OLD,    /* musl 1.2.1 and later, built with --with-malloc=oldmalloc */
    HEAP_MUSL_1_1_24, /* musl up to 1.2.0 */
    HEAP_ALLOCATORS   /* how many there are */
};

/*
 * Where records come from. resize() is realloc with sizes: old is NULL at first, bytes 0 gives the memory back; NULL
 * means that there is none, and old stays as it was. The result is aligned for uint64_t. Each heap asks twice at its
 * creation (control structure, first records) and then only when it needs a quarter more records.
 */
struct heap_memory {
    void *(*resize)(void *context, void *old, size_t old_bytes, size_t bytes);
    void *context;
};

/* What a heap is. The caller keeps it for as long as the heap lives; any number of heaps may share one. 0 = default. */
struct heap_config {
    enum heap_allocator allocator;

    /* The region handed to the allocator: the address of its first byte on the device, of which only the alignment
     * matters, and its bytes. musl has no region. */
    uint32_t base;
    uint32_t size;

    uint32_t max_request; /* TLSF: largest request that heap_caps lets through; default 4 MiB (ESP32) */

    /* musl: how many bytes the program may map in all (brk and mmap) and by brk alone; default no limit */
    uint32_t total_limit;
    uint32_t brk_limit;

    struct heap_memory memory;
};

/*
 * The answer of an allocating call. offset is relative to the start of the region; for musl to the initial break, or
 * below 0 to the top of the mmap area. When block is 0 the device gets NULL, and offset is HEAP_OK when that is the
 * allocator's own answer, or else the heap_error for which nothing was done.
 */
struct heap_pointer {
    uint32_t block;
    int32_t offset;
};

struct heap_block; /* blocks.h */
struct heap_ops;   /* below */

/* A heap. The caller owns its memory; the fields are for the core alone. */
typedef struct heap {
    const struct heap_config *config;
    const struct heap_ops *ops;
    void *control;             /* the allocator's own state, control_bytes long */
    struct heap_block *blocks; /* capacity records; the first is never used */
    uint32_t control_bytes;
    uint32_t capacity;
    uint32_t live;  /* records in use, the unused first one included */
    uint32_t spare; /* head of the list of records that are not */
} heap_t;

/* ---- Operations. None but create and destroy takes or gives memory except for records. ---- */

int heap_create(heap_t *heap, const struct heap_config *config);
void heap_destroy(heap_t *heap);

struct heap_pointer heap_malloc(heap_t *heap, uint32_t bytes);
struct heap_pointer heap_calloc(heap_t *heap, uint32_t count, uint32_t bytes);
struct heap_pointer heap_aligned_alloc(heap_t *heap, uint32_t align, uint32_t bytes);

/* realloc(NULL, n) is malloc. NULL for bytes 0 means that the block was freed (musl gives a block of the least size).
 * In every other case NULL leaves the block as it was. */
struct heap_pointer heap_realloc(heap_t *heap, uint32_t block, uint32_t bytes);

/* HEAP_OK, also for block 0; or HEAP_E_BLOCK. A handle whose record serves another block by now cannot be told. */
int heap_free(heap_t *heap, uint32_t block);

/* The program writes to bytes [from, from + bytes) of a used block: musl's pages become resident. */
int heap_touch(heap_t *heap, uint32_t block, uint32_t from, uint32_t bytes);

/* Usable bytes of a used block, 0 for any other. */
uint32_t heap_usable(const heap_t *heap, uint32_t block);

/* Host bytes behind the heap: control structure and records, the heap_t itself not counted. */
size_t heap_metadata_bytes(const heap_t *heap);

/* ---- Statistics ---- */

/* musl: pages are of 4096 bytes; resident counts anonymous pages ever written and not given back. */
struct heap_pages {
    uint32_t brk_pages, mmap_pages, mappings, resident_brk, resident_mmap;
    uint32_t brk_calls, mmap_calls, munmap_calls, mremap_calls, madvise_calls, brk_failures, mmap_failures;
};

/*
 * What the platform itself can tell (free, used, min_free, max_used, largest_free by its own rules), and what the walk
 * finds. Zephyr has counted with and without the header of each chunk; *_with_headers is the former.
 */
struct heap_stats {
    uint32_t free, used;
    uint32_t min_free;           /* TLSF: lowest free yet; Zephyr has none: free bytes that were never used */
    uint32_t max_used;           /* Zephyr: highest used yet; TLSF has none: capacity - min_free */
    uint32_t largest_free;       /* largest request that is sure to succeed, as the platform reports it */
    uint32_t largest_free_block; /* usable bytes of the largest free block */
    uint32_t used_blocks, free_blocks;
    uint32_t solo_headers; /* Zephyr, big heaps: free chunks too small to be used */
    uint32_t free_with_headers, used_with_headers, max_used_with_headers;
    struct heap_pages pages; /* musl only */
};

void heap_stats(const heap_t *heap, struct heap_stats *stats);

/* ---- Walking and checking ---- */

/* One block, in address order. */
struct heap_view {
    uint32_t block;
    int32_t chunk;        /* offset of its header */
    int32_t pointer;      /* offset that the program has, or would have */
    uint32_t chunk_bytes; /* header included */
    uint32_t usable;      /* from pointer to the end of the block */
    bool used;
};

/* Return 0 to go on; anything else ends the walk and is its result. */
typedef int heap_visit(void *context, const struct heap_view *view);

int heap_walk(const heap_t *heap, heap_visit *visit, void *context);

/* HEAP_OK or the first broken invariant. For tests and fuzzing: it costs a walk and more. */
int heap_check(const heap_t *heap);

const char *heap_error_text(int error);                         /* one clause, no capital, no full stop */
const char *heap_allocator_name(enum heap_allocator allocator); /* "tlsf", "zephyr_k", ... */
int heap_allocator_named(const char *name);                     /* the enum, or HEAP_E_CONFIG */

/* ---- What an allocator provides ----
 *
 * heap.c calls these with arguments already checked: config->allocator is its own, block names a block in use and is
 * not 0, and HEAP_RESERVE spare records are at hand, so that no call can run out of records halfway and pointers to
 * records stay good during a call. Only free() must do without: it takes no record, so that it cannot fail. A result
 * with block 0 carries offset HEAP_OK.
 */
enum { HEAP_RESERVE = 6 };

struct heap_ops {
    bool realloc_zero_frees; /* heap.c then answers realloc with 0 bytes by itself */

    /* Bytes of the control structure for this configuration, or a negative heap_error. */
    int64_t (*control_bytes)(const struct heap_config *config);
    /* Make the empty heap; control is zeroed, HEAP_RESERVE records are at hand. */
    int (*create)(heap_t *heap);
    /* Give back what the allocator took from config->memory for itself beyond control; may be NULL. */
    void (*destroy)(heap_t *heap);

    struct heap_pointer (*malloc)(heap_t *heap, uint32_t bytes);
    struct heap_pointer (*calloc)(heap_t *heap, uint32_t count, uint32_t bytes);
    struct heap_pointer (*realloc)(heap_t *heap, uint32_t block, uint32_t bytes); /* block is not 0 */
    struct heap_pointer (*aligned_alloc)(heap_t *heap, uint32_t align, uint32_t bytes);
    void (*free)(heap_t *heap, uint32_t block);
    int (*touch)(heap_t *heap, uint32_t block, uint32_t from, uint32_t bytes); /* may be NULL */

    void (*stats)(const heap_t *heap, struct heap_stats *stats); /* stats is zeroed */
    int (*walk)(const heap_t *heap, heap_visit *visit, void *context);
    int (*check)(const heap_t *heap);
    void (*view)(const heap_t *heap, uint32_t block, struct heap_view *view);
    /* The running counts of pages, read after every operation of a replay; NULL for an allocator without pages. */
    const struct heap_pages *(*pages)(const heap_t *heap);
};

extern const struct heap_ops heap_tlsf_ops;
extern const struct heap_ops heap_tlsf_idf53_ops;
extern const struct heap_ops heap_zephyr_sys_ops;
extern const struct heap_ops heap_zephyr_k_ops;
extern const struct heap_ops heap_zephyr_libc_ops;
extern const struct heap_ops heap_musl_old_ops;
extern const struct heap_ops heap_musl_1_1_24_ops;

#endif
