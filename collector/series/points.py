"""Readings of one series over a span of time, thinned to what a chart can show, least and most values kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np

from collector.series.keeper import HOUR_MS
from collector.series.rows import Points
from collector.series.schema import BODY_KINDS, fields, hourly, numbers
from telemetry.errors import UsageError
from telemetry.readings import KINDS

_Row = tuple[Any, ...]


def points(
    db: sqlite3.Connection,
    device: str,
    kind: str,
    names: Sequence[str],
    start_ms: int,
    end_ms: int,
    max_points: int = 2000,
) -> Points:
    """Readings from start to end, at most about `max_points`; none when there is no such series.

    Thinning keeps, of each stretch, the whole readings at which some field was least or most, and the first and the
    last of all: peaks and dips survive, no value is made up.
    """
    if kind not in KINDS or kind in BODY_KINDS:
        raise UsageError(
            f"kind {kind!r} has no points; use one of {', '.join(k for k in KINDS if k not in BODY_KINDS)}"
        )
    columns = fields(KINDS[kind])
    series, span = _series_id(db, device, kind, names), (start_ms, end_ms)
    rows: list[_Row] = []
    if series is not None:
        rows = sorted(_hours(db, series, kind, span) + _raw(db, series, kind, span), key=itemgetter(0))
    total = len(rows)
    if total > max_points:
        own = [4 + columns.index(name) for name in numbers(KINDS[kind])]
        rows = [rows[index] for index in extremes([[row[at] for row in rows] for at in own], max_points)]
    t, boot, uptime, flags, *values = (
        map(list, zip(*rows, strict=True)) if rows else ([] for _ in range(4 + len(columns)))
    )
    named = {name: column for name, column in zip(columns, values, strict=True) if any(v is not None for v in column)}
    return Points(kind, tuple(names), t, boot, uptime, flags, named, total)


def extremes(columns: Sequence[Sequence[float | None]], most: int) -> list[int]:
    """Which rows to keep of equally long columns: first, last, and per stretch each column's least and most.

    Gives at most `most` indices (at least 2 + 2 a column), in order.
    """
    length = len(columns[0])
    spoken = [column for column in columns if any(value is not None for value in column)]
    stretches = max(1, (most - 2) // (2 * max(1, len(spoken))))
    size = -(-length // stretches)
    kept = {0, length - 1}
    for column in spoken:
        padded = np.full(stretches * size, np.nan)
        padded[:length] = np.array(column, dtype=float)
        table = padded.reshape(stretches, size)
        known = np.flatnonzero(~np.isnan(table).all(axis=1))
        for pick in (np.nanargmin, np.nanargmax):
            kept.update((known * size + pick(table[known], axis=1)).tolist())
    return sorted(kept)


def _series_id(db: sqlite3.Connection, device: str, kind: str, names: Sequence[str]) -> int | None:
    key = (device, kind, msgspec.json.encode(tuple(names)).decode())
    row = db.execute("SELECT id FROM series WHERE device = ? AND kind = ? AND names = ?", key).fetchone()
    return row[0] if row else None


def _raw(db: sqlite3.Connection, series: int, kind: str, span_ms: tuple[int, int]) -> list[_Row]:
    columns = ", ".join(("t", "boot", "uptime", "flags", *fields(KINDS[kind])))
    return db.execute(
        f"SELECT {columns} FROM {kind} WHERE series = ? AND t BETWEEN ? AND ? ORDER BY t",  # noqa: S608 - names of ours
        (series, *span_ms),
    ).fetchall()


def _hours(db: sqlite3.Connection, series: int, kind: str, span_ms: tuple[int, int]) -> list[_Row]:
    """Three points an hour; text fields are not rolled up."""
    start, end = span_ms
    made = []
    for which, time in (("least", "t"), ("most", f"t + {HOUR_MS // 2}"), ("last", "last_t")):
        values = ", ".join(f"{name}_{which}" if name in KINDS[kind].numbers else "NULL" for name in fields(KINDS[kind]))
        made += db.execute(
            f"SELECT {time} AS at, boot, NULL, 0, {values} FROM {hourly(kind)} "  # noqa: S608 - names of ours
            "WHERE series = ? AND t > ? AND t <= ? AND at BETWEEN ? AND ?",
            (series, start - HOUR_MS, end, start, end),
        ).fetchall()
    return made
