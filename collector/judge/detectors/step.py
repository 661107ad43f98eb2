"""Step: memory that was taken at once and stays taken, while nothing grows before or after. Pure, by column.

Looked at are buckets of hours, a day at least on either side: so a step is told only after it has stood for a day. Each
bucket is compared with those of the same hours on the other side, so that neither the day's wave nor a gap over a
night looks like one, nor hides one. What stood as high before all that is load that comes and goes by the week.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from collector.judge.detectors.conditions import Asked, all_held, at_least, at_most
from collector.judge.detectors.history import BUCKETS, DAY_MS, HOUR_MS
from collector.judge.detectors.shape import at_part
from collector.judge.detectors.views import HOURS_OF, is_daily, watched
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

_PART, _RATCHET_PART = 0.10, 0.18
"""Of what was free: less is not worth a word. Of the limit, where a counter never falls: it takes each record of load
for good, and one rare load is 30 to 44 KiB on an MT3620, where some connections come at once."""
_SMALL_PART, _SMALL_STANDS_H = 0.20, 48.0
"""Of what was free: a step that is smaller is told when it has stood for two days, since load may change for one."""
_LEAST_BUCKETS = 4
"""How many known buckets there must be on each side."""
_HIDDEN_H = 3.0
"""Hours of a day that may be unknown on a side: less than would hide the trough of a night."""
_FLAT = 0.3
"""The part of the step by which either side may move from day to day, and the instant before and after it be off."""
_ALIKE = 0.6
"""The part of the step by which every hour of the day but a tenth must have risen."""


class Steps(NamedTuple):
    """One value a row, NaN where none is told: bytes of the step, hours since, and the bytes used after it."""

    size: Numbers
    hours: Numbers
    level: Numbers


class _Cut(NamedTuple):
    """A window cut in two before the bucket `at`: how much higher memory stands after it and how high (NaN where that
    cannot be said), and what is asked of both sides."""

    at: int
    size: float
    level: float
    asked: list[Asked]

    @property
    def is_step(self) -> bool:
        """Whether memory stepped up there."""
        return bool(all_held(self.asked)[0])


def find_steps(windows: Numbers, views: int | Rows, limits: Numbers, *, ratchet: bool) -> Steps:
    """Judge one window a row of least used bytes; on levels shorter than a day nothing is told."""
    found = Steps(*np.full((len(Steps._fields), len(windows)), np.nan))
    view = np.broadcast_to(np.asarray(views), len(windows))
    daily = np.flatnonzero(is_daily(view))
    if not len(daily):
        return found
    with np.errstate(all="ignore"):
        worth = _worth(windows[daily], limits[daily], ratchet=ratchet)
        rose = _rose(windows[daily], view[daily], worth).held
        for row, enough in zip(daily[rose], worth[rose], strict=True):
            hours = HOURS_OF[view[row]]
            steps = [cut for cut in _cuts(windows[row], round(DAY_MS / HOUR_MS / hours)) if cut.is_step]
            best = max(steps, key=lambda cut: (cut.size, cut.at), default=None)
            if best is None:
                continue
            stands = (windows.shape[1] - best.at) * hours
            if best.size >= enough and stands >= _least_stands(best.size, windows[row], limits[row], ratchet=ratchet):
                found.size[row] = best.size
                found.hours[row] = stands
                found.level[row] = best.level
    return found


def is_new(size: Numbers, level: Numbers, before: Numbers) -> Asked:
    """Whether the least used memory of each half day `before` the window never stood near the level after a step."""
    return at_most("the highest that stood before all that", "size", before, level - _ALIKE * size).or_unknown()


def asked_of_step(window: Numbers, view: int, limits: Numbers, before: Numbers, *, ratchet: bool) -> list[Asked]:
    """All that must hold of one window (1 x buckets) of a view that `may_show` a step, where it is nearest to one;
    `before` as `is_new` has it."""
    with np.errstate(all="ignore"):
        worth = _worth(window, limits, ratchet=ratchet)
        rose = _rose(window, np.array([view]), worth)
        cuts = list(_cuts(window[0], round(DAY_MS / HOUR_MS / HOURS_OF[view])))
        best = max(cuts, key=lambda cut: (cut.is_step, np.nan_to_num(cut.size), cut.at))
        size = at_least("the step: the middle of all that comes after it", "size", np.array([best.size]), worth)
        least_stands = _least_stands(best.size, window[0], limits[0], ratchet=ratchet)
        stands = np.array([(window.shape[1] - best.at) * HOURS_OF[view]])
        stood = at_least("for how long it has stood", "hours", stands, least_stands)
    return [rose, *best.asked, size, stood, is_new(size.measured, np.array([best.level]), before)]


def may_show(view: int) -> bool:
    """Whether a step could be told of such a window: it holds two days."""
    return bool(is_daily(np.array([view]))[0]) and (BUCKETS - 1) * HOURS_OF[view] * HOUR_MS >= 2 * DAY_MS


def _worth(windows: Numbers, limits: Numbers, *, ratchet: bool) -> Numbers:
    """How large a step must be to be worth a word."""
    worth: Numbers = _RATCHET_PART * limits if ratchet else _PART * (limits - np.fmin.reduce(windows, axis=1))
    return worth


def _least_stands(size: float, window: Numbers, limit: float, *, ratchet: bool) -> float:
    """For how many hours a step of that size must have stood."""
    is_small = not ratchet and size < _SMALL_PART * (limit - float(np.fmin.reduce(window)))
    return _SMALL_STANDS_H if is_small else 0.0


def _rose(windows: Numbers, views: Rows, worth: Numbers) -> Asked:
    """The cheapest part, for all."""
    of_days = watched(windows, views)
    grown = at_part(of_days, 1) - at_part(of_days, 0)
    return at_least("growth of the least of 24 hours", "size", grown, _ALIKE * worth)


def _cuts(window: Numbers, a_day: int) -> Iterator[_Cut]:
    """Cuts in one window, where a day differs most from the day before; none in one that holds no two days."""
    if len(window) < 2 * a_day:
        return
    rises = window[a_day:] - window[:-a_day]
    sums = np.convolve(np.nan_to_num(rises), np.ones(a_day), mode="valid")
    most = a_day + int(np.argmax(sums))
    for at in range(max(a_day, most - 1), min(len(window) - a_day, most + 1) + 1):
        yield _cut(window, at, a_day)


def _cut(window: Numbers, at: int, a_day: int) -> _Cut:
    """By how much memory is larger from that bucket on than at the same hours before."""
    known, number = np.isfinite(window), np.arange(len(window))
    hour, late = number % a_day, number >= at
    sides = (known & ~late, known & late)
    asked = _asked_of_sides(hour, sides, a_day)
    if not all_held(asked)[0]:
        return _Cut(at, math.nan, math.nan, asked)
    rest = window - _usual(window, sides[0], hour, a_day)
    before, after = rest[sides[0]], rest[late & np.isfinite(rest)]
    size = float(np.median(after))
    level = float(np.median(window[sides[1]]))
    return _Cut(at, size, level, [*asked, *_asked_of_rest(before, after, size, a_day)])


def _asked_of_sides(hour: Rows, sides: tuple[Truths, Truths], a_day: int) -> list[Asked]:
    """That enough is known before and after."""
    buckets = np.array([min(np.count_nonzero(side) for side in sides)])
    hours = np.array([min(len(np.unique(hour[side])) for side in sides) * 24 / a_day])
    return [
        at_least("buckets known before it, and after", "number", buckets, _LEAST_BUCKETS),
        at_least("hours of the day seen before it, and after", "hours", hours, 24 - _HIDDEN_H),
    ]


def _asked_of_rest(before: Numbers, after: Numbers, size: float, a_day: int) -> list[Asked]:
    """That what lies above the usual is flat on either side, and that both are a step apart."""
    drift = max(abs(_drift(side, a_day)) for side in (before, after))
    low, high = (np.quantile(side, part, keepdims=True) for side, part in ((after, 0.1), (before, 0.9)))
    return [
        at_most("the last value before it, above the usual", "size", before[-1:], _FLAT * size),
        at_least("the first value after it, above the usual", "size", after[:1], (1 - _FLAT) * size),
        at_least("the newest value, above the usual", "size", after[-1:], (1 - _ALIKE) * size),
        at_most("nine of ten before it, above the usual", "size", high, (1 - _ALIKE) * size),
        at_least("nine of ten after it, above the usual", "size", low, _ALIKE * size),
        at_most("how far either side moves from day to day", "size", np.array([drift]), _FLAT * size),
    ]


def _usual(window: Numbers, before: Truths, hour: Rows, a_day: int) -> Numbers:
    """What was usual before at the hour of each bucket; at any hour, where no two days are known."""
    if before.sum() < 2 * (a_day - 1):
        return np.full(len(window), np.median(window[before]))
    usual = np.full(a_day, np.nan)
    for one in np.unique(hour[before]):
        usual[one] = np.median(window[before & (hour == one)])
    return usual[hour]


def _drift(rest: Numbers, a_day: int) -> float:
    """How much the last day of a side stands above its first."""
    return float(np.median(rest[-a_day:]) - np.median(rest[:a_day]))
