"""Least used memory by spans of time, for every series at once: the ground that detectors look at. Pure, by column.

Level k holds the last 32 buckets of WIDTHS_MS[k] each; a bucket holds the least value seen in it, NaN when none was.
Memory per series: 7 levels x 32 buckets x 4 bytes and little more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from collector.judge.expression import Numbers
from collector.judge.series import Rows, grown

WIDTHS_MS = (5_000, 20_000, 80_000, 320_000, 1_280_000, 5_120_000, 20_480_000)
BUCKETS = 32
_FELL_TO = 0.9
"""A fall of used memory to less than this part of its last peak ends a rise."""


class History:
    """Buckets of all rows of one table. `rise` is the peak since the last fall, `ceiling` the highest before one."""

    def __init__(self) -> None:
        levels = len(WIDTHS_MS)
        self.least: npt.NDArray[np.float32] = np.zeros((0, levels, BUCKETS), dtype=np.float32)
        self.newest: npt.NDArray[np.int64] = np.zeros((0, levels), dtype=np.int64)
        self.peaks: npt.NDArray[np.float64] = np.zeros((0, 2))

    def make_room(self, capacity: int) -> None:
        """Have buckets for that many rows."""
        if len(self.newest) < capacity:
            self.least = grown(self.least, capacity, np.nan)
            self.newest = grown(self.newest, capacity, -1)
            self.peaks = grown(self.peaks, capacity, np.nan)

    def forget(self, row: int) -> None:
        """A new boot: the heap begins anew."""
        self.least[row], self.newest[row], self.peaks[row] = np.nan, -1, np.nan

    def ceiling(self, rows: Rows) -> Numbers:
        """The highest peak from which used memory fell again; NaN when it never did."""
        ceilings: Numbers = self.peaks[rows, 1]
        return ceilings

    def add(self, rows: Rows, times: npt.NDArray[np.int64], used: Numbers) -> list[Rows]:
        """Take in samples in the order of their arrival; for each level the rows that closed a bucket."""
        unique, least = self._note_peaks(rows, used)
        closed = []
        for level, width in enumerate(WIDTHS_MS):
            buckets = times // width
            if buckets.min() == buckets.max():  # nearly always, but for backlogs
                closed.append(self._fold(level, int(buckets[0]), unique, least))
                continue
            parts = []
            for bucket in np.unique(buckets):
                chosen = buckets == bucket
                parts.append(self._fold(level, int(bucket), *_least_by_row(rows[chosen], used[chosen])))
            closed.append(np.unique(np.concatenate(parts)))
        return closed

    def windows(self, rows: Rows, level: int) -> Numbers:
        """The closed buckets of a level, oldest first: one line a row, BUCKETS - 1 wide."""
        ages = np.arange(BUCKETS - 1, 0, -1)
        slots = (self.newest[rows, level][:, None] - ages) % BUCKETS
        windows: Numbers = self.least[rows[:, None], level, slots].astype(np.float64)
        return windows

    def _fold(self, level: int, bucket: int, unique: Rows, least: Numbers) -> Rows:
        newest = self.newest[unique, level]
        in_order = newest <= bucket
        unique, least, newest = unique[in_order], least[in_order], newest[in_order]
        ahead = newest < bucket
        passed = np.where(newest < 0, BUCKETS, np.minimum(bucket - newest, BUCKETS))
        for step in range(int(passed[ahead].max(initial=0))):
            self.least[unique[ahead & (passed > step)], level, (bucket - step) % BUCKETS] = np.nan
        self.newest[unique, level] = bucket
        slot = bucket % BUCKETS
        self.least[unique, level, slot] = np.fmin(self.least[unique, level, slot], least)
        closed: Rows = unique[ahead & (newest >= 0)]
        return closed

    def _note_peaks(self, rows: Rows, used: Numbers) -> tuple[Rows, Numbers]:
        """Follow rises and falls; the rows, each once, and the least of each."""
        unique, inverse = np.unique(rows, return_inverse=True)
        lowest, highest, last = np.full(len(unique), np.inf), np.full(len(unique), -np.inf), np.zeros(len(unique))
        np.minimum.at(lowest, inverse, used)
        np.maximum.at(highest, inverse, used)
        last[inverse] = used
        rise, ceiling = self.peaks[unique].T
        rise = np.fmax(rise, highest)
        fell = lowest < _FELL_TO * rise
        self.peaks[unique, 1] = np.where(fell, np.fmax(ceiling, rise), ceiling)
        self.peaks[unique, 0] = np.where(fell, last, rise)
        return unique, lowest


def _least_by_row(rows: Rows, used: Numbers) -> tuple[Rows, Numbers]:
    unique, inverse = np.unique(rows, return_inverse=True)
    least = np.full(len(unique), np.inf)
    np.minimum.at(least, inverse, used)
    return unique, least
