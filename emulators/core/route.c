#include "route.h"

uint32_t route_resident_pages(const heap_t *heap) {
    if (heap->ops->pages == NULL) {
        return 0;
    }
    const struct heap_pages *pages = heap->ops->pages(heap);
    return pages->resident_brk + pages->resident_mmap;
}

static enum route_answer given(struct route *route, heap_t *heap, uint32_t block, uint32_t bytes) {
    if (heap->ops->pages == NULL) {
        return ROUTE_GIVEN;
    }
    if (heap_touch(heap, block, 0, bytes) != HEAP_OK) {
        return ROUTE_FAULT;
    }
    uint32_t pages = route_resident_pages(heap);
    if (pages > route->peak_pages) {
        route->peak_pages = pages;
        return pages > route->most_pages ? ROUTE_KILLED : ROUTE_GIVEN;
    }
    return ROUTE_GIVEN;
}

enum route_answer route_malloc(struct route *route, uint32_t bytes, bool written, struct held *held) {
    uint32_t start = bytes > route->large && route->first < route->count ? route->first : 0;
    for (uint32_t step = 0; step < route->count; step++) {
        uint32_t at = start + step;
        heap_t *heap = route->heaps[at < route->count ? at : at - route->count];
        struct heap_pointer pointer = heap_malloc(heap, bytes);
        if (pointer.block != 0) {
            *held = (struct held){heap, pointer.block};
            return given(route, heap, pointer.block, written ? bytes : 0);
        }
        if (pointer.offset != HEAP_OK) {
            return ROUTE_FAULT;
        }
    }
    return ROUTE_NULL;
}

void route_free(struct held *held) {
    if (held->owner != NULL) {
        heap_free(held->owner, held->block);
        held->owner = NULL;
    }
}
