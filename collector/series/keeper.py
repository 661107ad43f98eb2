"""Keeps `series.db` small: old hours become least, most and last values; what is older still goes; the cap holds.

A sweep goes through all series a few at a time, so that arrivals never wait long. It is idempotent: a process that dies
in the middle begins a new one. Readings that arrive late for an hour already rolled up are merged into it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass

from collector.series import holes
from collector.series.alerts import forget
from collector.series.schema import BODY_KINDS, COLUMN_KINDS, hourly, numbers
from telemetry.files import add_counts
from telemetry.readings import KINDS

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
SERIES_A_STEP = 250


@dataclass(frozen=True, slots=True)
class Keep:
    """How long readings and their hours are kept, ms, and the most bytes that all of it may take."""

    raw_ms: int
    hours_ms: int
    max_bytes: int


@dataclass(slots=True)
class _Sweep:
    """Readings before `raw_before` are rolled up, hours before `hours_before` go; `done` is the last series swept."""

    raw_before: int
    hours_before: int
    crowded: bool
    done: int = 0


class Keeper:
    """Sweeps once an hour, and whenever a look, once a minute, finds the file above its cap."""

    def __init__(self, db: sqlite3.Connection, keep: Keep) -> None:
        self._db = db
        self._keep = keep
        self._sweep: _Sweep | None = None
        self._look_ms = self._hourly_ms = 0

    def due(self, now_ms: int) -> bool:
        """Whether `step` has work."""
        return self._sweep is not None or now_ms >= self._look_ms

    def step(self, now_ms: int) -> None:
        """One part of a sweep, inside the caller's transaction. `now_ms` is wall time."""
        sweep = self._sweep or self._begun(now_ms)
        if sweep is None:
            return
        found = self._db.execute(
            "SELECT id, kind FROM series WHERE id > ? ORDER BY id LIMIT ?", (sweep.done, SERIES_A_STEP)
        ).fetchall()
        counts: Counter[str] = Counter()
        for series, kind in found:
            self._tidy(series, kind, sweep, counts)
            sweep.done = series
        add_counts(self._db, counts)
        if not found:
            self._sweep = None
            if sweep.crowded:
                self._look_ms = 0

    def _begun(self, now_ms: int) -> _Sweep | None:
        self._look_ms = now_ms + MINUTE_MS
        sweep, hourly = self._planned(now_ms), now_ms >= self._hourly_ms
        if hourly:
            self._hourly_ms = now_ms + HOUR_MS
            forget(self._db, now_ms, now_ms - self._keep.hours_ms)
            holes.forget(self._db, now_ms - self._keep.hours_ms)
        self._sweep = sweep if hourly or sweep.crowded else None
        return self._sweep

    def _planned(self, now_ms: int) -> _Sweep:
        raw, hours = now_ms - self._keep.raw_ms, now_ms - self._keep.hours_ms
        used = used_bytes(self._db)
        if used <= self._keep.max_bytes:
            return _Sweep(_hour(raw), _hour(hours), crowded=False)
        surplus = 1 - 0.9 * self._keep.max_bytes / used  # a tenth of room, not to sweep again at once
        oldest = self._oldest(COLUMN_KINDS + BODY_KINDS, now_ms)
        raw = max(raw, int(oldest + (now_ms - oldest) * surplus))
        if oldest > now_ms - DAY_MS:  # the readings are all young: it is the hours that take the room
            oldest_hour = self._oldest(tuple(hourly(kind) for kind in COLUMN_KINDS), now_ms)
            hours = max(hours, int(oldest_hour + (now_ms - oldest_hour) * surplus))
        # Rounded up, so that a sweep of a crowded file always frees something until only the last hour is left.
        return _Sweep(min(_hour(raw) + HOUR_MS, _hour(now_ms)), _hour(hours), crowded=_hour(now_ms) > oldest)

    def _oldest(self, tables: tuple[str, ...], now_ms: int) -> int:
        """The oldest time in these tables: one look at the start of each series."""
        times = [
            self._db.execute(_OLDEST.format(table=table), (table.removesuffix("_hourly"),)).fetchone()[0]
            for table in tables
        ]
        return min((time for time in times if time is not None), default=now_ms)

    def _tidy(self, series: int, kind: str, sweep: _Sweep, counts: Counter[str]) -> None:
        span = {"series": series, "before": sweep.raw_before}
        if kind not in BODY_KINDS:
            self._db.execute(_ROLL_UP[kind], span)
            hours = {"series": series, "before": sweep.hours_before}
            counts["series_hours_dropped"] += self._db.execute(_DROP.format(table=hourly(kind)), hours).rowcount
        gone = self._db.execute(_DROP.format(table=kind), span).rowcount
        counts["series_rows_crowded_out" if sweep.crowded else "series_rows_expired"] += gone


_DROP = "DELETE FROM {table} WHERE series = :series AND t < :before"
_OLDEST = "SELECT min((SELECT min(t) FROM {table} WHERE series = id)) FROM series WHERE kind = ?"


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes of the file that hold something; freed pages are used again and do not count."""
    pages, free, size = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _hour(time_ms: int) -> int:
    return time_ms // HOUR_MS * HOUR_MS


def _roll_up(kind: str) -> str:
    """SQL that turns a series' readings before a time into hours, merged with what those hours already hold."""
    names = numbers(KINDS[kind])
    columns = [f"{name}_{which}" for name in names for which in ("least", "most", "last")]
    wanted = ", ".join(f"min({n}) AS {n}_least, max({n}) AS {n}_most" for n in names)
    picked = ", ".join(f"{n}_least, {n}_most, newest.{n}" for n in names)
    merged = ", ".join(_merged(name) for name in names)
    return f"""
INSERT INTO {hourly(kind)}(series, t, readings, last_t, boot, {", ".join(columns)})
SELECT hours.series, hour, readings, newest.t, newest.boot, {picked}
FROM (SELECT series, t / {HOUR_MS} * {HOUR_MS} AS hour, count(*) AS readings, max(t) AS last_t, {wanted}
      FROM {kind} WHERE series = :series AND t < :before GROUP BY hour) AS hours
JOIN {kind} AS newest ON newest.series = hours.series AND newest.t = hours.last_t
WHERE true
ON CONFLICT(series, t) DO UPDATE SET readings = readings + excluded.readings, {merged},
    boot = CASE WHEN excluded.last_t >= last_t THEN excluded.boot ELSE boot END,
    last_t = max(last_t, excluded.last_t)
"""  # noqa: S608 - names of ours


def _merged(name: str) -> str:
    least, most, last = f"{name}_least", f"{name}_most", f"{name}_last"
    return (
        f"{least} = min(coalesce({least}, excluded.{least}), coalesce(excluded.{least}, {least})), "
        f"{most} = max(coalesce({most}, excluded.{most}), coalesce(excluded.{most}, {most})), "
        f"{last} = CASE WHEN excluded.last_t >= last_t THEN coalesce(excluded.{last}, {last}) ELSE {last} END"
    )


_ROLL_UP = {kind: _roll_up(kind) for kind in COLUMN_KINDS}
