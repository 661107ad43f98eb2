"""What a heap looked like after each operation of a trace, and whether it stayed within limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emulators.heap import HeapStats, Operations
from emulators.traces.trace import Settings, Trace, failures, raise_fault

_CHUNK = 1 << 15
"""Operations whose whole statistics are held at once."""


@dataclass(frozen=True, slots=True)
class History:
    """Bytes after each operation, as the platform counts them (see `HeapStats`), and the operations that failed."""

    used: NDArray[np.uint32]
    free: NDArray[np.uint32]
    largest: NDArray[np.uint32]
    failed: NDArray[np.int64]
    final: HeapStats


@dataclass(frozen=True, slots=True)
class Limits:
    """What a trace must keep to; None sets no limit. Sizes in bytes."""

    max_used: int | None = None
    min_largest: int | None = None
    max_failed: int | None = None


def history(trace: Trace, settings: Settings) -> History:
    """Replay a trace and look at the heap after every operation; raises TraceFault as `replay` does."""
    heap = settings.heap()
    operations = trace.operations
    slots = heap.new_slots(operations.ids)
    columns = {name: np.zeros(len(operations), dtype=np.uint32) for name in ("used", "free", "largest_free")}
    offsets = np.zeros(len(operations), dtype=np.int32)
    touch = settings.paged and settings.touch
    for start in range(0, len(operations), _CHUNK):
        part = slice(start, start + _CHUNK)
        run = heap.run(_part(operations, part), slots=slots, stats_every=1, touch=touch, strict=trace.strict)
        if run.error:
            raise_fault(trace, start + run.done, run.error)
        offsets[part] = run.offsets
        for name, column in columns.items():
            column[part] = run.stats[name]
    failed = failures(offsets, operations)
    return History(columns["used"], columns["free"], columns["largest_free"], failed, heap.stats())


def broken(limits: Limits, seen: History) -> list[str]:
    """One sentence for each limit that the trace broke, with the operation (from 0) where it happened first."""
    sentences = []
    if limits.max_used is not None and seen.used.max(initial=0) > limits.max_used:
        at = int(np.argmax(seen.used > limits.max_used))
        peak = int(seen.used.max())
        sentences.append(f"used {peak} bytes at most, over the limit of {limits.max_used} since operation {at}")
    if limits.min_largest is not None and len(seen.largest) and seen.largest.min() < limits.min_largest:
        at = int(np.argmax(seen.largest < limits.min_largest))
        low = int(seen.largest.min())
        sentences.append(f"largest free block fell to {low} bytes, under {limits.min_largest} since operation {at}")
    if limits.max_failed is not None and len(seen.failed) > limits.max_failed:
        at = int(seen.failed[limits.max_failed])
        sentences.append(
            f"failed allocations: {len(seen.failed)}, over the limit of {limits.max_failed} since operation {at}"
        )
    return sentences


def summary(trace: Trace, settings: Settings, seen: History) -> list[tuple[str, str]]:
    """What to tell about a replay, as name and text; sizes in bytes."""
    rows = [("operations", str(len(trace.operations))), ("failed", str(len(seen.failed)))]
    if len(seen.failed):
        first = int(seen.failed[0])
        where = f", line {trace.lines[first]}" if trace.lines else ""
        rows.append(("first failure", f"operation {first}{where}: {trace.describe(first)}"))
    rows.append(("used", f"{seen.final.used}, at most {int(seen.used.max(initial=0))}"))
    if settings.paged:
        pages = seen.final.resident_brk + seen.final.resident_mmap
        rows.append(("resident pages", f"{pages} of {seen.final.brk_pages + seen.final.mmap_pages} mapped"))
        return rows
    rows.append(("free", f"{seen.final.free}, at least {int(seen.free.min(initial=seen.final.free))}"))
    lowest = int(seen.largest.min(initial=seen.final.largest_free))
    rows.append(("largest free", f"{seen.final.largest_free}, at least {lowest}"))
    return rows


def thinned(column: NDArray[np.uint32], bins: int) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """At most two points a bin, its lowest and its highest value: positions and values."""
    if len(column) <= 2 * bins:
        return np.arange(len(column)), column
    starts = np.arange(bins) * len(column) // bins
    low, high = np.minimum.reduceat(column, starts), np.maximum.reduceat(column, starts)
    return np.repeat(starts, 2), np.stack((low, high), axis=1).ravel()


def _part(operations: Operations, part: slice) -> Operations:
    return Operations(
        operations.kind[part], operations.id[part], operations.a[part], operations.b[part], operations.ids
    )
