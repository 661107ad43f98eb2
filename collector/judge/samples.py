"""Used memory on its way from the tables into the histories: what came in between two ticks, in the order of boots."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from collector.judge.detectors.history import History
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

_AT_ONCE = 16_000

Used = tuple[Rows, Rows, Rows, Numbers, Numbers]
"""For each sample how many boots its row had begun by then, its row, its time (wall ms), its uptime (ms, NaN: unknown),
its used memory by layer."""
Part = tuple[Rows, Rows, Numbers, Numbers]
"""The same of one boot: row, time, uptime, used memory."""


class Samples:
    """What came in of one kind. `boots` says how many boots each row has begun meanwhile."""

    def __init__(self) -> None:
        self.boots: dict[int, int] = {}
        self._parts: list[Used] = []

    def __bool__(self) -> bool:
        return bool(self._parts or self.boots)

    def begin_boot(self, row: int) -> None:
        """What comes of that row from now on is of its next boot."""
        self.boots[row] = self.boots.get(row, 0) + 1

    def add(self, rows: Rows, times: Rows, uptimes: Numbers, used: Numbers) -> None:
        """More of the boots that the rows are in by now."""
        phases = np.zeros(len(rows), dtype=np.int64)
        if self.boots:
            phases[:] = [self.boots.get(row, 0) for row in rows.tolist()]
        self._parts.append((phases, rows, times, uptimes, used))

    def columns(self) -> Used:
        """All of it."""
        if not self._parts:
            nothing = np.zeros(0, dtype=np.int64)
            return nothing, nothing, nothing, np.zeros(0), np.zeros((0, 1))
        if len(self._parts) > 1:
            phases, rows, times, uptimes, used = map(np.concatenate, zip(*self._parts, strict=True))
            self._parts = [(phases, rows, times, uptimes, used)]
        return self._parts[0]

    def by_boot(self) -> Iterator[tuple[Iterator[Part], Rows]]:
        """What came first of each row, then what came after its next boot, and so on; with the rows whose boot is over
        after that. All samples of a row are in one part, and as many in each as a processor's cache has room for."""
        phases, rows, times, uptimes, used = self.columns()
        for phase in range(max(self.boots.values(), default=0) + 1):
            over = np.array(sorted(row for row, count in self.boots.items() if count > phase), dtype=np.int64)
            now = np.flatnonzero(phases == phase)
            places = map(now.take, _parts_of(rows[now]))
            yield ((rows[some], times[some], uptimes[some], used[some]) for some in places), over

    def of_rows(self, chosen: Truths) -> Samples:
        """Those of the chosen rows alone; `chosen` says of each row whether it is one, of no other than there are."""
        some = Samples()
        some.boots = {row: count for row, count in self.boots.items() if row < len(chosen) and chosen[row]}
        phases, rows, times, uptimes, used = self.columns()
        held = (rows >= 0) & (rows < len(chosen))
        held[held] = chosen[rows[held]]
        some._parts = [(phases[held], rows[held], times[held], uptimes[held], used[held])] if held.any() else []
        return some

    def packed(self) -> tuple[bytes, bytes]:
        """As bytes: the boots, the samples."""
        boots = np.array(sorted(self.boots.items()), dtype=np.int64)
        return boots.tobytes(), b"".join(column.tobytes() for column in self.columns())

    @classmethod
    def unpacked(cls, boots: bytes, samples: bytes, layers: int) -> Samples:
        """What `packed` gave, for a history of so many layers; nothing when another version gave it."""
        some, line = cls(), 8 * (4 + layers)
        if len(boots) % 16 or len(samples) % line:
            return some
        begun, counts = np.frombuffer(boots, dtype=np.int64).reshape(-1, 2).T.tolist()
        some.boots = dict(zip(begun, counts, strict=True))
        count = len(samples) // line
        phases, rows, times = np.frombuffer(samples, dtype=np.int64, count=3 * count).reshape(3, count)
        others = np.frombuffer(samples, dtype=np.float64, offset=24 * count)
        some._parts = [(phases, rows, times, others[:count], others[count:].reshape(count, layers))]
        return some


def replay(history: History, samples: Samples) -> None:
    """Take in once more what has been looked at before."""
    for parts, over in samples.by_boot():
        for rows, times, uptimes, used in parts:
            history.add(rows, times, used, uptimes)
        for row in over.tolist():
            history.forget(row)
    history.blocks.take_closed()


def _parts_of(rows: Rows) -> Iterator[Rows]:
    """The places of so many rows as a processor's cache has room for at once; all places of a row are in one part."""
    order = np.argsort(rows, kind="stable")
    start = 0
    while start < len(rows):
        last = rows[order[min(start + _AT_ONCE, len(rows)) - 1]]
        end = int(np.searchsorted(rows, last, side="right", sorter=order))
        yield order[start:end]
        start = end
