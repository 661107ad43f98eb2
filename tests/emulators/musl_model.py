"""musl's malloc before mallocng, and the kernel under it, in the plainest form: dictionaries, sets and linear searches.

Written from the allocator's rules and apart from the C core, which is held to it. Addresses are relative to the initial
program break and are unbounded integers: the break grows upwards from 0, mappings lie below 0. A chunk starts at its
header, 8 bytes before the pointer that the program sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

GRAIN = 16
HEADER = 8
PAGE = 4096
LARGEST_CHUNK = 0x1C00 * GRAIN
"""A larger chunk gets a mapping of its own."""
RECLAIM = 163840
"""Freed runs up to this keep their pages."""

# The bin of chunks of 8 * n grains, n = 4..63; sixteen higher for chunks of 128 * n grains.
STEPPED = [32, 33, 34, 35]
for width, first in ((2, 36), (4, 40), (8, 44)):
    STEPPED += [number for number in range(first, first + 4) for _ in range(width)]


def round_up(value: int, grain: int) -> int:
    return -(-value // grain) * grain


def bin_of(size: int) -> int:
    """The bin in which a free chunk of `size` bytes waits."""
    grains = size // GRAIN - 1
    if grains <= 32:
        return grains
    if grains > 0x1C00:
        return 63
    return STEPPED[grains // 8 - 4] if grains < 512 else STEPPED[grains // 128 - 4] + 16


def bin_for_request(size: int) -> int:
    """The lowest bin whose chunks all have `size` bytes or more."""
    grains = size // GRAIN - 1
    return grains if grains <= 32 else bin_of(size - GRAIN) + 1


@dataclass
class Counts:
    """Pages of 4096 bytes and calls that the kernel granted or refused, under the names of HeapStats."""

    brk_pages: int = 0
    mmap_pages: int = 0
    mappings: int = 0
    resident_brk: int = 0
    resident_mmap: int = 0
    brk_calls: int = 0
    mmap_calls: int = 0
    munmap_calls: int = 0
    mremap_calls: int = 0
    madvise_calls: int = 0
    brk_failures: int = 0
    mmap_failures: int = 0


class Kernel:
    """Which pages are mapped, and which hold data. Limits are bytes, 0 for none."""

    def __init__(self, total_limit: int, brk_limit: int) -> None:
        self.total_limit = total_limit or 1 << 40
        self.brk_limit = brk_limit or 1 << 40
        self.brk = 0
        self.regions: dict[int, int] = {}
        self.resident: set[int] = set()
        self._calls = Counts()

    def counts(self) -> Counts:
        calls = {each.name: getattr(self._calls, each.name) for each in fields(Counts)}
        above = sum(page >= 0 for page in self.resident)
        calls |= {"brk_pages": self.brk // PAGE, "mmap_pages": sum(self.regions.values()) // PAGE}
        calls |= {"mappings": len(self.regions), "resident_brk": above, "resident_mmap": len(self.resident) - above}
        return Counts(**calls)

    def touch(self, start: int, size: int) -> None:
        """Something writes to bytes [start, start + size)."""
        if size > 0:
            self.resident |= set(range(start // PAGE, (start + size - 1) // PAGE + 1))

    def forget(self, start: int, end: int) -> None:
        self.resident -= set(range(start // PAGE, end // PAGE))

    def extend_brk(self, size: int) -> int | None:
        if self.brk + size > self.brk_limit or not self._allows(size):
            self._calls.brk_failures += 1
            return None
        self._calls.brk_calls += 1
        self.brk += size
        return self.brk - size

    def mmap(self, size: int) -> int | None:
        if not self._allows(size):
            self._calls.mmap_failures += 1
            return None
        self._calls.mmap_calls += 1
        return self._place(size)

    def munmap(self, base: int) -> None:
        self._calls.munmap_calls += 1
        self.forget(base, base + self.regions.pop(base))

    def mremap(self, base: int, size: int) -> int | None:
        old = self.regions[base]
        if not self._allows(size - old):
            return None
        self._calls.mremap_calls += 1
        if size < old:
            self.forget(base + size, base + old)
        room_above = min((other for other in [*self.regions, 0] if other > base), default=0) - base
        if size <= room_above:
            self.regions[base] = size
            return base
        moved = self._place(size)
        pages = [page for page in self.resident if base <= page * PAGE < base + old]
        self.resident |= {page + (moved - base) // PAGE for page in pages}
        self.forget(base, base + self.regions.pop(base))
        return moved

    def madvise(self, start: int, end: int) -> None:
        self._calls.madvise_calls += 1
        self.forget(start, end)

    def _allows(self, more: int) -> bool:
        return self.brk + sum(self.regions.values()) + more <= self.total_limit

    def _place(self, size: int) -> int:
        """Into the highest gap, at its top."""
        top = 0
        for base in sorted(self.regions, reverse=True):
            if top - (base + self.regions[base]) >= size:
                break
            top = base
        self.regions[top - size] = size
        return top - size


@dataclass
class MuslModel:
    """`merging` is musl up to 1.2.0: cut tails are freed in full, and a grown area joins the free chunk before it."""

    merging: bool
    kernel: Kernel
    sizes: dict[int, int] = field(default_factory=dict)
    free_chunks: set[int] = field(default_factory=set)
    bins: list[list[int]] = field(default_factory=lambda: [[] for _ in range(64)])
    leads: dict[int, int] = field(default_factory=dict)
    """For each block with a mapping of its own: bytes from the start of the mapping to the chunk."""
    area_end: int | None = None
    mapped_areas: int = 0

    # ---- What a program calls. A pointer is an offset; None is NULL. ----

    def malloc(self, size: int) -> int | None:
        need = self._chunk_for(size)
        return None if need is None else self._pointer(self._allocate(need))

    def calloc(self, count: int, size: int) -> int | None:
        if count * size >= 1 << 32:
            return None
        pointer = self.malloc(count * size)
        if pointer is not None and pointer - HEADER not in self.leads:
            end = pointer + count * size
            if count * size < PAGE:
                self.kernel.touch(pointer, count * size)
            else:
                self.kernel.touch(pointer, round_up(pointer, PAGE) - pointer)
                self.kernel.touch(end // PAGE * PAGE, end % PAGE)
        return pointer

    def aligned_alloc(self, align: int, size: int) -> int | None:
        if align <= GRAIN:
            return self.malloc(size)
        pointer = None if size + align >= 1 << 32 else self.malloc(size + align - 1)
        if pointer is None or pointer % align == 0:
            return pointer
        chunk, kept = pointer - HEADER, round_up(pointer, align) - HEADER
        self.kernel.touch(kept, HEADER)
        self.sizes[kept] = chunk + self.sizes[chunk] - kept
        if chunk in self.leads:
            del self.sizes[chunk]
            self.leads[kept] = self.leads.pop(chunk) + kept - chunk
        else:
            self.sizes[chunk] = kept - chunk
            self._release(chunk)
        return kept + HEADER

    def realloc(self, pointer: int | None, size: int) -> int | None:
        """None leaves the block as it was."""
        if pointer is None:
            return self.malloc(size)
        need = self._chunk_for(size)
        if need is None:
            return None
        chunk = pointer - HEADER
        if not self.merging and 0 <= self.sizes[chunk] - need <= GRAIN:
            return pointer
        if chunk in self.leads:
            return self._pointer(self._resize_mapping(chunk, need))
        return self._pointer(self._resize(chunk, need))

    def free(self, pointer: int) -> None:
        chunk = pointer - HEADER
        if chunk in self.leads:
            del self.sizes[chunk]
            self.kernel.munmap(chunk - self.leads.pop(chunk))
        else:
            self._release(chunk)

    def write(self, pointer: int, size: int) -> None:
        """The program writes to the first `size` bytes of a block."""
        self.kernel.touch(pointer, size)

    def layout(self) -> Iterable[tuple[int, int, bool]]:
        """Pointer, chunk bytes, used: in address order, those below the top of the address space last."""
        for chunk in sorted(self.sizes, key=lambda chunk: chunk % (1 << 32)):
            yield chunk + HEADER, self.sizes[chunk], chunk not in self.free_chunks

    # ---- How musl goes about it, in chunks. ----

    @staticmethod
    def _chunk_for(size: int) -> int | None:
        if size > (1 << 31) - 1 - GRAIN - PAGE + 1:
            return None
        return max(round_up(size + HEADER, GRAIN), GRAIN) if size else GRAIN

    @staticmethod
    def _pointer(chunk: int | None) -> int | None:
        return None if chunk is None else chunk + HEADER

    def _allocate(self, need: int) -> int | None:
        if need > LARGEST_CHUNK:
            return self._map(need)
        lowest = bin_for_request(need)
        found = next((number for number in range(lowest, 64) if self.bins[number]), None)
        if found is None:
            chunk = self._grow(need)
            if chunk is None:
                return None
        else:
            chunk = self.bins[found][0]
            if self.merging and self._cut_in_place(chunk, need, lowest, found):
                return chunk
            self._unbin(chunk)
        self._trim(chunk, need)
        return chunk

    def _map(self, need: int) -> int | None:
        length = round_up(need + HEADER, PAGE)
        base = self.kernel.mmap(length)
        if base is None:
            return None
        self.kernel.touch(base + HEADER, HEADER)
        self.sizes[base + HEADER] = length - HEADER
        self.leads[base + HEADER] = HEADER
        return base + HEADER

    def _grow(self, need: int) -> int | None:
        length = round_up(need + GRAIN, PAGE)
        base = self.kernel.extend_brk(length)
        if base is None:
            length = max(length, PAGE << self.mapped_areas // 2)
            base = self.kernel.mmap(length)
            if base is None:
                return None
            self.mapped_areas += 1
        end = base + length
        if base == self.area_end:
            chunk = base - HEADER
        else:
            chunk = base + HEADER
            self.kernel.touch(chunk, HEADER)
        self.sizes[chunk] = end - HEADER - chunk
        self.kernel.touch(end - HEADER, HEADER)
        self.area_end = end or None  # the top of the mmap area is far from the first break, though both are 0
        before = self._free_before(chunk)
        if self.merging and before is not None:
            self._unbin(before)
            self.sizes[before] += self.sizes.pop(chunk)
            return before
        return chunk

    def _cut_in_place(self, chunk: int, need: int, lowest: int, found: int) -> bool:
        rest = self.sizes[chunk] - need
        if found < 40 or not (found >= lowest + 3 or (found == 63 and rest > LARGEST_CHUNK)):
            return False
        if rest <= 0 or bin_of(rest) != found:
            return False
        self.bins[found][0] = chunk + need
        self.free_chunks.remove(chunk)
        self.free_chunks.add(chunk + need)
        self.sizes[chunk], self.sizes[chunk + need] = need, rest
        self.kernel.touch(chunk + need, 2 * HEADER)
        return True

    def _split(self, chunk: int, need: int) -> int:
        """The used chunk that the rest becomes."""
        self.sizes[chunk + need] = self.sizes[chunk] - need
        self.sizes[chunk] = need
        self.kernel.touch(chunk + need, HEADER)
        return chunk + need

    def _trim(self, chunk: int, need: int) -> None:
        if self.sizes[chunk] - need > GRAIN:
            rest = self._split(chunk, need)
            if self.merging:
                self._release(rest)
            else:
                self._put_in_bin(rest)

    def _release(self, chunk: int) -> None:
        freed = self.sizes[chunk]
        before, after = self._free_before(chunk), self._free_after(chunk)
        joined = [self.sizes[other] for other in (before, after) if other is not None]
        if after is not None:
            self._unbin(after)
            self.sizes[chunk] += self.sizes.pop(after)
        if before is not None:
            self._unbin(before)
            self.sizes[before] += self.sizes.pop(chunk)
            chunk = before
        self._put_in_bin(chunk)
        steps = joined if self.merging else [sum(joined)]
        if any(freed + step > RECLAIM and (freed + step) ^ step > step for step in steps):
            end = chunk + self.sizes[chunk]
            self.kernel.madvise(round_up(chunk + GRAIN, PAGE), (end - GRAIN) // PAGE * PAGE)

    def _resize(self, chunk: int, need: int) -> int | None:
        size, after = self.sizes[chunk], self._free_after(chunk)
        if not self.merging and need < size:
            lower = bin_for_request(need)
            if lower < bin_of(size) and self.bins[lower]:
                return self._move(chunk, need)
            self._release(self._split(chunk, need))
            return chunk
        if need > size and after is not None and (self.merging or size + self.sizes[after] >= need):
            self._unbin(after)
            self.sizes[chunk] += self.sizes.pop(after)
        if need > self.sizes[chunk]:
            return self._move(chunk, need)
        self._trim(chunk, need)
        return chunk

    def _resize_mapping(self, chunk: int, need: int) -> int | None:
        lead = self.leads[chunk]
        if need + lead < PAGE:
            moved = self._move(chunk, need)
            if moved is not None:
                return moved
        length = round_up(need + lead, PAGE)
        if length == self.sizes[chunk] + lead:
            return chunk
        base = self.kernel.mremap(chunk - lead, length)
        if base is None:
            return self._move(chunk, need)
        del self.sizes[chunk], self.leads[chunk]
        self.sizes[base + lead], self.leads[base + lead] = length - lead, lead
        return base + lead

    def _move(self, chunk: int, need: int) -> int | None:
        made = self._allocate(need)
        if made is not None:
            self.kernel.touch(made + HEADER, min(need, self.sizes[chunk]) - HEADER)
            self.free(chunk + HEADER)
        return made

    def _put_in_bin(self, chunk: int) -> None:
        self.free_chunks.add(chunk)
        self.bins[bin_of(self.sizes[chunk])].append(chunk)
        self.kernel.touch(chunk, 2 * HEADER)

    def _unbin(self, chunk: int) -> None:
        self.free_chunks.remove(chunk)
        self.bins[bin_of(self.sizes[chunk])].remove(chunk)

    def _free_before(self, chunk: int) -> int | None:
        return next((other for other in self.free_chunks if other + self.sizes[other] == chunk), None)

    def _free_after(self, chunk: int) -> int | None:
        after = chunk + self.sizes[chunk]
        return after if after in self.free_chunks else None
