#include "musl_pages.h"

#include <string.h>

#define WORD_BITS 64u

static uint32_t words_for(uint32_t bits) {
    return (bits + WORD_BITS - 1) / WORD_BITS;
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Bits first..first+count-1 of one word; count 1..64 and inside the word. */
static uint64_t word_mask(uint32_t first, uint32_t count) {
    return (~UINT64_C(0) >> (WORD_BITS - count)) << first;
}

/* Sets a run of bits and tells how many of them were clear. */
static uint32_t set_run(uint64_t *words, uint32_t first, uint32_t count) {
    uint32_t changed = 0;
    while (count > 0) {
        const uint32_t bit = first % WORD_BITS;
        const uint32_t here = least(count, WORD_BITS - bit);
        const uint64_t fresh = word_mask(bit, here) & ~words[first / WORD_BITS];
        words[first / WORD_BITS] |= fresh;
        changed += (uint32_t)__builtin_popcountll(fresh);
        first += here;
        count -= here;
    }
    return changed;
}

/* Clears a run of bits and tells how many of them were set. */
static uint32_t clear_run(uint64_t *words, uint32_t first, uint32_t count) {
    uint32_t changed = 0;
    while (count > 0) {
        const uint32_t bit = first % WORD_BITS;
        const uint32_t here = least(count, WORD_BITS - bit);
        const uint64_t gone = word_mask(bit, here) & words[first / WORD_BITS];
        words[first / WORD_BITS] &= ~gone;
        changed += (uint32_t)__builtin_popcountll(gone);
        first += here;
        count -= here;
    }
    return changed;
}

/* The first bit at or after `from` whose value differs from `flip`'s bits (0: find a one, ~0: find a zero). */
static uint32_t next_bit(const uint64_t *words, uint32_t from, uint32_t end, uint64_t flip) {
    while (from < end) {
        const uint64_t rest = (words[from / WORD_BITS] ^ flip) >> (from % WORD_BITS);
        if (rest != 0) {
            return least(from + (uint32_t)__builtin_ctzll(rest), end);
        }
        from = (from / WORD_BITS + 1) * WORD_BITS;
    }
    return end;
}

static uint32_t next_one(const uint64_t *words, uint32_t from, uint32_t end) {
    return next_bit(words, from, end, 0);
}

static uint32_t next_zero(const uint64_t *words, uint32_t from, uint32_t end) {
    return next_bit(words, from, end, ~UINT64_C(0));
}

static bool is_set(const uint64_t *words, uint32_t bit) {
    return (words[bit / WORD_BITS] >> (bit % WORD_BITS) & 1) != 0;
}

static uint32_t count_ones(const uint64_t *words, uint32_t bits) {
    uint32_t ones = 0;
    for (uint32_t word = 0; word < words_for(bits); word++) {
        ones += (uint32_t)__builtin_popcountll(words[word]);
    }
    return ones;
}

/* Mapped pages are numbered downwards from the top of the address space. */
static uint32_t map_index(uint32_t address) {
    return ~address >> PAGE_SHIFT;
}

/* The number of the highest page of a mapping: where its run of bits begins. */
static uint32_t map_first(uint32_t base, uint32_t page_count) {
    return map_index(base) + 1 - page_count;
}

static uint32_t map_base(uint32_t first, uint32_t page_count) {
    return 0u - (first + page_count) * PAGE_BYTES;
}

/* The limit is on pages, so a growth is refused before it is tried anywhere. */
static bool within_limit(const struct pages *pages, uint32_t more) {
    return (uint64_t)pages->counts.brk_pages + pages->counts.mmap_pages + more <= pages->total_limit;
}

static uint32_t take_run(struct pages *pages, uint32_t first, uint32_t page_count) {
    set_run(pages->map_used, first, page_count);
    pages->counts.mmap_pages += page_count;
    if (pages->map_reach < first + page_count) {
        pages->map_reach = first + page_count;
    }
    return map_base(first, page_count);
}

/* The highest gap of that many pages: the number of its first page, or map_capacity when there is none. */
static uint32_t find_gap(const struct pages *pages, uint32_t page_count) {
    uint32_t first = 0;
    while (first < pages->map_capacity) {
        first = next_zero(pages->map_used, first, pages->map_capacity);
        if (page_count > pages->map_capacity - first) {
            break;
        }
        const uint32_t used = next_one(pages->map_used, first, first + page_count);
        if (used == first + page_count) {
            return first;
        }
        first = used;
    }
    return pages->map_capacity;
}

static void release_run(struct pages *pages, uint32_t first, uint32_t page_count) {
    clear_run(pages->map_used, first, page_count);
    pages->counts.resident_mmap -= clear_run(pages->map_resident, first, page_count);
    pages->counts.mmap_pages -= page_count;
}

static uint32_t limit_in_pages(uint32_t bytes) {
    return bytes == 0 ? PAGES_MOST : least(bytes / PAGE_BYTES, PAGES_MOST);
}

void pages_init(struct pages *pages, uint32_t total_limit, uint32_t break_limit) {
    *pages = (struct pages){
        .total_limit = limit_in_pages(total_limit),
        .break_limit = limit_in_pages(break_limit),
    };
}

struct pages_span pages_span_for(const struct pages *pages, uint32_t bytes) {
    const uint32_t wanted = bytes / PAGE_BYTES;
    const uint32_t more = wanted <= pages->total_limit ? wanted : 0; /* it will be refused, so needs no bits */
    return (struct pages_span){
        .break_pages = least(pages->counts.brk_pages + more, PAGES_MOST),
        .map_pages = least(pages->map_reach + more, PAGES_MOST),
    };
}

bool pages_cover(const struct pages *pages, struct pages_span span) {
    return span.break_pages <= pages->break_capacity && span.map_pages <= pages->map_capacity;
}

size_t pages_words(struct pages_span span) {
    return words_for(span.break_pages) + (size_t)2 * words_for(span.map_pages);
}

/* Moves the bits of `old_words` words to where they may overlap themselves, and clears the rest up to `new_words`. */
static uint64_t *spread(uint64_t *to, const uint64_t *from, uint32_t old_words, uint32_t new_words) {
    memmove(to, from, old_words * sizeof *to);
    memset(to + old_words, 0, (new_words - old_words) * sizeof *to);
    return to;
}

void pages_widen(struct pages *pages, uint64_t *words, struct pages_span span) {
    const uint32_t old_break = words_for(pages->break_capacity);
    const uint32_t old_map = words_for(pages->map_capacity);
    const uint32_t new_break = words_for(span.break_pages);
    const uint32_t new_map = words_for(span.map_pages);

    /* From the last to the first, so that none is overwritten before it has moved. */
    pages->map_resident = spread(words + new_break + new_map, words + old_break + old_map, old_map, new_map);
    pages->map_used = spread(words + new_break, words + old_break, old_map, new_map);
    pages->break_resident = spread(words, words, old_break, new_break);
    pages->break_capacity = new_break * WORD_BITS;
    pages->map_capacity = new_map * WORD_BITS;
}

uint32_t pages_extend_break(struct pages *pages, uint32_t bytes) {
    const uint32_t more = bytes / PAGE_BYTES;
    const uint32_t old = pages->counts.brk_pages;
    if (more > pages->break_limit - old || !within_limit(pages, more)) {
        pages->counts.brk_failures++;
        return PAGES_REFUSED;
    }
    pages->counts.brk_calls++;
    pages->counts.brk_pages += more;
    return old * PAGE_BYTES;
}

uint32_t pages_map(struct pages *pages, uint32_t bytes) {
    const uint32_t page_count = bytes / PAGE_BYTES;
    const uint32_t first = within_limit(pages, page_count) ? find_gap(pages, page_count) : pages->map_capacity;
    if (first == pages->map_capacity) {
        pages->counts.mmap_failures++;
        return PAGES_REFUSED;
    }
    pages->counts.mmap_calls++;
    pages->counts.mappings++;
    return take_run(pages, first, page_count);
}

void pages_unmap(struct pages *pages, uint32_t base, uint32_t bytes) {
    const uint32_t page_count = bytes / PAGE_BYTES;
    pages->counts.munmap_calls++;
    pages->counts.mappings--;
    release_run(pages, map_first(base, page_count), page_count);
}

/* A mapping grows in place towards higher addresses, so towards lower page numbers. */
static bool grow_in_place(struct pages *pages, uint32_t first, uint32_t more) {
    if (more > first || next_one(pages->map_used, first - more, first) != first) {
        return false;
    }
    take_run(pages, first - more, more);
    return true;
}

/* The old range is still mapped while the new one is looked for. */
static uint32_t move_mapping(struct pages *pages, uint32_t base, uint32_t old_count, uint32_t new_count) {
    const uint32_t first = find_gap(pages, new_count);
    if (first == pages->map_capacity) {
        return PAGES_REFUSED;
    }
    const uint32_t new_base = take_run(pages, first, new_count);
    for (uint32_t page = 0; page < old_count; page++) {
        if (is_set(pages->map_resident, map_index(base) - page)) {
            pages->counts.resident_mmap += set_run(pages->map_resident, map_index(new_base) - page, 1);
        }
    }
    release_run(pages, map_first(base, old_count), old_count);
    return new_base;
}

uint32_t pages_remap(struct pages *pages, uint32_t base, uint32_t old_bytes, uint32_t new_bytes) {
    const uint32_t old_count = old_bytes / PAGE_BYTES;
    const uint32_t new_count = new_bytes / PAGE_BYTES;
    const uint32_t first = map_first(base, old_count);
    uint32_t new_base = base;
    if (new_count <= old_count) {
        release_run(pages, first, old_count - new_count);
    } else if (!within_limit(pages, new_count - old_count)) {
        new_base = PAGES_REFUSED;
    } else if (!grow_in_place(pages, first, new_count - old_count)) {
        new_base = move_mapping(pages, base, old_count, new_count);
    }
    pages->counts.mremap_calls += new_base != PAGES_REFUSED;
    return new_base;
}

void pages_drop(struct pages *pages, uint32_t base, uint32_t bytes) {
    const uint32_t page_count = bytes / PAGE_BYTES;
    pages->counts.madvise_calls++;
    if (base >= MAPPINGS_START) {
        pages->counts.resident_mmap -= clear_run(pages->map_resident, map_first(base, page_count), page_count);
        return;
    }
    pages->counts.resident_brk -= clear_run(pages->break_resident, base / PAGE_BYTES, page_count);
    pages->dense_end = least(pages->dense_end, base);
}

void pages_touch_slowly(struct pages *pages, uint32_t address, uint32_t bytes) {
    const uint32_t last = address + bytes - 1;
    const uint32_t page_count = (last >> PAGE_SHIFT) - (address >> PAGE_SHIFT) + 1;
    if (address >= MAPPINGS_START) {
        pages->counts.resident_mmap += set_run(pages->map_resident, map_index(last), page_count);
        return;
    }
    pages->counts.resident_brk += set_run(pages->break_resident, address >> PAGE_SHIFT, page_count);
    if (pages->dense_end >= (address & ~(PAGE_BYTES - 1))) {
        pages->dense_end =
            next_zero(pages->break_resident, pages->dense_end / PAGE_BYTES, pages->counts.brk_pages) * PAGE_BYTES;
    }
}

bool pages_hold(const struct pages *pages, uint32_t base, uint32_t bytes) {
    const uint32_t page_count = bytes / PAGE_BYTES;
    if (base < MAPPINGS_START) {
        return base / PAGE_BYTES + page_count <= pages->counts.brk_pages;
    }
    const uint32_t end = map_index(base) + 1; /* pages are numbered downwards, so the range ends with its base */
    if (page_count > end || end > pages->map_capacity) {
        return false;
    }
    return next_zero(pages->map_used, end - page_count, end) == end;
}

int pages_check(const struct pages *pages) {
    const struct heap_pages *counts = &pages->counts;
    if (counts->resident_brk != count_ones(pages->break_resident, pages->break_capacity) ||
        counts->mmap_pages != count_ones(pages->map_used, pages->map_capacity) ||
        counts->resident_mmap != count_ones(pages->map_resident, pages->map_capacity)) {
        return HEAP_E_PAGES;
    }
    for (uint32_t word = 0; word < words_for(pages->map_capacity); word++) {
        if ((pages->map_resident[word] & ~pages->map_used[word]) != 0) {
            return HEAP_E_PAGES;
        }
    }
    if (next_one(pages->break_resident, counts->brk_pages, pages->break_capacity) != pages->break_capacity ||
        next_zero(pages->break_resident, 0, counts->brk_pages) * PAGE_BYTES < pages->dense_end) {
        return HEAP_E_PAGES;
    }
    return HEAP_OK;
}
