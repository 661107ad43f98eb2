"""The boots of a device over a span of time: when each was seen, what it ran, why it began."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from collector.series.schema import COLUMN_KINDS, hourly


@dataclass(frozen=True, slots=True)
class RunRow:
    """One boot, from its first reading in the span to its last (wall ms). `reason` is why it began, as the device said;
    it and `firmware` are empty where nobody did."""

    boot: int
    from_ms: int
    to_ms: int
    firmware: str
    reason: str


def runs(db: sqlite3.Connection, device: str, span_ms: tuple[int, int]) -> list[RunRow]:
    """The boots of which there are readings from start to end, in order: by the thing that is read of it most lately,
    since a device may tell of a hundred."""
    steady = db.execute(_STEADY, (device, *COLUMN_KINDS)).fetchone()
    if steady is None:
        return []
    series, kind = steady
    firmware = dict(db.execute("SELECT boot, firmware FROM boots WHERE device = ?", (device,)).fetchall())
    reasons = dict(db.execute(_REASONS, {"device": device, "start": span_ms[0], "end": span_ms[1]}).fetchall())
    found = db.execute(_RUNS.format(kind=kind, hourly=hourly(kind)), (series, *span_ms, series, *span_ms)).fetchall()
    return [RunRow(boot, first, last, firmware.get(boot, ""), reasons.get(boot) or "") for boot, first, last in found]


_STEADY = f"""
SELECT id, kind FROM series JOIN last ON last.series = series.id
WHERE device = ? AND kind IN ({", ".join("?" * len(COLUMN_KINDS))}) ORDER BY kind = 'device', last.t DESC, id LIMIT 1
"""  # noqa: S608 - question marks only

_REASONS = """
SELECT event.boot, json_extract(body, '$.reason') AS reason FROM series JOIN event ON event.series = series.id
WHERE series.device = :device AND kind = 'event' AND names IN ('["boot"]', '["reset"]')
  AND t BETWEEN :start AND :end AND reason IS NOT NULL
UNION ALL
SELECT device.boot, reset_reason FROM series JOIN device ON device.series = series.id
WHERE series.device = :device AND kind = 'device' AND t BETWEEN :start AND :end AND reset_reason IS NOT NULL
"""

_RUNS = """
SELECT boot, min(first), max(last) FROM (
    SELECT boot, min(t) AS first, max(t) AS last FROM {kind} WHERE series = ? AND t BETWEEN ? AND ? GROUP BY boot
    UNION ALL
    SELECT boot, min(t), max(last_t) FROM {hourly} WHERE series = ? AND t BETWEEN ? AND ? GROUP BY boot
) GROUP BY boot ORDER BY 2, 1
"""
