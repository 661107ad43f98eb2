"""What one boot of a device says of one thing: its level, its peak, its growth. For comparing firmware."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import msgspec
import numpy as np
import numpy.typing as npt

from telemetry.wire import flag_bits

Numbers = npt.NDArray[np.float64]

_COLUMNS: Mapping[str, str] = {
    "process": "coalesce(user_mode, peak_user_mode), NULL, NULL",
    "heap": "used, size, free",
    "task": "current, NULL, NULL",
    "stack": "max_used, size, min_free",
    "pool": "used, size, blocks_free * block_size",
}
"""What is used, of how much, and what is left, bytes, in the rows of a kind. The size need be said once a boot. Parts
of a heap are left out: what one of them has more, another may have less."""

_PART = flag_bits(["part"])
_WARM_UP_MS = 600_000
_LEAST_SPAN_MS = 1_800_000
_LEAST_SAMPLES = 8
_PARTS = 40
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Boot:
    """Samples of used memory of one thing during one boot, after start-up: wall ms, ms since the boot began, and bytes.

    `size` is of how many bytes, None where that was not said. `is_free` where neither it nor what is used was ever said
    but only what is left: used is then less than nothing by that, which leaves every difference what it is.
    """

    device: str
    kind: str
    names: tuple[str, ...]
    boot: int
    times: Numbers
    ages: Numbers
    used: Numbers
    size: int | None = None
    is_free: bool = False

    def between(self, first_ms: float, last_ms: float) -> Boot:
        """What was seen of it at these ages."""
        seen = (self.ages >= first_ms) & (self.ages <= last_ms)
        return replace(self, times=self.times[seen], ages=self.ages[seen], used=self.used[seen])

    def as_free(self) -> Boot:
        """As one that tells only what is left, of a size that is known."""
        return replace(self, used=self.used - (self.size or 0), is_free=True)

    @property
    def is_enough(self) -> bool:
        """Whether there are samples enough for measures."""
        return len(self.used) >= _LEAST_SAMPLES

    def measures(self) -> dict[str, float]:
        """level and peak in bytes, growth in bytes/hour; what so few samples cannot say is left out."""
        if not self.is_enough:
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
        if kind in _COLUMNS:
            yield from _boots(db, id_, (device, kind, tuple(msgspec.json.decode(names))), span_ms)


def firmware_of_boots(db: sqlite3.Connection) -> dict[str, dict[int, str]]:
    """The firmware that each device ran in each of its boots, as far as it was told."""
    found: dict[str, dict[int, str]] = {}
    for device, boot, firmware in db.execute("SELECT device, boot, firmware FROM boots"):
        found.setdefault(device, {})[boot] = firmware
    return found


def boards_of_devices(db: sqlite3.Connection) -> dict[str, str]:
    """The board that each device is, as far as it was told."""
    return dict(db.execute("SELECT device, coalesce(json_extract(texts, '$.board'), '') FROM abouts"))


def _boots(
    db: sqlite3.Connection, series: int, of: tuple[str, str, tuple[str, ...]], span_ms: tuple[int, int]
) -> Iterator[Boot]:
    device, kind, names = of
    rows = db.execute(
        f"SELECT boot, t, uptime, {_COLUMNS[kind]} FROM {kind} "  # noqa: S608 - names of ours
        "WHERE series = ? AND t BETWEEN ? AND ? AND NOT flags & ? ORDER BY boot, t",
        (series, *span_ms, _PART),
    ).fetchall()
    for number, of_boot in groupby(rows, itemgetter(0)):
        told = np.array(list(of_boot), dtype=float)  # what was not told becomes NaN
        times, used, sizes = told[:, 1], told[:, 3], told[:, 4]
        is_free = bool(np.isnan(used).all() and np.isnan(sizes).all())
        used = np.where(np.isnan(used), (0.0 if is_free else _held(sizes)) - told[:, 5], used)
        known = np.flatnonzero(~np.isnan(used))
        if len(known):
            started = times[0] - np.nan_to_num(told[0, 2])
            kept = known[times[known] - started >= _warm_up_ms(times[known[-1]] - started)]
            said = sizes[~np.isnan(sizes)]
            size = int(said[-1]) if len(said) else None
            yield Boot(device, kind, names, number, times[kept], times[kept] - started, used[kept], size, is_free)


def _held(sizes: Numbers) -> Numbers:
    """What was said stays; it holds for what came before it was said at first, too."""
    known = np.flatnonzero(~np.isnan(sizes))
    if not len(known):
        return sizes
    held: Numbers = sizes[known[np.maximum(0, np.searchsorted(known, np.arange(len(sizes)), side="right") - 1)]]
    return held


def _warm_up_ms(span_ms: int) -> float:
    """Start-up is left out: ten minutes, or a tenth of a short boot."""
    return min(_WARM_UP_MS, span_ms / 10)
