"""Tables of empty heaps, `alloc-oracle-init/1`: for each region the fresh statistics and the first block."""

from __future__ import annotations

from typing import Any

import msgspec

from emulators.heap import Allocator, Heap
from emulators.traces.columns import layout_rows, stats_columns
from emulators.traces.recorded import HEAP_START, Unsigned
from telemetry.errors import UsageError

FORMAT = "alloc-oracle-init/1"


class Region(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One region. `init` says how upstream refuses it ("fail" or "assert"); then the rest is absent."""

    heap_size: Unsigned
    base_off: Unsigned
    init: str | None = None
    fresh: dict[str, int] | None = None
    after_m1: dict[str, int] | None = None
    layout: list[list[int]] | None = None
    m1: int | None = None


class InitialTable(msgspec.Struct, omit_defaults=True, kw_only=True):
    """All regions of one allocator."""

    format: str
    collection: str | None = msgspec.field(name="set", default=None)
    allocator: Allocator
    rows: list[Region]


def replay_table(table: InitialTable) -> InitialTable:
    """The same table with the answers of the emulated heap."""
    return msgspec.structs.replace(table, rows=[_region(table.allocator, row) for row in table.rows])


def _region(allocator: Allocator, row: Region) -> Region:
    try:
        heap = Heap(allocator, size=row.heap_size, base=HEAP_START + row.base_off)
    except UsageError:
        word = "fail" if allocator.startswith("tlsf") else "assert"
        return Region(heap_size=row.heap_size, base_off=row.base_off, init=row.init or word)
    fresh, layout = _stats(heap), layout_rows(allocator, heap.layout())
    first = heap.malloc(1)
    return Region(
        heap_size=row.heap_size,
        base_off=row.base_off,
        fresh=fresh,
        after_m1=_stats(heap),
        layout=layout,
        m1=first.offset if first else None,
    )


def _stats(heap: Heap) -> dict[str, Any]:
    return stats_columns(heap.allocator, heap.stats()._asdict())
