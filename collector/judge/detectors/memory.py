"""What a device last said of its memory: the ground for judging a kill or a restart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite, isnan, nan
from typing import NamedTuple

import numpy as np

from collector.judge.detectors.history import History
from collector.judge.detectors.marks import CEILING
from collector.judge.series import Table
from collector.judge.used import most_used

TRACKED_HEAP = ("heap_tracker",)
"""The heap that HeapTracker counts for an application of Azure Sphere (`agent/consoles/azure_sphere`)."""

_FRESH_MS = 1_800_000
"""Older than this, a reading says nothing of the moment."""
_AT_ONCE_MS = 60_000
"""Of what comes in one frame, one thing may be stamped that much before the other."""
_SANK_TO = 2 / 3
"""A heap with at most that part left of what it had at worst in the first half of a boot is where that boot never was:
what takes much by design stands as low in both halves."""


class Memory(NamedTuple):
    """The newest reading of a heap or a process: bytes used, the limit, and the least and the most that were used in
    that boot; which row of the heaps it is, NaN for a process; whether a leak of it was told; and whether its size is
    known.

    Where it is not, only what is free was told: then the limit is what was free when it was first heard, and used is
    what was taken of that, below 0 where more is free since.
    """

    used: float
    limit: float
    least: float
    most: float
    heap: float
    leaks: bool
    sized: bool

    @property
    def fill(self) -> float:
        """Which part of the limit was used."""
        return self.used / self.limit

    @property
    def consumed(self) -> float:
        """Which part of what was free at best was taken since."""
        best = self.limit - self.least
        return (self.used - self.least) / best if best > 0 else 0.0


class Rooms(NamedTuple):
    """Where memory is read: the tables and histories by kind, and where each device's series stand in them."""

    tables: Mapping[str, Table]
    histories: Mapping[str, History]
    series_of: Mapping[str, Iterable[tuple[str, int]]]

    def last(self, device: str, boot: int, time_ms: int) -> Memory | None:
        """The memory of that boot of which most was taken (or most is used), as it was shortly before that time."""
        return _most_taken(self._fresh(device, boot, time_ms))

    def last_sized(self, device: str, boot: int, time_ms: int) -> Memory | None:
        """The same of those of which the size is known."""
        return _most_taken(memory for memory in self._fresh(device, boot, time_ms) if memory.sized)

    def sank(self, memory: Memory) -> bool:
        """Whether that heap has by far less left than it ever had in the first half of its boot; False for a process,
        and where that was not heard for two hours."""
        if isnan(memory.heap):
            return False
        stood = self.histories["heap"].stood_at(int(memory.heap))
        return memory.limit - memory.used <= _SANK_TO * (memory.limit - stood)

    def heard_ms(self, device: str, boot: int) -> float:
        """When that boot was heard last; NaN where it was not."""
        here = [(self.tables[kind], row) for kind, row in self.series_of.get(device, ()) if kind != "device"]
        return max((float(table.time_ms[row]) for table, row in here if table.boot[row] == boot), default=nan)

    def tracked(self, device: str, boot: int, time_ms: int) -> float:
        """What HeapTracker last counted on that boot, bytes; NaN when it did not."""
        row = self.tables["heap"].find(device, TRACKED_HEAP)
        if row is None or not self._is_fresh("heap", row, boot, time_ms):
            return nan
        return self.tables["heap"].get(row, "used")

    def _fresh(self, device: str, boot: int, time_ms: int) -> Iterator[Memory]:
        """The memories of that boot that were read shortly before that time."""
        for kind, row in self.series_of.get(device, ()):
            if kind in ("process", "heap") and self._is_fresh(kind, row, boot, time_ms):
                memory = self._memory(kind, row)
                if memory is not None:
                    yield memory

    def _is_fresh(self, kind: str, row: int, boot: int, time_ms: int) -> bool:
        table = self.tables[kind]
        age_ms = time_ms - table.time_ms[row]
        return bool(table.boot[row] == boot and -_AT_ONCE_MS <= age_ms <= _FRESH_MS)

    def _memory(self, kind: str, row: int) -> Memory | None:
        used, limit, sized = (_heap if kind == "heap" else _process)(self.tables[kind], row)
        if not (limit > 0 and (used >= 0 or (not sized and isfinite(used)))):
            return None
        buckets = self.histories[kind].least[row, 0]
        known = buckets[np.isfinite(buckets)]
        heap, leaks = float(row) if kind == "heap" else nan, not isnan(self.tables[kind].get(row, "leak_rate"))
        least = min(used, float(known.min())) if len(known) else used
        return Memory(used, limit, least, self._most(kind, row, used), heap, leaks, sized)

    def _most(self, kind: str, row: int, used: float) -> float:
        """The highest that was read, or that the device itself has kept."""
        rows = np.array([row])
        peak, kept = self.histories[kind].mark(rows, CEILING), most_used(self.tables[kind].view(rows))
        return float(np.fmax.reduce([used, peak[0], kept[0]]))


def _most_taken(memories: Iterable[Memory]) -> Memory | None:
    return max(memories, key=lambda memory: (memory.consumed, memory.used), default=None)


def _heap(table: Table, row: int) -> tuple[float, float, bool]:
    """Used bytes and size, as they follow from each other, NaN where unknown; and whether it is the size. A heap that
    tells only what is free is measured as for its leaks: against what was free when it was first heard."""
    size, used, free = (table.get(row, name) for name in ("size", "used", "free"))
    limit = table.get(row, "limit")
    if isnan(size) and isnan(used):
        return limit - free, limit, False
    size = used + free if isnan(size) else size
    return size - free if isnan(used) else used, limit if isnan(size) else size, True


def _process(table: Table, row: int) -> tuple[float, float, bool]:
    used, peak, quota, limit = (table.get(row, name) for name in ("user_mode", "peak_user_mode", "quota", "limit"))
    return peak if isnan(used) else used, limit if isnan(quota) else quota, True
