"""Reboots: how often each device restarts unasked, and whether memory was the reason. By column, one row a device.

Counted is every new boot but those that somebody wanted: power or the reset pin, our opening of the port, the end of a
deep sleep, an update (the description names another firmware). Reasons come shortly after the boot, so a restart counts
once it is five seconds old. Where none comes, a device that was away for far longer than it had been awake has slept.

Memory was the reason when the device says so; when an allocation failed or an application was killed near its limit
within two minutes before; or when the last reading before found a heap or process nearly full (95 %) that had less
than half as much free as at its best in that boot. A heap that is always full is nobody's death.

A large request fails long before a heap is full, and not each board says so. So a crash counts too where a heap had
lost two thirds of what was free at its best in that boot, and either a leak of it was told by then, or as much of it
was used as before one of the restarts above, or another of its crashes was like it. Two are alike where each came when
the heap had sunk lower than ever in the first half of its boot: one whose program takes much by design has stood there
for long. Where a crash before had most of that still free, something else crashes that board, and chance may have
brought two together. A process is not judged so: who runs out there is killed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collector.judge.columns import BEFORE_RESET, REBOOT_COLUMNS
from collector.judge.detectors.conditions import Asked, at_least, one_of
from collector.judge.detectors.memory import Memory
from collector.judge.expression import Numbers, Truths
from collector.judge.reasons import span
from collector.judge.series import Rows, Table, grown

KEPT = len(BEFORE_RESET)
SETTLE_MS = 5_000
SHORTAGE_MS = 120_000
_NEARLY_FULL, _OF_ITS_BEST = 0.95, 0.5
_MOSTLY_GONE = 2 / 3
"""A heap that lost so much of what was free at its best in that boot was running out."""
_MOSTLY_LEFT = 1 / 2
"""A crash of a heap that lost less than that was of something else."""
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000

_SLEPT_MS, _SLEPT_TIMES = 60_000, 10
"""Away for so long, and for so many times as long as it had been awake: nothing crashes to that rhythm."""

_NOTED, _BOOT, _WANTED, _SHORT, _WOKEN, _START, _MOST = range(7)
_HEAD = 7
_RINGS = tuple(slice(_HEAD + KEPT * part, _HEAD + KEPT * (part + 1)) for part in range(12))
_AT, _USED, _LIMIT, _MEMORY, _NAMED, _LASTED, _CRASHED, _GONE, _HEAP, _LEAKS, _SIZED, _SANK = _RINGS

_SAID = 2.0
"""Of `_MEMORY`: that memory was the reason does not follow from how little was left."""


class Begun(NamedTuple):
    """A boot that has begun: which, when, and what memory was just before. `heard_ms` is when the boot before it was
    heard last; NaN where that was not the one before, or `start_ms` is not known by an uptime. `sank` where the memory
    had by far less left than ever in the first half of that boot."""

    device: str
    boot: int
    start_ms: int
    before: Memory | None
    heard_ms: float
    sank: bool


class Short(NamedTuple):
    """A restart that memory was the reason of: the boot that it began (NaN: not known any more), which row of the heaps
    was short (NaN: a process, or it is not known), when it was, wall ms, and whether that was said: by the device, an
    allocation that failed, a kill. Else it is told by what little was left."""

    boot: float
    heap: float
    at_ms: float
    said: bool


class Reboots:
    """The last restarts of every device, newest first. `changed` are the rows that differ from what is on disk.

    `state` has a line a device: when the newest restart was noted and which boot it began, the boot that is known to be
    wanted, when memory last was short, the boot that seems to end a sleep, when the newest boot began, and the most
    bytes that were used in the one that the newest restart ended; then times, used bytes and limits just before,
    whether memory is known to be the reason (`_SAID`: as was said), whether the device named one, how long (ms) the
    boot was that ended, whether the reason is what a failed request may end in, which part of what was free at best was
    gone, of which row of the heaps (a process: NaN), whether a leak of that was told, whether its size is known, and
    whether it sank, of KEPT restarts each. NaN: there is none, or it is not known.
    """

    def __init__(self) -> None:
        self.state: npt.NDArray[np.float64] = np.zeros((0, _HEAD + len(_RINGS) * KEPT))
        self.changed: set[int] = set()

    def begin(self, row: int, begun: Begun, noted_ms: int) -> None:
        """A boot began, of which we heard at `noted_ms`. It does not count where the device seems to have slept."""
        mine = self._line(row)
        away_ms, awake_ms = begun.start_ms - begun.heard_ms, begun.heard_ms - mine[_START]
        lasted_ms, mine[_START] = begun.start_ms - mine[_START], begun.start_ms
        if mine[_WANTED] == begun.boot:
            return
        if away_ms >= _SLEPT_MS and away_ms >= _SLEPT_TIMES * awake_ms:
            mine[_WOKEN] = begun.boot
            return
        _note(mine, begun.boot, begun.start_ms, noted_ms, begun.before)
        mine[_LASTED.start], mine[_SANK.start] = lasted_ms, begun.sank

    def born(self, row: int, start_ms: float) -> None:
        """The first boot of a device that is heard: it began then, or before."""
        self._line(row)[_START] = start_ms

    def accuse(self, row: int, boot: int, *, crashed: bool) -> None:
        """The device names a reason for that boot that nobody wants: it did not sleep. It `crashed` where a request for
        memory that fails may end so."""
        mine = self._line(row)
        if mine[_WOKEN] == boot:
            mine[_WOKEN] = np.nan
            _note(mine, boot, mine[_START], mine[_START], None)
        if mine[_BOOT] == boot:
            mine[_NAMED.start] = True
            mine[_CRASHED.start] = np.fmax(mine[_CRASHED.start], crashed)

    def want(self, row: int, boot: int) -> None:
        """Somebody wanted that boot: it does not count."""
        mine = self._line(row)
        if mine[_WANTED] == boot:
            return
        mine[_WANTED] = boot
        if mine[_BOOT] == boot:
            mine[_BOOT] = np.nan
            for ring in _RINGS:
                mine[ring] = np.concatenate([mine[ring][1:], [np.nan]])

    def is_wanted(self, row: int, boot: int) -> bool:
        """Whether somebody is known to have wanted that boot."""
        return row < len(self.state) and bool(self.state[row, _WANTED] == boot)

    def blame(self, row: int, boot: int) -> None:
        """The device says that it restarted for want of memory."""
        self.accuse(row, boot, crashed=True)
        mine = self._line(row)
        if mine[_BOOT] == boot:
            mine[_MEMORY.start] = _SAID

    def shortage(self, row: int, time_ms: int) -> None:
        """Memory was short: an allocation failed, an application was killed near its limit."""
        mine = self._line(row)
        mine[_SHORT] = np.fmax(mine[_SHORT], time_ms)

    def fill(self, devices: Table, now_ms: int) -> None:
        """Write REBOOT_COLUMNS as of now, for each device that ever restarted: counts fall to 0 after a day."""
        newest_ms = self.state[: len(devices), _AT.start]
        is_zero = devices.column("resets_24h")[: len(newest_ms)] == 0
        rows = np.flatnonzero((newest_ms > now_ms - _DAY_MS) | (np.isfinite(newest_ms) & ~is_zero))
        if len(rows):
            for name, column in _columns(self.state[rows], now_ms).items():
                devices.column(name)[rows] = column

    def exhausted(self, now_ms: int) -> tuple[Rows, Numbers]:
        """The rows of heaps that the newest restart of their device was for want of, of late, and the most bytes that
        were used of each by then: where it had sunk to that, or a leak of it was told. Who was ended by one large
        request, at a level where it had stood for long, may run on at that level."""
        state = self.state[self.state[:, _NOTED] > now_ms - _HOUR_MS]
        is_newest = np.isfinite(state[:, _BOOT]) & ~(state[:, _WANTED] > state[:, _BOOT])
        by_memory = (_counts(state, now_ms) & _is_by_memory(state, now_ms))[:, 0]
        sank = (state[:, _SANK.start] > 0) | (state[:, _LEAKS.start] > 0)
        of_heap = np.isfinite(state[:, _HEAP.start]) & (state[:, _SIZED.start] > 0)
        ended = state[is_newest & by_memory & sank & of_heap]
        return ended[:, _HEAP.start].astype(np.int64), ended[:, _MOST]

    def newest_short(self, row: int, now_ms: int) -> Short | None:
        """The restart that REBOOT_COLUMNS tell as the newest for want of memory."""
        line = self._shown(row)
        places = np.flatnonzero(_counts(line, now_ms) & _is_by_memory(line, now_ms))
        if not len(places):
            return None
        newest = places[0]
        boot = np.nan if newest else float(line[0, _BOOT])
        said = bool(line[0, _MEMORY][newest] == _SAID)
        return Short(boot, float(line[0, _HEAP][newest]), float(line[0, _AT][newest]), said)

    def asked(self, row: int, now_ms: int) -> list[Asked]:
        """Whether the device restarted unasked, and whether memory was the reason of one of these restarts."""
        line = self._shown(row)
        count = at_least(
            "restarts within a day that nobody asked for", "number", _columns(line, now_ms)["resets_24h"], 1
        )
        known = np.flatnonzero(np.isfinite(line[0, _AT]))
        if not len(known):
            return [count]
        reasons = [one for place in known.tolist() for one in _asked_of_memory(line, place, now_ms)]
        return [count, one_of("memory was the reason", reasons)]

    def _shown(self, row: int) -> Numbers:
        """The line of a device, one row."""
        if row < len(self.state):
            return self.state[row : row + 1]
        return np.full((1, self.state.shape[1]), np.nan)

    def restore(self, row: int, state: bytes) -> None:
        """Put back the line of a device; one of another version is left out."""
        values = np.frombuffer(state)
        if len(values) == self.state.shape[1]:
            self._line(row)[:] = values
        self.changed.discard(row)

    def _line(self, row: int) -> Numbers:
        if row >= len(self.state):
            self.state = grown(self.state, max(64, 2 * row), np.nan)
        self.changed.add(row)
        line: Numbers = self.state[row]
        return line


def _note(mine: Numbers, boot: int, start_ms: float, noted_ms: float, before: Memory | None) -> None:
    """Put a restart before the others of a device's line."""
    for ring in _RINGS:
        mine[ring] = np.concatenate([[np.nan], mine[ring][:-1]])
    mine[_NOTED], mine[_BOOT], mine[_MOST] = noted_ms, boot, np.nan if before is None else before.most
    mine[_AT.start] = start_ms
    if before is not None:
        mine[_USED.start], mine[_LIMIT.start] = before.used, before.limit
        mine[_GONE.start], mine[_HEAP.start], mine[_LEAKS.start] = before.consumed, before.heap, before.leaks
        mine[_SIZED.start] = before.sized
    short = 0 <= start_ms - mine[_SHORT] <= SHORTAGE_MS
    mine[_MEMORY.start] = _SAID if short else before is not None and was_exhausted(before)


def _columns(state: Numbers, now_ms: int) -> Mapping[str, Numbers]:
    """REBOOT_COLUMNS of those lines."""
    at, limit, sized = state[:, _AT], state[:, _LIMIT], state[:, _SIZED] > 0
    used, size = (np.where(sized, ring, np.nan) for ring in (state[:, _USED], limit))
    left, first = (np.where(sized, np.nan, ring) for ring in (limit - state[:, _USED], limit))
    counts = _counts(state, now_ms)
    lately = counts & (at > now_ms - _HOUR_MS)
    by_memory = counts & _is_by_memory(state, now_ms)
    newest, any_by_memory = by_memory.argmax(axis=1)[:, None], by_memory.any(axis=1)
    then = (np.take_along_axis(ring, newest, axis=1)[:, 0] for ring in (used, size, left, first))
    values = (
        lately.sum(axis=1),
        counts.sum(axis=1),
        (now_ms - np.min(np.where(lately, at, now_ms), axis=1)) / 60_000,
        (now_ms - np.min(np.where(counts, at, now_ms), axis=1)) / _HOUR_MS,
        (counts & (state[:, _NAMED] > 0)).sum(axis=1),
        np.fmax.reduce(np.where(counts, state[:, _LASTED], np.nan), axis=1) / _HOUR_MS,
        by_memory.sum(axis=1),
        *(np.where(any_by_memory, one, np.nan) for one in then),
        *_before_each(counts, size, used),
        *_before_each(counts, first, left),
    )
    return dict(zip(REBOOT_COLUMNS, values, strict=True))


def _before_each(counts: Truths, limits: Numbers, values: Numbers) -> list[Numbers]:
    """The limit, and what is known of the restarts that count, the newest first."""
    return [
        np.fmax.reduce(np.where(counts, limits, np.nan), axis=1),
        *_known_first(np.where(counts, values, np.nan)).T,
    ]


def _counts(state: Numbers, now_ms: int) -> Truths:
    """Which restarts count: those of the last day."""
    counts: Truths = _settled(state, now_ms) & (state[:, _AT] > now_ms - _DAY_MS)
    return counts


def _settled(state: Numbers, now_ms: int) -> Truths:
    """Of which restarts the reason is known by now, if it ever will be."""
    settled: Truths = np.isfinite(state[:, _AT])
    settled[:, 0] &= now_ms - state[:, _NOTED] >= SETTLE_MS
    return settled


def _is_by_memory(state: Numbers, now_ms: int) -> Truths:
    """Of which restarts memory was the reason: it is known to be, or a heap that was running out crashed."""
    found: Truths = (state[:, _MEMORY] > 0) | (_ran_out(state, now_ms) & (state[:, _GONE] >= _MOSTLY_GONE))
    return found


def _ran_out(state: Numbers, now_ms: int) -> Truths:
    """Which are crashes of a heap of which a leak was told, or that was as full as before a restart that is known to be
    for want of memory, or one of several that are alike."""
    used, heap = state[:, _USED], state[:, _HEAP]
    known_at = np.where(_settled(state, now_ms) & (state[:, _MEMORY] > 0), used, np.inf)
    as_full = (heap[:, :, None] == heap[:, None, :]) & (used[:, :, None] >= known_at[:, None, :])
    leaks = np.isfinite(heap) & (state[:, _LEAKS] > 0)
    crashes: Truths = (state[:, _CRASHED] > 0) & (leaks | as_full.any(axis=2) | _are_alike(state, now_ms))
    return crashes


def _are_alike(state: Numbers, now_ms: int) -> Truths:
    """Which are crashes of a heap that had sunk, as it had before another of them; none after a crash of that heap
    that left most of it free."""
    crashed, gone, heap = _settled(state, now_ms) & (state[:, _CRASHED] > 0), state[:, _GONE], state[:, _HEAP]
    same = heap[:, :, None] == heap[:, None, :]
    others = same & (crashed & (gone < _MOSTLY_LEFT))[:, None, :]
    after_others = np.triu(others).any(axis=2)  # the newest stands first
    sank = crashed & (gone >= _MOSTLY_GONE) & (state[:, _SANK] > 0) & ~after_others
    alike: Truths = sank & ((same & sank[:, None, :]).sum(axis=2) > 1)
    return alike


def _asked_of_memory(line: Numbers, place: int, now_ms: int) -> list[Asked]:
    """What makes memory the reason of one restart: the second is not asked where the first holds."""
    ago = span((now_ms - line[0, _AT][place]) / 1000)
    told, ran_out = line[:, _MEMORY][:, place] > 0, _ran_out(line, now_ms)[:, place]
    fill, gone = (line[:, _USED] / line[:, _LIMIT])[:, place], line[:, _GONE][:, place]
    known = Asked(f"used before that of {ago} ago, or told by an allocation, a kill, the device",
                  "percent", fill, "at least", _NEARLY_FULL, told)  # fmt: skip
    crash = Asked("of what was free gone as it crashed, by a leak, or as before such a restart or a like one",
                  "percent", gone, "at least", _MOSTLY_GONE, ran_out & (gone >= _MOSTLY_GONE))  # fmt: skip
    return [known] if told.all() else [known, crash]


def was_exhausted(memory: Memory) -> bool:
    """Whether that was hardly any memory left, by the device's own measure."""
    free, best = memory.limit - memory.used, memory.limit - memory.least
    return memory.fill >= _NEARLY_FULL and free <= _OF_ITS_BEST * best


def _known_first(values: Numbers) -> Numbers:
    """The known values of each line before the unknown ones, in their order."""
    order = np.argsort(np.isnan(values), axis=1, kind="stable")
    moved: Numbers = np.take_along_axis(values, order, axis=1)
    return moved
