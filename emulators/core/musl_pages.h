/*
 * The kernel's side of an emulated musl heap: which pages it maps, and which of those are resident.
 *
 * An address is the distance from the initial program break, modulo 2^32. The break grows upwards from 0; anonymous
 * mappings lie below the top of the address space, each in the highest gap that fits. One bit is kept for each page of
 * the break and two for each page of the mappings, and nothing of what the pages hold.
 */
#ifndef MEMFLEET_MUSL_PAGES_H
#define MEMFLEET_MUSL_PAGES_H

#include "heap.h"

#define PAGE_BYTES 4096u
#define PAGE_SHIFT 12

/* The first address that belongs to the mappings; all below it belong to the break. */
#define MAPPINGS_START 0x80000000u

/* What map, remap and extend_break return in place of an address when the kernel refuses. No address is odd. */
#define PAGES_REFUSED 1u

/* An emulated heap maps no more than this, so that an address tells the break from the mappings. */
#define PAGES_MOST (MAPPINGS_START / PAGE_BYTES - 1)

struct pages {
    struct heap_pages counts; /* calls are those granted; a refused mremap is counted nowhere, its mmap follows */
    uint64_t *break_resident; /* one bit for each page, from address 0 upwards */
    uint64_t *map_used;       /* one bit for each page, from the top of the address space downwards */
    uint64_t *map_resident;   /* as map_used */
    uint32_t break_capacity;  /* pages that there are bits for; a multiple of 64 */
    uint32_t map_capacity;    /* as break_capacity */
    uint32_t map_reach;       /* no page at or below this one was ever mapped */
    uint32_t break_limit;     /* pages of the break */
    uint32_t total_limit;     /* pages of the break and the mappings together */
    uint32_t dense_end;       /* every byte of the break below this address is resident */
};

/* How many pages the bits have to cover. */
struct pages_span {
    uint32_t break_pages;
    uint32_t map_pages;
};

/* Nothing mapped and no bits yet. A limit of 0 bytes is none. */
void pages_init(struct pages *pages, uint32_t total_limit, uint32_t break_limit);

/* What must be covered before the break or the mappings may grow by this much. */
struct pages_span pages_span_for(const struct pages *pages, uint32_t bytes);

bool pages_cover(const struct pages *pages, struct pages_span span);

/* Words of 64 bits that cover a span. */
size_t pages_words(struct pages_span span);

/* Spreads the bits over larger storage, which begins with the bits as they were. */
void pages_widen(struct pages *pages, uint64_t *words, struct pages_span span);

/* Moves the break up by whole pages; the old break, or PAGES_REFUSED. */
uint32_t pages_extend_break(struct pages *pages, uint32_t bytes);

/* Maps whole pages into the highest gap; the lowest address, or PAGES_REFUSED. */
uint32_t pages_map(struct pages *pages, uint32_t bytes);

/* Unmaps a whole mapping. */
void pages_unmap(struct pages *pages, uint32_t base, uint32_t bytes);

/* Resizes a mapping, moving it with its pages when it cannot grow in place; its address, or PAGES_REFUSED. */
uint32_t pages_remap(struct pages *pages, uint32_t base, uint32_t old_bytes, uint32_t new_bytes);

/* Drops what the pages hold; they stay mapped (madvise with MADV_DONTNEED). */
void pages_drop(struct pages *pages, uint32_t base, uint32_t bytes);

/* The uncommon part of pages_touch. */
void pages_touch_slowly(struct pages *pages, uint32_t address, uint32_t bytes);

/* Makes resident every page that a write of `bytes` > 0 bytes reaches. The range must be mapped. */
static inline void pages_touch(struct pages *pages, uint32_t address, uint32_t bytes) {
    if ((uint64_t)address + bytes > pages->dense_end)
        pages_touch_slowly(pages, address, bytes);
}

/* Whether all of a range of whole pages is mapped. */
bool pages_hold(const struct pages *pages, uint32_t base, uint32_t bytes);

/* HEAP_OK, or HEAP_E_PAGES when counts and bits disagree. */
int pages_check(const struct pages *pages);

#endif
