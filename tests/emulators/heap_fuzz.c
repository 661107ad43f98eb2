/*
 * Throws bytes at every heap, as calls that no sound program need make: any handle, any size, any alignment.
 *
 *   heap_fuzz INPUTS SEED     that many inputs drawn from a seed
 *   heap_fuzz FILE            one input, for instance one that failed (each failure is written to heap_fuzz.input)
 *
 * After each call the heap must be sound, its layout must match its statistics, and no two blocks may overlap; a call
 * that the host refused memory for must have changed nothing. Build with -fsanitize=address,undefined, or with
 * -DHEAP_FUZZ_ENTRY -fsanitize=fuzzer to have libFuzzer choose the bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

enum { HELD = 48, MOST_BYTES = 2048 };

struct input {
    const uint8_t *data;
    size_t size, at;
};

struct host {
    uint32_t refuse; /* one request to enlarge in so many is refused; 0 for none */
    uint32_t asked;
};

static void *resize(void *context, void *old, size_t old_bytes, size_t bytes) {
    struct host *host = context;
    if (bytes == 0) {
        free(old);
        return NULL;
    }
    if (host->refuse != 0 && ++host->asked % host->refuse == 0) {
        return NULL;
    }
    void *moved = malloc(bytes); /* always elsewhere, so that a pointer kept too long is seen */
    if (moved != NULL && old != NULL) {
        memcpy(moved, old, old_bytes < bytes ? old_bytes : bytes);
        free(old);
    }
    return moved;
}

static uint32_t take(struct input *input, unsigned bytes) {
    uint32_t value = 0;
    for (unsigned index = 0; index < bytes && input->at < input->size; index++) {
        value = value << 8 | input->data[input->at++];
    }
    return value;
}

/* Mostly small, sometimes anything. */
static uint32_t take_size(struct input *input) {
    uint32_t draw = take(input, 1);
    return draw < 160 ? take(input, 1) : draw < 250 ? take(input, 2) : take(input, 4);
}

struct sums {
    uint32_t used, free;
    int64_t end;
};

static int add_up(void *context, const struct heap_view *view) {
    struct sums *sums = context;
    if (view->used) {
        sums->used++;
    } else {
        sums->free++;
    }
    int overlaps = view->chunk < sums->end;
    sums->end = (int64_t)view->chunk + view->chunk_bytes;
    return overlaps;
}

static const char *unsound(const heap_t *heap) {
    int error = heap_check(heap);
    if (error != HEAP_OK) {
        return heap_error_text(error);
    }
    struct heap_stats stats;
    heap_stats(heap, &stats);
    struct sums sums = {.end = INT32_MIN};
    if (heap->config->allocator >= HEAP_MUSL_OLD) {
        return NULL; /* its areas and mappings are not walked in the order of addresses */
    }
    if (heap_walk(heap, add_up, &sums) != 0) {
        return "blocks overlap";
    }
    bool agree = sums.used == stats.used_blocks && sums.free == stats.free_blocks + stats.solo_headers;
    return agree ? NULL : "statistics and layout differ";
}

static void one_call(heap_t *heap, uint32_t *held, struct input *input) {
    uint32_t kind = take(input, 1);
    uint32_t *slot = &held[kind / 5 % HELD];
    struct heap_pointer made = {0, HEAP_OK};
    uint32_t size = kind % 5 == 4 ? 0 : take_size(input);
    if (kind == 255) {
        heap_free(heap, size); /* a handle out of the air */
        return;
    }
    if (kind % 5 == 4 || (*slot != 0 && kind % 5 != 3)) {
        *slot = heap_free(heap, *slot) == HEAP_E_MEMORY ? *slot : 0;
        return;
    }
    switch (kind % 5) {
    case 0:
        made = heap_malloc(heap, size);
        break;
    case 1:
        made = heap_calloc(heap, take(input, 1), size);
        break;
    case 2:
        made = heap_aligned_alloc(heap, take(input, 1) < 200 ? 1U << take(input, 1) % 32 : size, size);
        break;
    default:
        made = heap_realloc(heap, *slot, size);
        if (made.block == 0 && made.offset == HEAP_OK && size == 0) {
            *slot = 0;
        }
    }
    if (made.block != 0) {
        *slot = made.block;
        heap_touch(heap, made.block, 0, heap_usable(heap, made.block));
    }
}

/* NULL, or what went wrong. */
static const char *run(const uint8_t *data, size_t size) {
    struct input input = {data, size, 0};
    struct host host = {.refuse = 0};
    struct heap_config config = {
        .allocator = (enum heap_allocator)(take(&input, 1) % HEAP_ALLOCATORS),
        .base = 0x30000000 + 4 * take(&input, 1),
        .size = take(&input, 1) < 200 ? take(&input, 2) : take(&input, 3),
        .total_limit = 1U << 20,
        .memory = {resize, &host},
    };
    uint32_t miserly = take(&input, 1);
    heap_t heap;
    uint32_t held[HELD] = {0};
    if (heap_create(&heap, &config) != HEAP_OK) {
        return NULL;
    }
    host.refuse = miserly < 64 ? 2 + miserly % 7 : 0;
    const char *fault = unsound(&heap);
    while (input.at < input.size && fault == NULL) {
        one_call(&heap, held, &input);
        fault = unsound(&heap);
    }
    heap_destroy(&heap);
    return fault;
}

#ifdef HEAP_FUZZ_ENTRY
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (run(data, size) != NULL) {
        abort();
    }
    return 0;
}
#else
static int report(const char *fault, const uint8_t *data, size_t size) {
    if (fault == NULL) {
        return 0;
    }
    printf("%s\n", fault);
    FILE *file = fopen("heap_fuzz.input", "wb");
    if (file != NULL) {
        fwrite(data, 1, size, file);
        fclose(file);
    }
    return 1;
}

static int run_drawn(unsigned long inputs, uint64_t chance) {
    static uint8_t data[MOST_BYTES];
    for (unsigned long input = 0; input < inputs; input++) {
        for (size_t index = 0; index < sizeof data; index++) {
            chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            data[index] = (uint8_t)(chance >> 56);
        }
        size_t size = 8 + (size_t)(chance >> 40) % (sizeof data - 8);
        if (report(run(data, size), data, size) != 0) {
            return 1;
        }
    }
    return 0;
}

int main(int count, char **arguments) {
    if (count == 3) {
        return run_drawn(strtoul(arguments[1], NULL, 10), strtoull(arguments[2], NULL, 10));
    }
    static uint8_t data[1 << 20];
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (file == NULL) {
        printf("heap_fuzz INPUTS SEED, or heap_fuzz FILE\n");
        return 2;
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    return report(run(data, size), data, size);
}
#endif
