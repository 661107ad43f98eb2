"""What one boot of a device says of one thing: its level, its peak, its growth. For comparing firmware."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

_USED: Mapping[str, str] = {
    "process": "coalesce(user_mode, peak_user_mode)",
    "heap": "coalesce(used, size - free)",
    "task": "current",
    "stack": "coalesce(max_used, size - min_free)",
    "pool": "coalesce(used, size - blocks_free * block_size)",
}
"""How used memory is read off the rows of a kind, bytes."""

_WARM_UP_MS = 600_000
_LEAST_SPAN_MS = 1_800_000
_LEAST_SAMPLES = 8
_PARTS = 40
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Boot:
    """Samples of used memory of one thing during one boot, after start-up: wall ms and bytes."""

    device: str
    kind: str
    names: tuple[str, ...]
    boot: int
    times: Numbers
    used: Numbers

    def measures(self) -> dict[str, float]:
        """level and peak in bytes, growth in bytes/hour; what so few samples cannot say is left out."""
        if len(self.used) < _LEAST_SAMPLES:
            return {}
        found = {"level": float(np.median(self.used)), "peak": float(self.used.max())}
        if self.times[-1] - self.times[0] >= _LEAST_SPAN_MS:
            found["growth"] = self._growth()
        return found

    def _growth(self) -> float:
        """The median slope (Theil 1950, Sen 1968) of the least used memory in each of up to 40 parts."""
        parts = min(_PARTS, len(self.used) // 2)
        cuts = np.linspace(0, len(self.used), parts + 1).astype(int)[:-1]
        least = np.minimum.reduceat(self.used, cuts)
        times = self.times[cuts]
        i, j = np.triu_indices(parts, 1)
        return float(np.median((least[j] - least[i]) / (times[j] - times[i]))) * _HOUR_MS


def boots_of(db: sqlite3.Connection, devices: Sequence[str], span_ms: tuple[int, int]) -> Iterator[Boot]:
    """All boots of all growing things of these devices in that time."""
    marks = ", ".join("?" * len(devices))
    listed = db.execute(
        f"SELECT id, device, kind, names FROM series WHERE device IN ({marks}) ORDER BY device, id",  # noqa: S608 - question marks
        list(devices),
    ).fetchall()
    for id_, device, kind, names in listed:
        if kind in _USED:
            yield from _boots(db, id_, (device, kind, tuple(msgspec.json.decode(names))), span_ms)


def firmware_of_boots(db: sqlite3.Connection) -> dict[str, dict[int, str]]:
    """The firmware that each device ran in each of its boots, as far as it was told."""
    found: dict[str, dict[int, str]] = {}
    for device, boot, firmware in db.execute("SELECT device, boot, firmware FROM boots"):
        found.setdefault(device, {})[boot] = firmware
    return found


def _boots(
    db: sqlite3.Connection, series: int, of: tuple[str, str, tuple[str, ...]], span_ms: tuple[int, int]
) -> Iterator[Boot]:
    device, kind, names = of
    rows = db.execute(
        f"SELECT boot, t, uptime, {_USED[kind]} AS taken FROM {kind} "  # noqa: S608 - names of ours
        "WHERE series = ? AND t BETWEEN ? AND ? AND taken IS NOT NULL ORDER BY boot, t",
        (series, *span_ms),
    ).fetchall()
    begin = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end][0] != rows[begin][0]:
            first = rows[begin]
            started = first[1] - (first[2] or 0)
            kept = [row for row in rows[begin:end] if row[1] - started >= _warm_up_ms(rows[end - 1][1] - started)]
            times, used = ([row[at] for row in kept] for at in (1, 3))
            yield Boot(device, kind, names, first[0], np.array(times, dtype=float), np.array(used, dtype=float))
            begin = end


def _warm_up_ms(span_ms: int) -> float:
    """Start-up is left out: ten minutes, or a tenth of a short boot."""
    return min(_WARM_UP_MS, span_ms / 10)
