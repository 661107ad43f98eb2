/*
 * Where the requests of a device's tasks go: to the first of its heaps that has room, in an order that the size of the
 * request may turn round. With musl a block's pages become resident as the task writes it, and a process that has too
 * many of them is killed.
 */
#ifndef MEMFLEET_ROUTE_H
#define MEMFLEET_ROUTE_H

#include "heap.h"

enum { ROUTE_HEAPS = 8 };

struct route {
    heap_t *heaps[ROUTE_HEAPS];
    uint32_t count;
    uint32_t first;      /* so many of them are tried first, unless more than `large` bytes are asked for */
    uint32_t large;      /* bytes */
    uint32_t most_pages; /* resident pages beyond which the process is killed; UINT32_MAX for never */
    uint32_t peak_pages; /* the most resident pages yet */
};

/* A block and whose it is; owner NULL stands for none. */
struct held {
    void *owner;
    uint32_t block;
};

enum route_answer {
    ROUTE_GIVEN,
    ROUTE_NULL,   /* no heap has room */
    ROUTE_KILLED, /* given, but the process does not live to see it */
    ROUTE_FAULT,  /* the host has no memory for records, or a callback failed */
};

/* Allocates `bytes`; `written`: the program writes them all. */
enum route_answer route_malloc(struct route *route, uint32_t bytes, bool written, struct held *held);

void route_free(struct held *held);

/* Pages of the heap that the program or its allocator has written to; 0 for a heap without pages. */
uint32_t route_resident_pages(const heap_t *heap);

#endif
