"""What a series looked like, by spans of time, for every series at once: the ground that detectors look at. By column.

Level k holds the last 32 buckets of WIDTHS_MS[k] each; a bucket holds the least value seen in it, NaN when none was.
Those of hours hold, of used memory, the least that two samples in a row did not exceed: one that happens to see the
moment in which a connection is made anew would else stand for half a day.
The first layer is used memory; a heap has a second: what lies outside of its largest free block; a process too: what
the kernel holds for it. Beside the buckets stand a few marks of the boot (`marks.py`), and the shapes of the boots
before it, each as points of used memory over uptime: the medians of three parts of it, and its newest sample.
Memory a series: 1 KiB a layer and half a KiB, and that of `blocks.py` where samples come every few seconds; nothing
grows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from collector.judge.detectors.blocks import Blocks
from collector.judge.detectors.dips import without_dips, without_dips_at_ends
from collector.judge.detectors.marks import (
    BOOTS,
    BOOTS_END,
    BORN_MS,
    CEILING,
    GAVE_BACK,
    KNOWN_MS,
    KNOWN_TO,
    LAST,
    LAST_MS,
    MARKS,
    PEAKS,
    PERIOD_MS,
    POINTS,
    REACHED,
    RISE,
    follow,
    or_0,
)
from collector.judge.detectors.shape import least_of_day
from collector.judge.expression import Numbers
from collector.judge.series import Rows, grown

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WIDTHS_MS = (5_000, 20_000, 80_000, 320_000, 1_280_000, 4_800_000, 3 * HOUR_MS, 12 * HOUR_MS)
"""The last two divide a day, so that the same hours of the day can be compared."""
BUCKETS = 32
_DAY_LEVELS = (6, 7)
"""The levels that tell the least of each 24 hours longest."""
_OFTEN_MS = 1_800_000
"""Of samples that stand no farther apart a bucket of hours has enough to pass one over."""
_FORGOTTEN_A_BUCKET = 0.9
"""What remains of the largest fall with each bucket of `_PEAK_LEVEL`."""
_PEAK_LEVEL, _LONG_LEVEL = 4, 5
_COARSER = 4
"""By how many times the buckets of the next level are longer, more or less."""
NIGHT_LEVEL, _FORGOTTEN_A_BOOT = 4, 0.8
"""The level whose window is as long as a night, or somewhat longer; what remains of a fall with each boot."""
_HELD_LEVELS, _HELD_SAMPLES = (2, 3), 6
"""What is given back within two buckets was not held: of the first level if a bucket gets so many samples there, else
of the second."""
STARTING_MS = 600_000
"""For so long at most after a boot programs take memory that they keep."""
_ALONE = 1.1
"""By how many times a bucket may be longer than samples stand apart, and still get but one of them, mostly."""
_SETTLED = 0.1
"""The part of all that its memory moved by which a boot that had settled rose in its later half, at most; and by which
the later half of one that breathed stood above its earlier half."""


class History:
    """Buckets (`least`), their newest numbers, and marks (`peaks`) of all rows of one table.

    `blocks` are of the last hours, where a night may be judged by them. `falls` where what programs took while they
    start may be given back: of a counter that never falls none of that time is looked at.
    """

    def __init__(self, layers: int = 1, *, by_night: bool = True, falls: bool = True) -> None:
        levels = len(WIDTHS_MS)
        self.least: npt.NDArray[np.float32] = np.zeros((0, layers, levels, BUCKETS), dtype=np.float32)
        self.newest: npt.NDArray[np.int64] = np.zeros((0, levels), dtype=np.int64)
        self.peaks: npt.NDArray[np.float64] = np.zeros((0, GAVE_BACK + 1))
        self.blocks = Blocks()
        self._by_night, self._falls = by_night, falls

    def make_room(self, capacity: int) -> None:
        """Have buckets for that many rows."""
        if len(self.newest) < capacity:
            self.least = grown(self.least, capacity, np.nan)
            self.newest = grown(self.newest, capacity, -1)
            self.peaks = grown(self.peaks, capacity, np.nan)
            self.blocks.make_room(capacity)

    def forget(self, row: int) -> None:
        """A new boot: the heap begins anew. What remains of the old one is its shape, and how far it fell."""
        self._remember_boot(row)
        fell = self.given_back(np.array([row]), np.array([NIGHT_LEVEL]))[0]
        self.peaks[row, GAVE_BACK] = np.fmax(fell, _FORGOTTEN_A_BOOT * self.peaks[row, GAVE_BACK])
        self.blocks.begin_boot(row, self.peaks[row, BORN_MS] + STARTING_MS)
        self.least[row], self.newest[row] = np.nan, -1
        self.peaks[row, :MARKS] = np.nan

    def boots(self, rows: Rows) -> Numbers:
        """The boots before this one, newest first: rows x BOOTS x POINTS x (uptime ms, used), NaN where none."""
        return self.peaks[rows, MARKS:BOOTS_END].reshape(len(rows), BOOTS, POINTS, 2)

    def stood_at(self, row: int) -> float:
        """The highest that a boot stood at in the first half of what was heard of it, for as long as a bucket, bytes;
        NaN where that half was shorter than an hour: programs may take for as long what they keep."""
        uptimes, used = self._whole(row)
        half = len(used) // 2
        if half == 0 or uptimes[half] - uptimes[0] < HOUR_MS:
            return np.nan
        return float(used[:half].max())

    def mark(self, rows: Rows, which: int) -> Numbers:
        """One of the marks."""
        marks: Numbers = self.peaks[rows, which]
        return marks

    def add(
        self, rows: Rows, times: npt.NDArray[np.int64], values: Numbers, uptimes: Numbers | None = None
    ) -> tuple[Rows, Rows]:
        """Take in samples; the rows that closed buckets, and the level of each.

        `values` has a line a sample and a column a layer; `uptimes` are milliseconds, NaN where unknown.
        """
        if (np.diff(rows) <= 0).any():
            order = np.lexsort((times, rows))
            rows, times, values = rows[order], times[order], values[order]
            uptimes = None if uptimes is None else uptimes[order]
        if self._by_night:
            self.blocks.add(rows, times, values[:, 0], self.peaks[rows, LAST_MS])
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        unique = rows[starts]
        of_hours = self._held_twice(rows, starts, times, values)
        marks = self.peaks[unique, :MARKS].T.copy()  # a line a mark
        follow(marks, starts, times, values[:, 0], uptimes, self.held(unique))
        self.peaks[unique, :MARKS] = marks.T
        add = self._add_one_each if len(starts) == len(rows) else self._add_to_levels
        closed = add(rows, times, values, of_hours)
        self.peaks[closed[0][closed[1] == _PEAK_LEVEL], PEAKS] *= _FORGOTTEN_A_BUCKET
        return closed

    def highest_before(self, rows: Rows, levels: Rows, begins_ms: Numbers | None = None, *, layer: int = 0) -> Numbers:
        """The highest of the buckets of all coarser levels that lie before the window of this one, or before that time;
        NaN where none."""
        widths = np.array(WIDTHS_MS)
        if begins_ms is None:
            begins_ms = ((self.newest[rows, levels] - BUCKETS + 1) * widths[levels]).astype(np.float64)
        numbers = self.newest[rows][:, :, None] - np.arange(BUCKETS - 1, 0, -1)
        values = np.take_along_axis(self.least[rows, layer], numbers % BUCKETS, axis=2)
        coarser = np.arange(len(widths)) > levels[:, None]
        before = ((numbers + 1) * widths[:, None] <= begins_ms[:, None, None]) & coarser[:, :, None]
        highest: Numbers = np.fmax.reduce(np.where(before, values, np.nan), axis=(1, 2)).astype(np.float64)
        return highest

    def least_since(self, rows: Rows, since_ms: Numbers) -> Numbers:
        """The least of the closed buckets of hours that end after that time; NaN where there are none."""
        least = np.full(len(rows), np.nan)
        for level in _DAY_LEVELS:
            levels, width_ms = np.full(len(rows), level), WIDTHS_MS[level]
            ends_ms = self.begin_open_ms(rows, levels)[:, None] - np.arange(BUCKETS - 2, -1, -1) * width_ms
            later = np.where(ends_ms > since_ms[:, None], self.windows(rows, levels), np.nan)
            least = np.fmin(least, np.fmin.reduce(later, axis=1))
        return least

    def highest_day_before(self, rows: Rows, levels: Rows, layer: int = 0) -> Numbers:
        """The highest least value of any 24 hours before the window of this level; NaN where there are none."""
        begins_ms = (self.newest[rows, levels] - BUCKETS + 1) * np.array(WIDTHS_MS)[levels]
        highest = np.full(len(rows), np.nan)
        for level in _DAY_LEVELS:
            longer, width_ms = np.full(len(rows), level), WIDTHS_MS[level]
            days = least_of_day(self.windows(rows, longer, layer), DAY_MS // width_ms)
            ages_ms = np.arange(days.shape[1] - 1, -1, -1) * width_ms
            before = self.begin_open_ms(rows, longer)[:, None] - ages_ms <= begins_ms[:, None]
            highest = np.fmax(highest, np.fmax.reduce(np.where(before, days, np.nan), axis=1))
        return highest

    def given_back(self, rows: Rows, levels: Rows, layer: int = 0, *, until_ms: Numbers | None = None) -> Numbers:
        """The largest fall of the least values within as long as the window of this level is, bytes; NaN where nothing
        longer is kept.

        It is looked for where buckets are four times as long, mostly, so in three windows before this one, too; or up
        to that time only.
        """
        last = len(WIDTHS_MS) - 1
        of_coarser = np.minimum(levels + 1, last)
        coarser = self.windows(rows, of_coarser, layer)
        if until_ms is not None:
            ages = np.arange(BUCKETS - 2, -1, -1) * np.array(WIDTHS_MS)[of_coarser][:, None]
            ends_ms = self.begin_open_ms(rows, of_coarser)[:, None] - ages
            coarser = np.where(ends_ms <= until_ms[:, None], coarser, np.nan)
        falls = [coarser[:, :-apart] - coarser[:, apart:] for apart in range(1, BUCKETS // _COARSER + 1)]
        largest: Numbers = np.fmax.reduce([np.fmax.reduce(fall, axis=1) for fall in falls])
        return np.where(levels < last, np.fmax(0, largest), np.nan)

    def heard_since_ms(self, rows: Rows) -> Numbers:
        """Since when this boot has been heard, to within 80 minutes: the end of the oldest bucket of the long levels,
        which of a short boot is yet to come: it counts as not heard.

        The boot may be older by far, but what it did before nobody knows.
        """
        widths = np.array(WIDTHS_MS[_LONG_LEVEL:])
        numbers = self.newest[rows, _LONG_LEVEL:, None] - np.arange(BUCKETS)
        known = np.isfinite(np.take_along_axis(self.least[rows, 0, _LONG_LEVEL:], numbers % BUCKETS, axis=2))
        ends: Numbers = np.min(np.where(known, (numbers + 1) * widths[:, None], np.inf), axis=(1, 2))
        return np.fmin(ends, self.mark(rows, LAST_MS))

    def begin_open_ms(self, rows: Rows, levels: Rows) -> Numbers:
        """When the bucket began that comes after the window of each row on that level."""
        widths = np.array(WIDTHS_MS)[levels]
        began: Numbers = ((self.newest[rows, levels] + self._stands_alone(rows, levels)) * widths).astype(np.float64)
        return began

    def windows(self, rows: Rows, levels: Rows, layer: int = 0) -> Numbers:
        """The closed buckets of a level for each row, oldest first: one line a row, BUCKETS - 1 wide.

        Where samples stand as far apart as buckets are long, the open one has all it will get and counts as closed.
        Those that begin as the boot does are left out: programs take memory while they start, of counters that never
        fall for good.
        """
        newest = self.newest[rows, levels] + self._stands_alone(rows, levels)
        widths = np.array(WIDTHS_MS)[levels]
        lines = (rows * self.least.shape[1] + layer) * len(WIDTHS_MS) + levels
        slots = (newest[:, None] + np.arange(1, BUCKETS)) & (BUCKETS - 1)
        windows: Numbers = self.least.reshape(-1).take(lines[:, None] * BUCKETS + slots).astype(np.float64)
        starting_ms = np.minimum(widths, STARTING_MS) if self._falls else STARTING_MS
        starting = np.ceil((or_0(self.peaks[rows, BORN_MS]) + starting_ms) / widths) - newest + BUCKETS - 1
        young = np.flatnonzero(starting > 0)
        if len(young):
            windows[young] = np.where(np.arange(BUCKETS - 1) < starting[young, None], np.nan, windows[young])
        return without_dips(windows)

    def went_on(self, windows: Numbers, rows: Rows, levels: Rows, layer: int = 0) -> Numbers:
        """These windows, with no dips at their ends, either: what they went on with."""
        slots = self.newest[rows, levels] & (BUCKETS - 1)
        after = self.least[rows, layer, levels, slots].astype(np.float64)
        return without_dips_at_ends(windows, np.where(self._stands_alone(rows, levels), np.nan, after))

    def held(self, rows: Rows) -> npt.NDArray[np.float32]:
        """What is held of late: the least of some minutes, of six samples or more; NaN where nothing was seen."""
        levels = self._levels_of_held(rows)
        slots = (self.newest[rows, levels][:, None] - np.arange(2)) & (BUCKETS - 1)
        held: npt.NDArray[np.float32] = np.fmin.reduce(self.least[rows[:, None], 0, levels[:, None], slots], axis=1)
        return held

    def held_from_ms(self, rows: Rows) -> Numbers:
        """When those minutes began."""
        levels = self._levels_of_held(rows)
        began: Numbers = ((self.newest[rows, levels] - 1) * np.array(WIDTHS_MS)[levels]).astype(np.float64)
        return began

    def _levels_of_held(self, rows: Rows) -> Rows:
        often = _HELD_SAMPLES * self.peaks[rows, PERIOD_MS] <= WIDTHS_MS[_HELD_LEVELS[0]]
        return np.where(often, *_HELD_LEVELS)

    def moved(self, rows: Rows, levels: Rows, layer: int = 0) -> npt.NDArray[np.bool_]:
        """Whether the buckets of that level hold more than one value."""
        lines = (rows * self.least.shape[1] + layer) * len(WIDTHS_MS) + levels
        buckets = self.least.reshape(-1, BUCKETS).take(lines, axis=0).T.copy()  # side by side: compared many at once
        moved: npt.NDArray[np.bool_] = np.fmax.reduce(buckets) > np.fmin.reduce(buckets)
        return moved

    def _stands_alone(self, rows: Rows, levels: Rows) -> npt.NDArray[np.bool_]:
        """Whether a bucket of that level gets one sample of each row."""
        alone: npt.NDArray[np.bool_] = np.array(WIDTHS_MS)[levels] <= _ALONE * self.peaks[rows, PERIOD_MS]
        return alone

    def samples(self, rows: Rows, levels: Rows) -> Numbers:
        """All buckets of a level for each row, also the open one and, of what falls, that in which the boot began."""
        numbers = self.newest[rows, levels][:, None] - np.arange(BUCKETS - 1, -1, -1)
        samples: Numbers = self.least[rows[:, None], 0, levels[:, None], numbers % BUCKETS].astype(np.float64)
        if not self._falls:
            started_ms = or_0(self.peaks[rows, BORN_MS]) + STARTING_MS
            samples[numbers * np.array(WIDTHS_MS)[levels][:, None] < started_ms[:, None]] = np.nan
        return samples

    def _held_twice(self, rows: Rows, starts: Rows, times: npt.NDArray[np.int64], values: Numbers) -> Numbers:
        """The values, of which those of used memory are no lower than that of the sample just before each."""
        before, before_ms = np.append(np.nan, values[:-1, 0]), np.append(np.nan, times[:-1])
        before[starts], before_ms[starts] = self.peaks[rows[starts], LAST], self.peaks[rows[starts], LAST_MS]
        held = values.copy()
        held[:, 0] = np.fmax(values[:, 0], np.where(times - before_ms <= _OFTEN_MS, before, np.nan))
        return held

    def _add_one_each(
        self, rows: Rows, times: npt.NDArray[np.int64], values: Numbers, of_hours: Numbers
    ) -> tuple[Rows, Rows]:
        """What `_add_to_levels` does, where no row has more than one sample, as in most ticks: a line a row."""
        buckets = (times // np.array(WIDTHS_MS)[:, None]).T.copy()
        before = self.newest[rows]
        opens, in_order = buckets > before, buckets >= before
        places, levels = np.nonzero(opens & (buckets != before + 1))
        self._blank(rows[places], levels, buckets[places, levels], before[places, levels])
        of_layers, layers = self.least.reshape(-1), self.least.shape[1]
        slots = np.arange(len(WIDTHS_MS)) * BUCKETS + (buckets & (BUCKETS - 1))
        for layer in range(layers):
            cells = (rows * layers + layer)[:, None] * (len(WIDTHS_MS) * BUCKETS) + slots
            held, own = of_layers.take(cells), np.repeat(values[:, layer, None].astype(np.float32), len(WIDTHS_MS), 1)
            own[:, _DAY_LEVELS] = of_hours[:, layer, None]
            least = np.where(opens, own, np.fmin(held, own))
            lower = in_order & (least != held)  # few: most cells are read, and stay as they are
            of_layers[cells[lower]] = least[lower]
        self.newest[rows] = np.maximum(before, buckets)
        levels, places = np.nonzero((opens & (before >= 0)).T)
        return rows[places], levels

    def _add_to_levels(
        self, rows: Rows, times: npt.NDArray[np.int64], values: Numbers, of_hours: Numbers
    ) -> tuple[Rows, Rows]:
        """Group sorted samples by row, level and bucket, and put the least of each group into its bucket."""
        buckets = times // np.array(WIDTHS_MS)[:, None]
        new_row = np.diff(rows, prepend=-1) != 0
        starts = np.flatnonzero(new_row | (np.diff(buckets, prepend=-1) != 0))
        levels, places = starts // len(rows), starts % len(rows)
        of_levels = [of_hours if level in _DAY_LEVELS else values for level in range(len(WIDTHS_MS))]
        least = np.fmin.reduceat(np.concatenate(of_levels), starts, axis=0)
        return self._fold(rows[places], levels, buckets.ravel()[starts], least)

    def _fold(self, rows: Rows, levels: Rows, buckets: Rows, least: Numbers) -> tuple[Rows, Rows]:
        """Put least values into buckets, given by level, row and time; the rows and levels of which one was closed.

        What is passed over is blank; what is older than the newest bucket of its level comes too late for it.
        """
        in_order = buckets >= self.newest[rows, levels]
        rows, levels, buckets, least = rows[in_order], levels[in_order], buckets[in_order], least[in_order]
        if not len(rows):
            return rows, levels
        firsts = np.flatnonzero((np.diff(rows, prepend=-1) != 0) | (np.diff(levels, prepend=-1) != 0))
        lasts = np.append(firsts[1:], len(rows)) - 1
        row, level, newest = rows[firsts], levels[firsts], buckets[lasts]
        before = self.newest[row, level]
        self._blank(row, level, newest, before)
        self.newest[row, level] = newest
        held = buckets > np.repeat(newest, lasts - firsts + 1) - BUCKETS
        rows, levels, slots = rows[held], levels[held], buckets[held] % BUCKETS
        self.least[rows, :, levels, slots] = np.fmin(self.least[rows, :, levels, slots], least[held])
        closed = newest > np.where(before < 0, buckets[firsts], before)
        return row[closed], level[closed]

    def _blank(self, row: Rows, level: Rows, newest: Rows, before: Rows) -> None:
        """Blank the buckets that are passed over on the way from the one before (-1: none) to the newest."""
        passed = np.where(before < 0, BUCKETS, np.minimum(newest - before, BUCKETS))
        self.least[row[passed >= BUCKETS], :, level[passed >= BUCKETS]] = np.nan
        which, ages = np.nonzero(np.arange(BUCKETS) < np.where(passed < BUCKETS, passed, 0)[:, None])
        self.least[row[which], :, level[which], (newest[which] - ages) % BUCKETS] = np.nan

    def _whole(self, row: int) -> tuple[Numbers, Numbers]:
        """The boot of a row, or its last two weeks, by the shortest buckets that hold it: the uptime (ms) of the middle
        of each that is known and closed, and the least used bytes in it, oldest first."""
        born_ms = self.peaks[row, BORN_MS]
        level = int(np.searchsorted(np.array(WIDTHS_MS) * (BUCKETS - 1), self.peaks[row, LAST_MS] - born_ms))
        level = min(level, len(WIDTHS_MS) - 1)
        width, newest = WIDTHS_MS[level], int(self.newest[row, level])
        numbers = np.arange(newest - BUCKETS + 1, newest + 1)
        least = self.least[row, 0, level, numbers % BUCKETS].astype(np.float64)
        known = np.flatnonzero(np.isfinite(least))[:-1]
        return numbers[known] * width + width / 2 - born_ms, least[known]

    def _remember_boot(self, row: int) -> None:
        """Keep the ended boot as points: the medians of its parts, and the newest sample."""
        last_ms, born_ms = self.peaks[row, LAST_MS], self.peaks[row, BORN_MS]
        if np.isnan(last_ms):
            return
        uptimes, used = self._whole(row)
        self._remember_reached(row, used)
        points = np.full((POINTS, 2), np.nan)
        points[-1] = last_ms - born_ms, self.peaks[row, LAST]
        if len(used):
            parts = np.array_split(np.arange(len(used)), min(len(used), POINTS - 1))
            points[: len(parts)] = [(max(0.0, np.median(uptimes[part])), np.median(used[part])) for part in parts]
        ring = self.peaks[row, MARKS:BOOTS_END].copy()
        self.peaks[row, MARKS:BOOTS_END] = np.concatenate([points.ravel(), ring[: -2 * POINTS]])

    def _remember_reached(self, row: int, used: Numbers) -> None:
        """Keep how high an ended boot came, by its buckets, where it had settled: another may fill up as far. One that
        still grew may have leaked; but if it had stood as high before, it is known what goes on there."""
        marks = self.peaks[row]
        if len(used) < POINTS:
            return
        highest, half = np.fmax(marks[RISE], marks[CEILING]), len(used) // 2
        most = _SETTLED * (highest - used.min())
        settled, breathed = used[-1] - used[half] <= most, used[half:].max() - used[:half].max() <= most
        if settled:
            marks[REACHED] = np.fmax(marks[REACHED], highest)
        if settled or breathed:
            marks[KNOWN_TO] = np.fmax(marks[KNOWN_TO], highest)
            marks[KNOWN_MS] = or_0(marks[KNOWN_MS]) + marks[LAST_MS] - self.heard_since_ms(np.array([row]))[0]
