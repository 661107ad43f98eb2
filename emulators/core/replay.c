#include "replay.h"

struct operation {
    uint8_t kind;
    uint32_t id, a, b;
};

/* The operation after which statistics are due next. */
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
    }
    if (error == REPLAY_OK) {
        replay->slots[id] = REPLAY_FREED;
    }
    return error;
}

/* NULL for a reason of the host or of the trace, not of the device. */
static inline int error_of(struct heap_pointer pointer) {
    return pointer.block == 0 && pointer.offset != HEAP_E_ALIGN ? pointer.offset : HEAP_OK;
}

static int resize_id(heap_t *heap, struct replay *replay, const struct operation *op, struct heap_pointer *pointer) {
    uint32_t block;
    int error = look_up(replay, op->id, &block);
    if (error != REPLAY_OK) {
        return error;
    }
    *pointer = heap_realloc(heap, block, op->a);
    error = error_of(*pointer);
    if (pointer->block != 0 || (op->a == 0 && error == HEAP_OK)) {
        replay->slots[op->id] = pointer->block;
    }
    return error;
}

static inline int step(heap_t *heap, struct replay *replay, const struct operation *op, struct heap_pointer *pointer) {
    if (op->id >= replay->ids) {
        return REPLAY_E_ID;
    }
    if (op->kind == 'f') {
        return free_id(heap, replay, op->id);
    }
    if (op->kind == 'r') {
        return resize_id(heap, replay, op, pointer);
    }
    uint32_t slot = replay->slots[op->id];
    if (slot != 0 && slot < REPLAY_FREED) {
        return REPLAY_E_HELD;
    }
    if (op->kind == 'm') {
        *pointer = heap_malloc(heap, op->a);
    } else if (op->kind == 'c') {
        *pointer = heap_calloc(heap, op->a, op->b);
    } else if (op->kind == 'a') {
        *pointer = heap_aligned_alloc(heap, op->a, op->b);
    } else {
        return REPLAY_E_KIND;
    }
    replay->slots[op->id] = pointer->block;
    return error_of(*pointer);
}

/* Whether the program asked for at least a byte. */
static bool asked(const struct operation *op) {
    return op->kind != 'f' && (op->kind == 'a' ? op->b != 0 : op->kind == 'c' ? op->a != 0 && op->b != 0 : op->a != 0);
}

/* What a call that succeeded asked for. */
static uint32_t requested(const struct operation *op) {
    return op->kind == 'c' ? op->a * op->b : op->kind == 'a' ? op->b : op->a;
}

/* All that a plain loop need not care about. */
static int after(heap_t *heap, struct replay *replay, size_t at, const struct operation *op,
                 struct heap_pointer pointer) {
    int error = HEAP_OK;
    if (replay->touch && pointer.block != 0) {
        error = heap_touch(heap, pointer.block, 0, requested(op));
    }
    if (replay->pages != NULL && heap->ops->pages != NULL) {
        note_pages(heap, replay, at);
    }
    return error;
}

int replay_run(heap_t *heap, struct replay *replay) {
    const struct replay columns = *replay; /* which no store through a pointer can change */
    size_t stats_at = next_stats(replay, 0);
    bool plain = !columns.touch && columns.pages == NULL;
    for (size_t at = 0; at < columns.count; at++) {
        const struct operation op = {columns.kind[at], columns.id[at], columns.a[at], columns.b[at]};
        struct heap_pointer pointer = {0, HEAP_OK};
        int error = step(heap, replay, &op, &pointer);
        if (error == HEAP_OK && !plain) {
            error = after(heap, replay, at, &op, pointer);
        }
        if (error != HEAP_OK) {
            replay->done = at;
            return error;
        }
        if (pointer.block == 0) {
            pointer.offset = REPLAY_NULL;
            replay->failed += asked(&op);
        }
        if (columns.offsets != NULL) {
            columns.offsets[at] = pointer.offset;
        }
        if (at == stats_at) {
            heap_stats(heap, &replay->stats[replay->stats_count++]);
            stats_at = next_stats(replay, at + 1);
        }
    }
    replay->done = columns.count;
    return REPLAY_OK;
}
