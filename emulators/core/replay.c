#include "replay.h"

/* Operations between two looks at the statistics. */
static size_t next_stats(const struct replay *replay, size_t op) {
    size_t every = replay->stats_every;
    if (every == 0 || replay->stats == NULL) {
        return replay->count;
    }
    size_t at = op + every - 1;
    return at < replay->count ? at : replay->count - 1;
}

static void note_pages(const heap_t *heap, struct replay *replay, size_t op) {
    const struct heap_pages *now = heap->ops->pages(heap);
    if (replay->pages_count > 0) {
        const struct replay_page_change *last = &replay->pages[replay->pages_count - 1];
        if (last->brk_pages == now->brk_pages && last->mmap_pages == now->mmap_pages) {
            return;
        }
    }
    replay->pages[replay->pages_count++] = (struct replay_page_change){(uint32_t)op, now->brk_pages, now->mmap_pages};
}

/* The handle behind an id that is to be freed or resized, or why there is none. */
static inline int look_up(struct replay *replay, uint32_t id, uint32_t *block) {
    uint32_t slot = replay->slots[id];
    if (slot < REPLAY_FREED) {
        *block = slot;
        return REPLAY_OK;
    }
    if (slot == REPLAY_UNSEEN) {
        return REPLAY_E_FOREIGN;
    }
    if (replay->strict) {
        return REPLAY_E_DOUBLE;
    }
    replay->double_frees++;
    *block = 0;
    return REPLAY_OK;
}

static inline int free_id(heap_t *heap, struct replay *replay, uint32_t id) {
    uint32_t block;
    int error = look_up(replay, id, &block);
    if (error == REPLAY_OK) {
        error = heap_free(heap, block);
        replay->slots[id] = REPLAY_FREED;
    }
    return error;
}

static inline bool holds_block(const struct replay *replay, uint32_t id) {
    uint32_t slot = replay->slots[id];
    return slot != 0 && slot < REPLAY_FREED;
}

/* NULL for a reason of the host or of the trace, not of the device. */
static inline int error_of(struct heap_pointer pointer) {
    return pointer.block == 0 && pointer.offset != HEAP_E_ALIGN ? pointer.offset : HEAP_OK;
}

/* One operation; *bytes becomes what the program asked for. */
static inline int step(heap_t *heap, struct replay *replay, size_t op, struct heap_pointer *pointer, uint32_t *bytes) {
    uint32_t id = replay->id[op];
    uint32_t a = replay->a[op];
    uint8_t kind = replay->kind[op];
    if (id >= replay->ids) {
        return REPLAY_E_ID;
    }
    if (kind == 'f') {
        return free_id(heap, replay, id);
    }
    *bytes = a;
    if (kind == 'r') {
        uint32_t block;
        int error = look_up(replay, id, &block);
        if (error != REPLAY_OK) {
            return error;
        }
        *pointer = heap_realloc(heap, block, a);
        if (pointer->block != 0 || (a == 0 && error_of(*pointer) == HEAP_OK)) {
            replay->slots[id] = pointer->block;
        }
        return error_of(*pointer);
    }
    if (holds_block(replay, id)) {
        return REPLAY_E_HELD;
    }
    if (kind == 'm') {
        *pointer = heap_malloc(heap, a);
    } else if (kind == 'c') {
        *bytes = a == 0 ? 0 : replay->b[op];
        *pointer = heap_calloc(heap, a, replay->b[op]);
    } else if (kind == 'a') {
        *bytes = replay->b[op];
        *pointer = heap_aligned_alloc(heap, a, replay->b[op]);
    } else {
        return REPLAY_E_KIND;
    }
    replay->slots[id] = pointer->block;
    return error_of(*pointer);
}

static uint32_t requested(const struct replay *replay, size_t op) {
    uint32_t bytes = replay->a[op];
    if (replay->kind[op] == 'c') {
        return bytes * replay->b[op]; /* it succeeded, so it did not overflow */
    }
    return replay->kind[op] == 'a' ? replay->b[op] : bytes;
}

/* All that a plain loop need not care about. */
static int after(heap_t *heap, struct replay *replay, size_t op, struct heap_pointer pointer) {
    int error = HEAP_OK;
    if (replay->touch && pointer.block != 0) {
        error = heap_touch(heap, pointer.block, 0, requested(replay, op));
    }
    if (replay->pages != NULL && heap->ops->pages != NULL) {
        note_pages(heap, replay, op);
    }
    return error;
}

int replay_run(heap_t *heap, struct replay *replay) {
    size_t at = next_stats(replay, 0);
    bool plain = !replay->touch && replay->pages == NULL;
    for (size_t op = 0; op < replay->count; op++) {
        struct heap_pointer pointer = {0, HEAP_OK};
        uint32_t bytes = 0;
        replay->done = op;
        int error = step(heap, replay, op, &pointer, &bytes);
        if (error == HEAP_OK && !plain) {
            error = after(heap, replay, op, pointer);
        }
        if (error != HEAP_OK) {
            return error;
        }
        replay->failed += pointer.block == 0 && bytes != 0;
        if (replay->offsets != NULL) {
            replay->offsets[op] = pointer.block == 0 ? REPLAY_NULL : pointer.offset;
        }
        if (op == at) {
            heap_stats(heap, &replay->stats[replay->stats_count++]);
            at = next_stats(replay, op + 1);
        }
    }
    replay->done = replay->count;
    return REPLAY_OK;
}
