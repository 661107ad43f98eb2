"""The last eight hours of series that are sampled every few seconds, five minutes a block: least used memory, and mean.

A night is judged by these; the buckets of `history.py` hold least values alone, of which clients that come and go leave
little. Only series whose samples come close together have blocks: 800 bytes each. Of the first thousand series of a
kind the samples themselves are kept too, one in ten seconds: 12 KB each. By column.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from collector.judge.expression import Numbers
from collector.judge.series import Rows, grown

WIDTH_MS = 300_000
BLOCKS = 96
"""The last of them is still open."""
CLOSE_MS = 15_000
"""Samples no farther apart are of a board that somebody watches."""

SLOT_MS = 10_000
SLOTS = WIDTH_MS // SLOT_MS
"""Samples of a block that are kept: the least of each slot."""
SAMPLED_ROWS = 1024
"""A desk has a few boards; of a fleet that speaks so often all samples would be a gigabyte."""

_FIRST_PLACES = 16
_NUMBER, _SUM, _COUNT, _SPARSE = range(4)
_BLANK = -1.0, 0.0, 0.0, 0.0
_FEW = WIDTH_MS // CLOSE_MS // 2
"""A block with fewer samples is sparse: they stand more than twice as far apart as samples of a watched board do."""
_MOST_SPARSE = 12
"""So many in a row are of no watched board. A gap, or a start, makes two."""


class Blocks:
    """Rings of blocks. A row gets a place in them with its first two samples that are close together, and loses it when
    samples have stood far apart for an hour: a reading that came twice makes no watched board.

    `least`, `mean`: places x BLOCKS bytes, NaN where nothing was seen; `newest`: places x (number of the newest block,
    sum and count of the samples in it, and how many before it were sparse in a row); `samples`: rows x BLOCKS x SLOTS
    bytes, of the first rows only. What a boot has left is kept for the next one, but for what it took to start.
    """

    def __init__(self) -> None:
        self.least: npt.NDArray[np.float32] = np.full((_FIRST_PLACES, BLOCKS), np.nan, dtype=np.float32)
        self.mean = self.least.copy()
        self.newest: npt.NDArray[np.float64] = np.tile(_BLANK, (_FIRST_PLACES, 1))
        self.samples: npt.NDArray[np.float32] = np.zeros((0, BLOCKS, SLOTS), dtype=np.float32)
        self._place_of: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._free = list(range(_FIRST_PLACES))
        self._closed: set[int] = set()

    def make_room(self, capacity: int) -> None:
        """Know that many rows."""
        if len(self._place_of) < capacity:
            self._place_of = grown(self._place_of, capacity, -1)

    def add(self, rows: Rows, times: Rows, used: Numbers, last_ms: Numbers) -> None:
        """Take in samples of bytes, those of a row together and in the order of time; `last_ms` is when its row had its
        newest sample before, NaN where it had none.

        What is older than the newest block of its row comes too late for it.
        """
        self._give_places(rows, times, last_ms)
        here = self._place_of[rows] >= 0
        rows, times, used = rows[here], times[here], used[here]
        if not len(rows):
            return
        numbers = times // WIDTH_MS
        in_time = numbers >= self.newest[self._place_of[rows], _NUMBER]
        new_row = np.diff(rows, prepend=-1) != 0
        starts = np.flatnonzero(new_row | (np.diff(numbers, prepend=-1) != 0))
        least, sums = np.fmin.reduceat(used, starts), np.add.reduceat(used, starts)
        counts = np.diff(np.append(starts, len(rows)))
        group_of_row = np.cumsum(new_row[starts]) - 1
        ranks = np.arange(len(starts)) - np.flatnonzero(new_row[starts])[group_of_row]
        for rank in range(int(ranks.max()) + 1):
            now = ranks == rank
            self._fold(rows[starts[now]], numbers[starts[now]], least[now], sums[now], counts[now])
        self._keep(rows[in_time], times[in_time], used[in_time])
        self._take_places(rows[starts])

    def take_closed(self) -> Rows:
        """The rows of which a block was closed since this was last asked."""
        closed = np.array(sorted(self._closed), dtype=np.int64)
        self._closed.clear()
        return closed

    def begin_boot(self, row: int, started_ms: float) -> None:
        """A new boot, after one that had started by then: what is older is forgotten, as is the block still open."""
        self._closed.discard(row)
        place = self._place_of[row]
        if place < 0:
            return
        numbers = self.newest[place, _NUMBER] - np.arange(BLOCKS)
        over = numbers[(numbers * WIDTH_MS < started_ms) | (np.arange(BLOCKS) == 0)].astype(np.int64) % BLOCKS
        self.least[place, over], self.mean[place, over] = np.nan, np.nan
        self.newest[place, [_SUM, _COUNT]] = 0.0
        if row < len(self.samples):
            self.samples[row, over] = np.nan

    def begin_ms(self, rows: Rows) -> Numbers:
        """When the oldest of the closed blocks of these rows begins; NaN of rows that have none."""
        places = self._place_of[rows]
        known = (places >= 0) & (self.newest[places, _NUMBER] >= 0)
        begins: Numbers = np.where(known, (self.newest[places, _NUMBER] - BLOCKS + 1) * WIDTH_MS, np.nan)
        return begins

    def closed(self, rows: Rows) -> tuple[Numbers, Numbers]:
        """Least values and means of the closed blocks of these rows, oldest first: rows x (BLOCKS - 1)."""
        places = self._place_of[rows]
        numbers = self.newest[places, _NUMBER].astype(np.int64)[:, None] - np.arange(BLOCKS - 1, 0, -1)
        known = (places >= 0)[:, None] & (numbers >= 0)
        slots = numbers % BLOCKS
        least, mean = (
            np.where(known, ring[places[:, None], slots], np.nan).astype(np.float64) for ring in (self.least, self.mean)
        )
        return least, mean

    def closed_samples(self, rows: Rows) -> npt.NDArray[np.float32]:
        """The samples of these blocks, NaN where none are known: rows x (BLOCKS - 1) x SLOTS (0: none kept)."""
        here = np.flatnonzero(rows < len(self.samples))
        here = here[self._place_of[rows[here]] >= 0]
        samples = np.full((len(rows), BLOCKS - 1, SLOTS if len(here) else 0), np.nan, dtype=np.float32)
        if len(here):
            newest = self.newest[self._place_of[rows[here]], _NUMBER].astype(np.int64)
            slots = (newest[:, None] - np.arange(BLOCKS - 1, 0, -1)) % BLOCKS
            samples[here] = self.samples[rows[here, None], slots]
        return samples

    def saved(self, rows: Rows) -> bytes:
        """What the disk has to hold of these rows: which of them have blocks, and those."""
        has = self._place_of[rows] >= 0
        places, sampled = self._place_of[rows[has]], rows[has & (rows < SAMPLED_ROWS)]
        parts = (has, self.newest[places], self.least[places], self.mean[places], self.samples[sampled])
        return b"".join(part.tobytes() for part in parts)

    def restore(self, rows: Rows, saved: bytes) -> None:
        """Put back what `saved` gave of these rows; what another version gave is left out."""
        has = np.frombuffer(saved[: len(rows)], dtype=np.bool_)
        if len(has) != len(rows):
            return
        sampled = rows[has & (rows < SAMPLED_ROWS)]
        shapes = [(int(has.sum()), *ring.shape[1:]) for ring in (self.newest, self.least, self.mean)]
        shapes.append((len(sampled), *self.samples.shape[1:]))
        types = [ring.dtype for ring in (self.newest, self.least, self.mean, self.samples)]
        sizes = [int(np.prod(shape)) * kind.itemsize for shape, kind in zip(shapes, types, strict=True)]
        if len(saved) != len(rows) + sum(sizes):
            return
        for row in rows[has].tolist():
            self._give_place(row)
        places, ends = self._place_of[rows[has]], len(rows) + np.cumsum(sizes)
        parts = [
            np.frombuffer(saved[end - size : end], kind).reshape(shape)
            for end, size, kind, shape in zip(ends.tolist(), sizes, types, shapes, strict=True)
        ]
        self.newest[places], self.least[places], self.mean[places], self.samples[sampled] = parts

    def _give_places(self, rows: Rows, times: Rows, last_ms: Numbers) -> None:
        """To rows whose samples came close together, among themselves or after the one before."""
        homeless = self._place_of[rows] < 0
        before = np.where(np.diff(rows, prepend=-1) != 0, last_ms, np.append(np.nan, times[:-1]))
        with np.errstate(invalid="ignore"):
            close = homeless & (times - before <= CLOSE_MS)
        for row in np.unique(rows[close]).tolist():
            self._give_place(row)

    def _give_place(self, row: int) -> None:
        if not self._free:
            taken = len(self.least)
            self._free = list(range(taken, 2 * taken))
            self.least, self.mean = (grown(ring, 2 * taken, np.nan) for ring in (self.least, self.mean))
            self.newest = np.concatenate([self.newest, np.tile(_BLANK, (taken, 1))])
        self._place_of[row] = self._free.pop()
        if len(self.samples) <= row < SAMPLED_ROWS:
            self.samples = grown(self.samples, min(SAMPLED_ROWS, max(2 * row, _FIRST_PLACES)), np.nan)

    def _take_places(self, rows: Rows) -> None:
        """From those of these rows whose samples stand far apart by now; the next rows get them blank."""
        for row in np.unique(rows[self.newest[self._place_of[rows], _SPARSE] >= _MOST_SPARSE]).tolist():
            place = int(self._place_of[row])
            self.least[place], self.mean[place], self.newest[place] = np.nan, np.nan, _BLANK
            if row < len(self.samples):
                self.samples[row] = np.nan
            self._place_of[row] = -1
            self._free.append(place)

    def _keep(self, rows: Rows, times: Rows, used: Numbers) -> None:
        """Put samples into the slots of their blocks, which are open or have been."""
        few = rows < SAMPLED_ROWS
        rows, times, used = rows[few], times[few], used[few]
        numbers = times // WIDTH_MS
        held = numbers > self.newest[self._place_of[rows], _NUMBER] - BLOCKS
        cells = (rows[held], numbers[held] % BLOCKS, times[held] % WIDTH_MS // SLOT_MS)
        np.fmin.at(self.samples, cells, used[held].astype(np.float32))

    def _fold(self, rows: Rows, numbers: Rows, least: Numbers, sums: Numbers, counts: Rows) -> None:
        """Put one block a row into the rings."""
        places = self._place_of[rows]
        before = self.newest[places, _NUMBER].astype(np.int64)
        in_time = numbers >= before
        rows, places, numbers, before = rows[in_time], places[in_time], numbers[in_time], before[in_time]
        fresh, slots = numbers > before, numbers % BLOCKS
        passed = np.where(before < 0, 1, np.minimum(numbers - before, BLOCKS))  # a ring without blocks is blank
        which = np.repeat(np.arange(len(rows)), passed)
        ages = np.arange(len(which)) - np.repeat(np.cumsum(passed) - passed, passed)
        self.least[places[which], (numbers[which] - ages) % BLOCKS] = np.nan
        self.mean[places[which], (numbers[which] - ages) % BLOCKS] = np.nan
        few = rows[which] < SAMPLED_ROWS
        self.samples[rows[which][few], ((numbers[which] - ages) % BLOCKS)[few]] = np.nan
        own, closes = self.newest[places], fresh & (before >= 0)
        run = np.where(own[:, _COUNT] < _FEW, own[:, _SPARSE] + 1, 0)
        own[:, _SPARSE] = np.where(closes, run, own[:, _SPARSE])
        own[:, _SUM] = sums[in_time] + np.where(fresh, 0, own[:, _SUM])
        own[:, _COUNT] = counts[in_time] + np.where(fresh, 0, own[:, _COUNT])
        own[:, _NUMBER] = numbers
        self.newest[places] = own
        self.least[places, slots] = np.fmin(self.least[places, slots], least[in_time])
        self.mean[places, slots] = own[:, _SUM] / own[:, _COUNT]
        self._closed.update(rows[closes].tolist())
