"""What the judge knows: the newest values of every series, the histories of used memory, the boots of the devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from collector.judge.columns import GROWING_KINDS, RATCHETS, limit_of
from collector.judge.detectors.history import History
from collector.judge.detectors.look import look, look_across_boots, look_at_nights
from collector.judge.hearing import LIVE_MS
from collector.judge.series import Table
from collector.judge.used import free_of, reader
from telemetry.readings import FLAGS, KINDS, About
from telemetry.wire import Rows

_NOT_JUDGED = 1 << FLAGS.index("debugger") | 1 << FLAGS.index("unreliable")
_GUESSED = 1 << FLAGS.index("guess")
_WARM_UP_MS = 20_000
"""Start-up is no leak: used memory is not looked at for so long after a boot, where the uptime is known."""


class Book(Protocol):
    """Descriptions of devices (`collector.devices.DeviceBook`)."""

    def learn(self, about: About) -> None: ...
    def about(self, device: str) -> About: ...


class Samples:
    """Used memory that came in since the last tick, by kind.

    `boots` says how many boots each row has begun meanwhile, `phases` for each sample how many it had begun by then.
    """

    def __init__(self) -> None:
        self.boots: dict[int, int] = {}
        self.phases: list[int] = []
        self.rows: list[int] = []
        self.times: list[int] = []
        self.uptimes: list[float] = []
        self.values: list[tuple[float, ...]] = []


class Board:
    """One table a kind, one history a growing kind. `restarted` collects the rows whose device began a new boot."""

    def __init__(self, describe: Callable[[str], About]) -> None:
        self._describe = describe
        self.tables = {kind: Table(kind) for kind in KINDS if kind != "log"}
        self.histories = {
            kind: History(2 if kind == "heap" else 1, by_night=kind not in RATCHETS) for kind in GROWING_KINDS
        }
        self.boots: dict[str, int] = {}
        self.series_of: dict[str, list[tuple[str, int]]] = {}
        self.added: list[tuple[str, int]] = []
        self.restarted: list[tuple[str, int]] = []
        self._samples = {kind: Samples() for kind in GROWING_KINDS}

    def add_series(self, kind: str, device: str, names: tuple[str, ...]) -> int:
        """A row for a series that was not seen before."""
        table = self.tables[kind]
        row = table.add(device, names)
        if kind in self.histories:
            self.histories[kind].make_room(table.capacity)
        self.series_of.setdefault(device, []).append((kind, row))
        self.describe_row(kind, row, self._describe(device))
        self.added.append((kind, row))
        return row

    def describe_row(self, kind: str, row: int, about: About) -> None:
        """Take over what the description says about this series."""
        table = self.tables[kind]
        limit = limit_of(kind, about)
        if table.has("limit") and limit == limit:
            table.set(row, "limit", limit)

    def take(self, block: Rows, last: Sequence[Any], received_ms: int, newest_ms: int) -> None:
        """Rows of one series, `last` the latest of them; `newest_ms` is the device's newest sample before them."""
        if block.kind not in self.tables or block.flags & _NOT_JUDGED:
            return
        if not self._is_current_boot(block, block.t0 + last[0], newest_ms):
            return
        table = self.tables[block.kind]
        row = table.find(block.device, block.names)
        if row is None:
            row = self.add_series(block.kind, block.device, block.names)
            table.boot[row] = block.boot
        if table.boot[row] != block.boot:
            table.begin_boot(row, block.boot)
            table.outdated[row] = False
            if block.kind in self.histories:
                boots = self._samples[block.kind].boots
                boots[row] = boots.get(row, 0) + 1
        table.resolution[row] = block.resolution
        table.changed.add(row)
        self._take_values(table, row, block, last, received_ms)
        if block.kind in self.histories:
            self._take_history(table, row, block)

    def tick(self) -> None:
        """Look at all series that closed a bucket since the last tick, and at those whose device began a new boot."""
        for kind, samples in self._samples.items():
            if samples.rows or samples.boots:
                self._samples[kind] = Samples()
                self._take_in(self.tables[kind], self.histories[kind], samples)

    def _take_in(self, table: Table, history: History, samples: Samples) -> None:
        """Boot by boot: what a boot that is over still said belongs to its shape, and is not looked at any more."""
        phases, rows = np.array(samples.phases, dtype=np.int64), np.array(samples.rows, dtype=np.int64)
        times, uptimes = np.array(samples.times), np.array(samples.uptimes)
        values = np.array(samples.values)
        for phase in range(max(samples.boots.values(), default=0) + 1):
            now = phases == phase
            over = np.array(sorted(row for row, count in samples.boots.items() if count > phase), dtype=np.int64)
            if now.any():
                closed, levels = history.add(rows[now], times[now], values[now], uptimes[now])
                goes_on = ~np.isin(closed, over)
                if goes_on.any():
                    look(table, history, closed[goes_on], levels[goes_on])
                nights = history.blocks.take_closed()
                if len(nights := nights[~np.isin(nights, over)]):
                    look_at_nights(table, history, nights)
            for row in over.tolist():
                history.forget(row)
            if len(over):
                look_across_boots(table, history, over)

    def _is_current_boot(self, block: Rows, time_ms: int, newest_ms: int) -> bool:
        known = self.boots.get(block.device)
        if known == block.boot:
            return True
        later = time_ms > newest_ms and not block.flags & _GUESSED  # counted anew: another agent, or a lost outbox
        if known is not None and block.boot < known and not later:
            return False
        self.boots[block.device] = block.boot
        if known is not None:
            for kind, row in self.series_of.get(block.device, ()):
                self.tables[kind].outdated[row] = kind != "device"
                self.tables[kind].changed.add(row)
                self.restarted.append((kind, row))
        return True

    def _take_values(self, table: Table, row: int, block: Rows, last: Sequence[Any], received_ms: int) -> None:
        time_ms = block.t0 + last[0]
        if received_ms - time_ms > LIVE_MS or time_ms < table.time_ms[row]:
            return
        table.time_ms[row], table.heard_ms[row] = time_ms, received_ms
        if table.kind == "event":
            table.texts[row] = {}
        values, rows = table.values[row], block.rows
        for place, (name, column) in enumerate(table.places(block.fields), start=2):
            value = last[place]
            if value is None:
                value = _newest(rows, place)
            if isinstance(value, str):
                table.texts[row][name] = value
            elif value is not None and column is not None:
                values[column] = value
        table.touched.add(row)

    def _take_history(self, table: Table, row: int, block: Rows) -> None:
        samples, u0, unknown = self._samples[table.kind], block.u0, float("nan")
        read, size = reader(table.kind, block.fields), self._size_of(table, row, block)
        phase = samples.boots.get(row, 0)
        for cells in block.rows:
            values, uptime = read(cells, size), None if u0 is None or cells[1] is None else u0 + cells[1]
            if values is not None and (uptime is None or uptime >= _WARM_UP_MS):
                samples.phases.append(phase)
                samples.rows.append(row)
                samples.times.append(block.t0 + cells[0])
                samples.uptimes.append(unknown if uptime is None else uptime)
                samples.values.append(values)

    def _size_of(self, table: Table, row: int, block: Rows) -> float:
        """The size of a thing, bytes. Of one that tells only what is free: what was free when it was first heard."""
        size = table.get(row, "size") if table.has("size") else table.get(row, "limit")
        if size == size or "size" in block.fields:
            return size
        limit = table.get(row, "limit")
        free = free_of(table.kind, block.fields, block.rows[0])
        if limit != limit and free is not None:
            table.set(row, "limit", limit := free)
        return limit


def _newest(rows: Sequence[Sequence[Any]], place: int) -> Any:
    return next((cells[place] for cells in reversed(rows) if cells[place] is not None), None)
