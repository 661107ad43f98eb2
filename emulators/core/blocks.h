/*
 * Records of blocks, shared by the allocators: what upstream writes into headers inside the heap.
 *
 * A heap's records are one array; links are indexes into it and 0 ends a chain. Neighbours (prev, next) are in address
 * order; a region of memory that touches no other begins with prev 0 and ends with next 0. list_prev and list_next
 * belong to the allocator's free lists while a block is free; while it is used an allocator may keep what it likes in
 * them. A spare record has size 0 and all its flags clear, and hangs in the spare list by list_next.
 */
#ifndef MEMFLEET_BLOCKS_H
#define MEMFLEET_BLOCKS_H

#include "heap.h"

/* What happens once in thousands of operations stays out of the functions that always run. */
#define COLD __attribute__((cold, noinline))

/* Sizes are multiples of 4 in each allocator, so that two flags fit below them. */
enum { BLOCK_USED = 1, BLOCK_MARK = 2, BLOCK_FLAGS = 3 }; /* BLOCK_MARK is the allocator's own */

struct heap_block {
    int32_t offset;      /* where it is: the meaning (header or pointer) is the allocator's choice */
    uint32_t size_flags; /* bytes (the meaning is the allocator's choice) and flags */
    uint32_t prev, next; /* neighbours */
    uint32_t list_prev, list_next;
};

static inline uint32_t block_size(const struct heap_block *block) {
    return block->size_flags & ~(uint32_t)BLOCK_FLAGS;
}

static inline bool block_used(const struct heap_block *block) {
    return (block->size_flags & BLOCK_USED) != 0;
}

/* Keeps the flags. */
static inline void block_resize(struct heap_block *block, uint32_t bytes) {
    block->size_flags = bytes | (block->size_flags & BLOCK_FLAGS);
}

/* A record of unknown content; heap.c has seen to it that there is one (HEAP_RESERVE). */
static inline uint32_t block_take(heap_t *heap) {
    uint32_t index = heap->spare;
    heap->spare = heap->blocks[index].list_next;
    heap->live++;
    return index;
}

static inline void block_give_back(heap_t *heap, uint32_t index) {
    heap->blocks[index].size_flags = 0;
    heap->blocks[index].list_next = heap->spare;
    heap->spare = index;
    heap->live--;
}

/* A new record right after `index` in address order. */
static inline uint32_t block_insert_after(heap_t *heap, uint32_t index) {
    uint32_t made = block_take(heap);
    struct heap_block *blocks = heap->blocks;
    uint32_t next = blocks[index].next;
    blocks[made].prev = index;
    blocks[made].next = next;
    blocks[index].next = made;
    blocks[next].prev = made; /* record 0 takes the write at the end of a region */
    return made;
}

/* Take `index` out of the chain of neighbours and give its record back. */
static inline void block_remove(heap_t *heap, uint32_t index) {
    struct heap_block *blocks = heap->blocks;
    uint32_t prev = blocks[index].prev;
    uint32_t next = blocks[index].next;
    blocks[prev].next = next; /* record 0 takes the write where there is no neighbour */
    blocks[next].prev = prev;
    block_give_back(heap, index);
}

#endif
