"""The newest values of every series, kept in memory and written once a batch however many readings it held."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

import msgspec

from collector.series.fill import fill_of
from telemetry.readings import Value
from telemetry.wire import Rows

_offset = itemgetter(0)


@dataclass(slots=True)
class Newest:
    """The newest reading of one series; `values` also hold what earlier readings of the same boot said."""

    t: int
    received: int
    boot: int
    uptime: int | None
    flags: int
    kind: str
    device: str
    values: dict[str, Value] = field(default_factory=dict)


class LastValues:
    """What the `last` table holds. `save` writes the series changed since the last save."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._changed: set[int] = set()
        self._newest = {
            series: Newest(t, received, boot, uptime, flags, kind, device, msgspec.json.decode(body))
            for series, t, received, boot, uptime, flags, kind, device, body in db.execute(_LOAD)
        }

    def take(self, series: int, block: Rows, received: int) -> None:
        """Take in a block of one series; readings older than the newest known add nothing. What an agent says of itself
        comes in order: its newest word is its last, though its clock was set back (or ours, when it came)."""
        newest = self._newest.get(series)
        rows = block.rows if len(block.rows) == 1 else sorted(block.rows, key=_offset)
        last = rows[-1]
        is_late = newest is not None and block.t0 + last[0] < newest.t
        if newest is not None and is_late and (block.kind != "agent" or received < newest.received):
            return
        uptime = None if block.u0 is None or last[1] is None else block.u0 + last[1]
        known = newest.values if newest is not None and newest.boot == block.boot else {}
        if None in last[2:]:
            for row in rows[:-1]:
                known = known | _values(block, row)
        values = known | _values(block, last)
        self._newest[series] = Newest(
            block.t0 + last[0], received, block.boot, uptime, block.flags, block.kind, block.device, values
        )
        self._changed.add(series)

    def save(self, limits: Callable[[str], Mapping[str, int]]) -> None:
        """Write what changed, inside the caller's transaction; `limits` gives a device's."""
        rows = []
        for series in sorted(self._changed):
            n = self._newest[series]
            fill = fill_of(n.kind, n.values, limits(n.device), n.flags) or (None, None)
            body = msgspec.json.encode(n.values).decode()
            rows.append((series, n.t, n.received, n.boot, n.uptime, n.flags, body, *fill))
        self._db.executemany("INSERT OR REPLACE INTO last VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._changed.clear()


_LOAD = """
SELECT last.series, t, received, boot, uptime, flags, kind, device, body
FROM last JOIN series ON series.id = last.series
"""


def _values(block: Rows, row: list[Value]) -> dict[str, Value]:
    return {name: value for name, value in zip(block.fields, row[2:], strict=True) if value is not None}
