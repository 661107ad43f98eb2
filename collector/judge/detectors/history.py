"""What a series looked like, by spans of time, for every series at once: the ground that detectors look at. By column.

Level k holds the last 32 buckets of WIDTHS_MS[k] each; a bucket holds the least value seen in it, NaN when none was.
The first layer is used memory; a heap has a second: what lies outside of its largest free block. Beside the buckets
stand a few marks of the boot, and the shapes of the boots before it, each as four points of used memory over uptime.
Memory a series: 1 KiB a layer and half a KiB; nothing grows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from collector.judge.expression import Numbers
from collector.judge.series import Rows, grown

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WIDTHS_MS = (5_000, 20_000, 80_000, 320_000, 1_280_000, 4_800_000, 3 * HOUR_MS, 12 * HOUR_MS)
"""The last two divide a day, so that the same hours of the day can be compared."""
BUCKETS = 32
BOOTS, POINTS = 6, 4
"""How many boots are remembered, and by how many points each."""

_FELL_TO = 0.9
"""A fall of used memory to less than this part of its last peak ends a rise."""
_FORGOTTEN_A_BUCKET = 0.9
"""What remains of the height of peaks above the level with each bucket of `_PEAK_LEVEL`."""
_PEAK_LEVEL = 4

RISE, CEILING, LAST, LAST_MS, QUIET_MS, QUIET_SAMPLES, PEAKS, BORN_MS = range(8)
"""Marks: the peak since the last fall; the highest peak from which memory fell (kept over boots); the newest value and
its time; since when it never fell, and for how many samples; the height of peaks above the least value of their span;
when the boot began."""
MARKS = 8


class History:
    """Buckets (`least`), their newest numbers, and marks (`peaks`) of all rows of one table."""

    def __init__(self, layers: int = 1) -> None:
        levels = len(WIDTHS_MS)
        self.least: npt.NDArray[np.float32] = np.zeros((0, layers, levels, BUCKETS), dtype=np.float32)
        self.newest: npt.NDArray[np.int64] = np.zeros((0, levels), dtype=np.int64)
        self.peaks: npt.NDArray[np.float64] = np.zeros((0, MARKS + 2 * BOOTS * POINTS))

    def make_room(self, capacity: int) -> None:
        """Have buckets for that many rows."""
        if len(self.newest) < capacity:
            self.least = grown(self.least, capacity, np.nan)
            self.newest = grown(self.newest, capacity, -1)
            self.peaks = grown(self.peaks, capacity, np.nan)

    def forget(self, row: int) -> None:
        """A new boot: the heap begins anew. What remains of the old one is its shape."""
        self._remember_boot(row)
        self.least[row], self.newest[row] = np.nan, -1
        ceiling = self.peaks[row, CEILING]
        self.peaks[row, :MARKS] = np.nan
        self.peaks[row, CEILING] = ceiling

    def boots(self, rows: Rows) -> Numbers:
        """The boots before this one, newest first: rows x BOOTS x POINTS x (uptime ms, used), NaN where none."""
        return self.peaks[rows, MARKS:].reshape(len(rows), BOOTS, POINTS, 2)

    def mark(self, rows: Rows, which: int) -> Numbers:
        """One of the marks."""
        marks: Numbers = self.peaks[rows, which]
        return marks

    def add(
        self, rows: Rows, times: npt.NDArray[np.int64], values: Numbers, uptimes: Numbers | None = None
    ) -> list[Rows]:
        """Take in samples in the order of their arrival; for each level the rows that closed a bucket.

        `values` has a line a sample and a column a layer; `uptimes` are milliseconds, NaN where unknown.
        """
        self._note_marks(rows, times, values[:, 0], uptimes)
        closed = [self._add_to_level(level, rows, times // width, values) for level, width in enumerate(WIDTHS_MS)]
        self._note_peaks(rows, values[:, 0], closed[_PEAK_LEVEL])
        return closed

    def highest_before(self, rows: Rows, level: int) -> Numbers:
        """The highest of the buckets of all coarser levels that lie before the window of this one; NaN where none."""
        highest = np.full(len(rows), np.nan)
        begins_ms = (self.newest[rows, level] - BUCKETS + 1) * WIDTHS_MS[level]
        for coarser in range(level + 1, len(WIDTHS_MS)):
            numbers = self.newest[rows, coarser][:, None] - np.arange(BUCKETS - 1, 0, -1)
            values = self.least[rows[:, None], 0, coarser, numbers % BUCKETS]
            before = (numbers + 1) * WIDTHS_MS[coarser] <= begins_ms[:, None]
            highest = np.fmax(highest, np.fmax.reduce(np.where(before, values, np.nan), axis=1))
        return highest

    def _add_to_level(self, level: int, rows: Rows, buckets: Rows, values: Numbers) -> Rows:
        """One step for each row's first bucket, then its second, and so on: nearly always there is one."""
        order = np.lexsort((buckets, rows))
        rows, buckets = rows[order], buckets[order]
        starts = np.flatnonzero((np.diff(rows, prepend=-1) != 0) | (np.diff(buckets, prepend=-1) != 0))
        rows, buckets = rows[starts], buckets[starts]
        least = np.fmin.reduceat(values[order], starts, axis=0)
        firsts = np.flatnonzero(np.diff(rows, prepend=-1))
        ranks = np.arange(len(rows)) - np.repeat(firsts, np.diff(np.append(firsts, len(rows))))
        if not ranks.any():
            return self._fold(level, rows, buckets, least)
        parts = [
            self._fold(level, rows[chosen], buckets[chosen], least[chosen])
            for chosen in (ranks == rank for rank in range(int(ranks.max()) + 1))
        ]
        return np.unique(np.concatenate(parts))

    def windows(self, rows: Rows, level: int, layer: int = 0) -> Numbers:
        """The closed buckets of a level, oldest first: one line a row, BUCKETS - 1 wide."""
        ages = np.arange(BUCKETS - 1, 0, -1)
        slots = (self.newest[rows, level][:, None] - ages) % BUCKETS
        windows: Numbers = self.least[rows[:, None], layer, level, slots].astype(np.float64)
        return windows

    def _fold(self, level: int, rows: Rows, buckets: Rows, least: Numbers) -> Rows:
        """Put the least values into one bucket of each row; the rows that closed one. What is passed over is blank."""
        newest = self.newest[rows, level]
        in_order = newest <= buckets
        rows, buckets, least, newest = rows[in_order], buckets[in_order], least[in_order], newest[in_order]
        passed = np.where(newest < 0, BUCKETS, buckets - newest)
        self.least[rows[passed >= BUCKETS], :, level] = np.nan
        which, ages = np.nonzero(np.arange(BUCKETS) < np.where(passed < BUCKETS, passed, 0)[:, None])
        self.least[rows[which], :, level, (buckets[which] - ages) % BUCKETS] = np.nan
        self.newest[rows, level] = buckets
        slots = buckets % BUCKETS
        self.least[rows, :, level, slots] = np.fmin(self.least[rows, :, level, slots], least)
        closed: Rows = rows[(passed > 0) & (newest >= 0)]
        return closed

    def _note_marks(self, rows: Rows, times: npt.NDArray[np.int64], used: Numbers, uptimes: Numbers | None) -> None:
        """Follow rises and falls from sample to sample."""
        order = np.argsort(rows, kind="stable")
        rows, times, used = rows[order], times[order], used[order]
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        ends = np.append(starts[1:], len(rows)) - 1
        unique = rows[starts]
        marks = self.peaks[unique]
        before = np.append(0.0, used[:-1])
        before[starts] = marks[:, LAST]
        fell_ms = np.where(used < before, times, -np.inf)
        places = np.arange(len(rows))
        last_fall = np.maximum.reduceat(np.where(used < before, places, -1), starts)
        quiet_for = np.nan_to_num(marks[:, QUIET_SAMPLES]) + ends - starts + 1
        marks[:, QUIET_SAMPLES] = np.where(last_fall >= 0, ends - last_fall, quiet_for)
        since = np.where(np.isnan(marks[:, QUIET_MS]), times[starts], marks[:, QUIET_MS])
        marks[:, QUIET_MS] = np.maximum(since, np.maximum.reduceat(fell_ms, starts))
        highest, lowest = np.maximum.reduceat(used, starts), np.minimum.reduceat(used, starts)
        rise = np.fmax(marks[:, RISE], highest)
        fell = lowest < _FELL_TO * rise
        marks[:, CEILING] = np.where(fell, np.fmax(marks[:, CEILING], rise), marks[:, CEILING])
        marks[:, RISE] = np.where(fell, used[ends], rise)
        marks[:, LAST], marks[:, LAST_MS] = used[ends], times[ends]
        up = np.zeros(len(rows)) if uptimes is None else np.nan_to_num(uptimes[order])
        marks[:, BORN_MS] = np.where(np.isnan(marks[:, BORN_MS]), times[starts] - up[starts], marks[:, BORN_MS])
        self.peaks[unique] = marks

    def _note_peaks(self, rows: Rows, used: Numbers, closed: Rows) -> None:
        """How high used memory rises above the least value of its span: what a forecast has to leave room for."""
        self.peaks[closed, PEAKS] *= _FORGOTTEN_A_BUCKET
        level = self.least[rows, 0, _PEAK_LEVEL, self.newest[rows, _PEAK_LEVEL] % BUCKETS]
        np.fmax.at(self.peaks[:, PEAKS], rows, np.maximum(0, used - level))

    def _remember_boot(self, row: int) -> None:
        """Keep the ended boot as points: its oldest, two between, and the newest sample."""
        last_ms, born_ms = self.peaks[row, LAST_MS], self.peaks[row, BORN_MS]
        if np.isnan(last_ms):
            return
        level = int(np.searchsorted(np.array(WIDTHS_MS) * (BUCKETS - 1), last_ms - born_ms))
        level = min(level, len(WIDTHS_MS) - 1)
        width, newest = WIDTHS_MS[level], int(self.newest[row, level])
        numbers = np.arange(newest - BUCKETS + 1, newest + 1)
        least = self.least[row, 0, level, numbers % BUCKETS].astype(np.float64)
        known = np.flatnonzero(np.isfinite(least))[:-1]
        uptimes, used = numbers[known] * width + width / 2 - born_ms, least[known]
        points = np.full((POINTS, 2), np.nan)
        points[-1] = last_ms - born_ms, self.peaks[row, LAST]
        if len(known):
            chosen = np.unique(np.rint(np.linspace(0, len(known) - 1, POINTS)[:-1]).astype(np.int64))
            points[: len(chosen)] = np.stack([np.maximum(0, uptimes[chosen]), used[chosen]], axis=1)
        ring = self.peaks[row, MARKS:].copy()
        self.peaks[row, MARKS:] = np.concatenate([points.ravel(), ring[: -2 * POINTS]])
