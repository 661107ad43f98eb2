"""Arrivals into `series.db`. Everything here happens inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from collector.devices import DeviceBook
from collector.records import Arrival
from collector.series.last import LastValues
from collector.series.schema import BASE, BODY_KINDS, fields
from telemetry.files import add_counts
from telemetry.readings import KINDS, About
from telemetry.wire import Rows

FLUSH_ROWS = 50_000
"""Rows held before they are handed to SQLite, so that a backlog of large frames takes bounded memory."""


@dataclass(slots=True)
class _Sighting:
    """What a batch tells of one device."""

    agent: str
    boot: int
    uptime: int | None
    first: int
    seen: int
    t: int


class SeriesWriter:
    """The writing side of `series.db`. A reading with the same series and time replaces the one before."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.book = DeviceBook(db)
        self._last = LastValues(db)
        self._ids: dict[tuple[str, str, tuple[str, ...]], int] = {
            (device, kind, tuple(msgspec.json.decode(names))): id_
            for id_, device, kind, names in db.execute("SELECT id, device, kind, names FROM series")
        }
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._held = 0
        self._seen: dict[str, _Sighting] = {}
        self._counts: Counter[str] = Counter()

    def take(self, arrival: Arrival) -> None:
        """Take in what one frame brought."""
        self._counts["series_frames"] += 1
        spoke = any(map(_is_spoken, arrival.blocks))  # else people, or its agent, told of its devices
        for block in arrival.blocks:
            if isinstance(block, About):
                self.book.learn(block)
                self._sight(arrival, block.device, block.boot, None, None, spoke=spoke)
            else:
                self._take_rows(arrival, block)
        if self._held >= FLUSH_ROWS:
            self._flush_rows()

    def finish(self) -> None:
        """Write what is held, and count it."""
        self._flush_rows()
        self._last.save(lambda device: self.book.about(device).limits)
        rows = [(name, s.agent, s.boot, s.uptime, s.first, s.seen, s.t) for name, s in self._seen.items()]
        self._db.executemany(_SEEN, rows)
        self._seen.clear()
        add_counts(self._db, self._counts)
        self._counts.clear()

    def _take_rows(self, arrival: Arrival, block: Rows) -> None:
        series = self._series(block)
        if block.kind in BODY_KINDS:
            made = _body_rows(block, series)
        else:
            made = _column_rows(block, series)
            self._last.take(series, block, arrival.received_ms)
        self._rows.setdefault(block.kind, []).extend(made)
        self._held += len(made)
        self._counts["series_rows"] += len(made)
        newest = max(made, key=itemgetter(1))
        if block.is_spoken:
            self._sight(arrival, block.device, block.boot, newest[3], newest[1])
        else:
            self._sight(arrival, block.device, block.boot, None, None, spoke=False)

    def _series(self, block: Rows) -> int:
        key = (block.device, block.kind, block.names)
        found = self._ids.get(key)
        if found is None:
            names = msgspec.json.encode(block.names).decode()
            row = (block.device, block.kind, names)
            found = self._db.execute("INSERT INTO series(device, kind, names) VALUES(?, ?, ?)", row).lastrowid or 0
            self._ids[key] = found
        return found

    def _sight(
        self, arrival: Arrival, device: str, boot: int, uptime: int | None, t: int | None, *, spoke: bool = True
    ) -> None:
        received = arrival.received_ms
        heard = received if spoke else 0
        time = t or 0  # a description alone is no reading
        known = self._seen.get(device)
        if known is None:
            self._seen[device] = _Sighting(arrival.agent, boot, uptime, received, heard, time)
            return
        known.agent, known.seen = arrival.agent, max(known.seen, heard)
        if boot > known.boot or (boot == known.boot and time >= known.t):
            if uptime is not None or boot > known.boot:
                known.uptime = uptime
            known.boot, known.t = boot, time

    def _flush_rows(self) -> None:
        for kind, rows in self._rows.items():
            rows.sort(key=itemgetter(0, 1))  # stable: of two equal ones the later stays later, and wins
            columns = (*BASE, *fields(KINDS[kind]))  # by name: in an older file they may stand in another order
            marks = ", ".join("?" * len(columns))
            self._db.executemany(f"INSERT OR REPLACE INTO {kind}({', '.join(columns)}) VALUES({marks})", rows)
        self._rows.clear()
        self._held = 0


def _is_spoken(block: About | Rows) -> bool:
    return isinstance(block, Rows) and block.is_spoken


_SEEN = """
INSERT INTO devices(device, agent, boot, uptime, first_seen, last_seen, last_t) VALUES(?, ?, ?, ?, ?, ?, ?)
ON CONFLICT(device) DO UPDATE SET
    agent = excluded.agent,
    uptime = CASE WHEN excluded.boot > boot THEN excluded.uptime
                  WHEN excluded.boot = boot AND excluded.last_t >= last_t THEN coalesce(excluded.uptime, uptime)
                  ELSE uptime END,
    last_t = CASE WHEN excluded.boot > boot THEN excluded.last_t ELSE max(last_t, excluded.last_t) END,
    boot = max(boot, excluded.boot),
    last_seen = max(last_seen, excluded.last_seen)
"""


def _column_rows(block: Rows, series: int) -> list[tuple[Any, ...]]:
    """Rows of a kind with columns, in the order of its table; what a row does not say is NULL."""
    t0, u0, boot, flags, resolution = block.t0, block.u0, block.boot, block.flags, block.resolution
    own = _columns(block.kind, block.fields)
    if "uptime" in block.fields:  # a device's own uptime is the base column
        at = block.fields.index("uptime") + 2
        uptimes = [_uptime(u0, row) if row[at] is None else row[at] for row in block.rows]
    else:
        uptimes = [None if u0 is None or row[1] is None else u0 + row[1] for row in block.rows]
    return [
        (series, t0 + row[0], boot, uptime, flags, resolution, *own((*row, None)))
        for row, uptime in zip(block.rows, uptimes, strict=True)
    ]


@lru_cache(maxsize=256)
def _columns(kind: str, given: tuple[str, ...]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """What picks a table's own columns out of a row [dt, du, given..., None]; the last stands for what is not given."""
    return itemgetter(*(given.index(name) + 2 if name in given else -1 for name in fields(KINDS[kind])))


def _body_rows(block: Rows, series: int) -> list[tuple[Any, ...]]:
    made = []
    for row in block.rows:
        values = {name: value for name, value in zip(block.fields, row[2:], strict=True) if value is not None}
        body = msgspec.json.encode(values).decode()
        base = (series, block.t0 + row[0], block.boot, _uptime(block.u0, row), block.flags, block.resolution)
        made.append((*base, body))
    return made


def _uptime(u0: int | None, row: list[Any]) -> int | None:
    return None if u0 is None or row[1] is None else u0 + row[1]
