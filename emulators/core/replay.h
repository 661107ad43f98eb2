/*
 * Runs columns of operations against a heap: the loop behind `memfleet trace`, tests and benchmarks.
 *
 *   kind  id  a      b        what is called
 *   m     id  bytes           malloc
 *   c     id  count  bytes    calloc
 *   a     id  align  bytes    aligned_alloc
 *   r     id  bytes           realloc; NULL leaves the id as it was, except that realloc to 0 bytes may have freed it
 *   f     id                  free
 */
#ifndef MEMFLEET_REPLAY_H
#define MEMFLEET_REPLAY_H

#include "heap.h"

enum { REPLAY_NULL = INT32_MIN }; /* in place of an offset: the device got NULL, or the operation was a free */

/* Slots of ids that name no block; every other value is a handle, 0 included. */
#define REPLAY_UNSEEN UINT32_MAX
#define REPLAY_FREED (UINT32_MAX - 1)

enum replay_fault {
    REPLAY_OK = 0,
    REPLAY_E_KIND = -64,    /* none of m c a r f */
    REPLAY_E_ID = -65,      /* not below the number of slots */
    REPLAY_E_HELD = -66,    /* an id that still holds a block is allocated again */
    REPLAY_E_FOREIGN = -67, /* free or realloc of an id never allocated */
    REPLAY_E_DOUBLE = -68,  /* free or realloc of an id already freed */
};

struct replay_page_change {
    uint32_t op, brk_pages, mmap_pages;
};

/* The caller's columns. Any output may be NULL. */
struct replay {
    const uint8_t *kind;
    const uint32_t *id, *a, *b;
    size_t count;

    uint32_t *slots; /* handle of each id, REPLAY_UNSEEN at first */
    uint32_t ids;

    bool touch;  /* the program writes each byte it is given */
    bool strict; /* an id freed twice is a fault; otherwise it is free(NULL) */

    int32_t *offsets; /* one an operation */

    uint32_t stats_every; /* statistics after operations every-1, 2*every-1, ... and after the last; 0 for none */
    struct heap_stats *stats;
    struct replay_page_change *pages; /* room for `count`; one entry each time the counts change, the first at op 0 */

    /* What came out. */
    size_t done; /* operations carried out; the index of the one at fault */
    size_t stats_count, pages_count;
    size_t failed;       /* allocations that gave NULL and were asked for at least one byte */
    size_t double_frees; /* taken as free(NULL) when not strict */
};

/* REPLAY_OK, a replay_fault or a heap_error; the heap stays as the operations before left it. */
int replay_run(heap_t *heap, struct replay *replay);

#endif
