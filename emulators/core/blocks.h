/*
 * Records of blocks, shared by the allocators: what upstream writes into headers inside the heap.
 *
 * A heap's records are one array; links are handles, bytes from its start, and 0 ends a chain. Neighbours (prev, next)
 * are in address order; a region of memory that touches no other begins with prev 0 and ends with next 0. list_prev and
 * list_next belong to the allocator's free lists while a block is free; while it is used an allocator may keep what it
 * likes in them. A spare record has size 0 and all its flags clear, and hangs in the spare list by list_next.
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

/* A handle is no index: what it names would be a multiplication away. */
static inline struct heap_block *block_at(const heap_t *heap, uint32_t handle) {
    return (struct heap_block *)(void *)((char *)heap->blocks + handle);
}

static inline bool block_exists(const heap_t *heap, uint32_t handle) {
    const uint32_t record = sizeof(struct heap_block);
    return handle < heap->capacity * record && handle % record == 0;
}

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
    uint32_t handle = heap->spare;
    heap->spare = block_at(heap, handle)->list_next;
    heap->live++;
    return handle;
}

static inline void block_give_back(heap_t *heap, uint32_t handle) {
    block_at(heap, handle)->size_flags = 0;
    block_at(heap, handle)->list_next = heap->spare;
    heap->spare = handle;
    heap->live--;
}

/* A new record right after `handle` in address order. */
static inline uint32_t block_insert_after(heap_t *heap, uint32_t handle) {
    uint32_t made = block_take(heap);
    uint32_t next = block_at(heap, handle)->next;
    block_at(heap, made)->prev = handle;
    block_at(heap, made)->next = next;
    block_at(heap, handle)->next = made;
    block_at(heap, next)->prev = made; /* record 0 takes the write at the end of a region */
    return made;
}

/* Take `handle` out of the chain of neighbours and give its record back. */
static inline void block_remove(heap_t *heap, uint32_t handle) {
    uint32_t prev = block_at(heap, handle)->prev;
    uint32_t next = block_at(heap, handle)->next;
    block_at(heap, prev)->next = next; /* record 0 takes the write where there is no neighbour */
    block_at(heap, next)->prev = prev;
    block_give_back(heap, handle);
}

#endif
