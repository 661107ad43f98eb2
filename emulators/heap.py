"""An emulated heap of a 32-bit device, for Python: exact offsets and statistics, none of the device's memory behind it.

    >>> heap = Heap("tlsf", size=65536)
    >>> block = heap.malloc(300)
    >>> block.offset, block.usable
    (808, 304)
    >>> heap.stats().free
    64424
    >>> heap.free(block)

`Heap.run` takes whole columns of operations and releases the GIL meanwhile; use it wherever speed matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from emulators.native import core
from telemetry.errors import MemfleetError, UsageError

Allocator = Literal["tlsf", "tlsf_idf53", "zephyr_sys", "zephyr_k", "zephyr_libc", "musl_oldmalloc", "musl_1_1_24"]
"""ESP-IDF 5.4+ and 5.1-5.3; Zephyr's sys_heap, k_malloc and libc malloc; musl 1.2.1+ (oldmalloc) and musl <= 1.2.0."""

ALLOCATORS: tuple[Allocator, ...] = get_args(Allocator)

NULL = np.iinfo(np.int32).min
"""Stands in a column of offsets where the device got NULL, and for each free."""

UNSEEN = np.iinfo(np.uint32).max
"""Stands in a column of slots for an id that was never allocated."""

PAGE_BYTES = 4096


_RUN_FAULTS = {
    -64: "is no operation (m, c, a, r or f)",
    -65: "names an id beyond the last",
    -66: "allocates an id that still holds a block",
    -67: "frees or resizes an id that was never allocated (a foreign free)",
    -68: "frees or resizes an id that is freed already (a double free)",
}
"""enum replay_fault of core/replay.h in words."""


def run_fault_text(code: int) -> str:
    """`Run.error` as a clause about the operation at fault."""
    return _RUN_FAULTS.get(code) or core.error_text(code)


class HeapError(MemfleetError):
    """A call that no sound program makes, such as a double free. `code` is the core's negative error code."""

    def __init__(self, code: int, what: str) -> None:
        self.code = code
        super().__init__(f"{what}: {run_fault_text(code)}")


Block = core.Block
"""A block in use. `offset` is its address relative to the start of the heap (musl: to the first break, or below 0 to
the top of the mmap area); `usable` how many bytes it really has. `handle` names it to the heap."""


class HeapStats(NamedTuple):
    """What a heap tells about itself. Bytes, blocks, pages of 4096 bytes, and calls to the kernel.

    `free`, `used`, `min_free`, `max_used` and `largest_free` follow the platform's own rules: ESP-IDF counts headers
    as free bytes; Zephyr leaves each chunk's header out, but 4.2 and 4.3 count it: `*_with_headers` are theirs.
    `largest_free` is the largest request sure to succeed, `largest_free_block` the largest free block itself.
    Pages and calls are musl's alone; resident pages are those written to and not given back.
    """

    free: int
    used: int
    min_free: int
    max_used: int
    largest_free: int
    largest_free_block: int
    used_blocks: int
    free_blocks: int
    solo_headers: int
    free_with_headers: int
    used_with_headers: int
    max_used_with_headers: int
    brk_pages: int
    mmap_pages: int
    mappings: int
    resident_brk: int
    resident_mmap: int
    brk_calls: int
    mmap_calls: int
    munmap_calls: int
    mremap_calls: int
    madvise_calls: int
    brk_failures: int
    mmap_failures: int


class Extent(NamedTuple):
    """One block of the layout: header and pointer offsets, bytes with the header, usable bytes, used or free."""

    handle: int
    chunk: int
    pointer: int
    chunk_bytes: int
    usable: int
    used: bool


@dataclass(frozen=True, slots=True)
class Operations:
    """Columns of operations, one row each: `kind` (uint8, the letter m, c, a, r or f), `id`, `a`, `b` (uint32).

    m: a = bytes; c: a = count, b = bytes; a: a = alignment, b = bytes; r: a = bytes; f: neither.
    Ids are dense: all below `ids`.
    """

    kind: NDArray[np.uint8]
    id: NDArray[np.uint32]
    a: NDArray[np.uint32]
    b: NDArray[np.uint32]
    ids: int

    def __len__(self) -> int:
        return len(self.kind)


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of operations gave. `offsets` holds one int32 an operation (NULL where there is none); `stats` one
    column for each field of HeapStats, one row for each index in `stats_at`; `pages` rows of operation, brk pages,
    mmap pages, one for each change. `error` is 0, or the code of the fault at operation `done`."""

    offsets: NDArray[np.int32]
    stats: dict[str, NDArray[np.uint32]]
    stats_at: NDArray[np.int64]
    pages: NDArray[np.uint32]
    done: int
    error: int
    failed: int
    double_frees: int


class Heap(core.Heap):
    """One emulated heap. `malloc`, `calloc`, `aligned_alloc`, `realloc`, `free` and `touch` are those of the core.

    `size` is the region handed to the allocator and `base` its address on the device, both in bytes; of `base` only the
    alignment matters. musl has no region; its `total_limit` (brk and mmap together) and `brk_limit` are bytes, 0 for
    none. `max_request` is TLSF's largest request (HEAP_SIZE_MAX), by default 4 MiB.

    Raises UsageError where the allocator upstream refuses such a heap as well.
    """

    __slots__ = ("allocator",)

    def __init__(
        self,
        allocator: Allocator = "tlsf",
        *,
        size: int = 163840,
        base: int = 0,
        max_request: int = 0,
        total_limit: int = 0,
        brk_limit: int = 0,
    ) -> None:
        if allocator not in ALLOCATORS:
            raise UsageError(f"unknown allocator {allocator!r}; take one of {', '.join(ALLOCATORS)}")
        self.allocator: Allocator = allocator
        numbers = {"size": size, "base": base, "max_request": max_request}
        numbers |= {"total_limit": total_limit, "brk_limit": brk_limit}
        for name, number in numbers.items():
            if not 0 <= number < 1 << 32:
                raise UsageError(f"a heap's {name} must be 0..{(1 << 32) - 1} bytes, not {number}")
        try:
            super().__init__(ALLOCATORS.index(allocator), **numbers)
        except ValueError as error:
            clause = core.error_text(int(str(error)))
            raise UsageError(f"no {allocator} heap of {size} bytes at {base:#x}: {clause}") from error

    def fault(self, code: int, what: str) -> NoReturn:
        """How the core says that a call was one that no sound program makes."""
        raise HeapError(code, what)

    def stats(self) -> HeapStats:
        """What the heap tells about itself now; costs a walk over its blocks."""
        return HeapStats._make(self.counts())

    def layout(self) -> list[Extent]:
        """Each block, in address order."""
        return [Extent(*row) for row in self.walk()]

    def check(self) -> None:
        """Raise HeapError when an invariant of the heap is broken, which no sequence of calls may achieve."""
        code = self.broken()
        if code:
            raise HeapError(code, f"{self.allocator} heap")

    def new_slots(self, ids: int) -> NDArray[np.uint32]:
        """Slots for `ids` ids, none allocated yet, to be handed to each `run` of a sequence."""
        return np.full(ids, UNSEEN, dtype=np.uint32)

    def run(
        self,
        operations: Operations,
        *,
        slots: NDArray[np.uint32] | None = None,
        stats_every: int = 0,
        with_pages: bool = False,
        touch: bool = False,
        strict: bool = True,
    ) -> Run:
        """Carry out all operations in the core, the GIL released.

        `slots` (from `new_slots`) carries the blocks of the ids from one run to the next. `stats_every` n asks for
        statistics after every n-th operation and after the last. `touch`: the program writes every byte it gets.
        `strict`: freeing an id twice is a fault; otherwise it counts as free(NULL). A fault ends the run: `Run.error`.
        """
        _check_columns(operations)
        count = len(operations)
        rows = count // stats_every + 1 if stats_every else 0
        slots = self.new_slots(operations.ids) if slots is None else slots
        offsets = np.empty(count, dtype=np.int32)
        stats = np.zeros((rows, len(HeapStats._fields)), dtype=np.uint32)
        pages = np.zeros((count if with_pages else 0, 3), dtype=np.uint32)
        columns = (operations.kind, operations.id, operations.a, operations.b, slots, offsets)
        error, done, stats_rows, page_rows, failed, double_frees = self.replay(
            *columns, stats if rows else None, pages if with_pages else None, stats_every, touch, strict
        )
        offsets[done:] = NULL  # what a fault has left undone
        return Run(
            offsets=offsets,
            stats=dict(zip(HeapStats._fields, stats[:stats_rows].T, strict=True)),
            stats_at=np.minimum(np.arange(1, stats_rows + 1) * max(stats_every, 1) - 1, max(count - 1, 0)),
            pages=pages[:page_rows].copy(),
            done=done,
            error=error,
            failed=failed,
            double_frees=double_frees,
        )


def run_all(
    heaps: Sequence[Heap],
    kind: NDArray[np.uint8],
    ids: NDArray[np.uint32],
    sizes: NDArray[np.uint32],
    slots: NDArray[np.uint32],
) -> dict[str, NDArray[np.uint32]]:
    """The same mallocs, reallocs and frees on many heaps, each with sizes of its own; the GIL is released once for all.

    `kind` (letters m, r, f) and `ids` have an entry an operation; `sizes` a row a heap and an entry an operation;
    `slots` a row a heap and an entry an id: as `new_slots` makes them, carried from one run to the next. Gives the
    statistics of each heap after the last operation, a column a field of HeapStats. HeapError where an operation is at
    fault; the heaps before it have run by then.
    """
    stats = np.zeros((len(heaps), len(HeapStats._fields)), dtype=np.uint32)
    if heaps:
        error, heap, done = core.Heap.run_all(tuple(heaps), kind, ids, sizes, slots, stats)
        if error:
            raise HeapError(error, f"heap {heap} of {len(heaps)}, operation {done}")
    return dict(zip(HeapStats._fields, stats.T, strict=True))


def _check_columns(operations: Operations) -> None:
    """The core reads the columns as they lie in memory; raise UsageError for one that lies otherwise."""
    for name, dtype in (("kind", np.uint8), ("id", np.uint32), ("a", np.uint32), ("b", np.uint32)):
        column = getattr(operations, name)
        if column.dtype != dtype or len(column) != len(operations) or not column.flags.c_contiguous:
            raise UsageError(
                f"operations.{name} must be {len(operations)} contiguous numbers of type {np.dtype(dtype)}, "
                f"not {len(column)} of {column.dtype}"
            )
