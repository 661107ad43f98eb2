"""Step: memory that was taken at once and stays taken, while nothing grows before or after. Pure, by column.

Looked at are buckets of hours, a day at least on either side: so a step is told only after it has stood for a day. Each
bucket is compared with those of the same hours on the other side, so that neither the day's wave nor a gap over a
night looks like one, nor hides one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.history import DAY_MS, HOUR_MS
from collector.judge.detectors.shape import at_part
from collector.judge.detectors.views import HOURS_OF, is_daily, watched
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

_PART, _RATCHET_PART = 0.08, 0.12
"""Of what was free: less is not worth a word. Of the limit, where a counter never falls: it takes each record of load
for good (30 KiB on an MT3620: no connection has such buffers)."""
_LEAST_BUCKETS = 4
"""How many known buckets there must be on each side."""
_HIDDEN_H = 3.0
"""Hours of a day that may be unknown on a side: less than would hide the trough of a night."""
_FLAT = 0.3
"""The part of the step by which either side may move from day to day, and the instant before and after it be off."""
_ALIKE = 0.6
"""The part of the step by which every hour of the day but a tenth must have risen."""


class Steps(NamedTuple):
    """One value a row, NaN where none is told: bytes of the step, and hours since."""

    size: Numbers
    hours: Numbers


def find_steps(windows: Numbers, views: int | Rows, limits: Numbers, *, ratchet: bool) -> Steps:
    """Judge one window a row of least used bytes; on levels shorter than a day nothing is told."""
    found = Steps(*np.full((2, len(windows)), np.nan))
    view = np.broadcast_to(np.asarray(views), len(windows))
    daily = np.flatnonzero(is_daily(view))
    if not len(daily):
        return found
    with np.errstate(all="ignore"):
        free = limits[daily] - np.fmin.reduce(windows[daily], axis=1)
        worth = _RATCHET_PART * limits[daily] if ratchet else _PART * free
        of_days = watched(windows[daily], view[daily])
        grown = at_part(of_days, 1) - at_part(of_days, 0)
        for row, enough in zip(daily[grown >= _ALIKE * worth], worth[grown >= _ALIKE * worth], strict=True):
            hours = HOURS_OF[view[row]]
            size, at = _step(windows[row], round(DAY_MS / HOUR_MS / hours))
            if size >= enough:
                found.size[row] = size
                found.hours[row] = (windows.shape[1] - at) * hours
    return found


def _step(window: Numbers, a_day: int) -> tuple[float, int]:
    """The size of the step in one window, and the bucket it begins with; 0 when there is none.

    It is sought where a day differs most from the day before.
    """
    if len(window) < 2 * a_day:
        return 0.0, 0
    rises = window[a_day:] - window[:-a_day]
    sums = np.convolve(np.nan_to_num(rises), np.ones(a_day), mode="valid")
    most = a_day + int(np.argmax(sums))
    places = range(max(a_day, most - 1), min(len(window) - a_day, most + 1) + 1)
    return max((_size_at(window, at, a_day), at) for at in places)


def _size_at(window: Numbers, at: int, a_day: int) -> float:
    """By how much memory is larger from that bucket on than at the same hours before; 0 where that is no step."""
    known, number = np.isfinite(window), np.arange(len(window))
    hour, late = number % a_day, number >= at
    hidden = round(_HIDDEN_H / 24 * a_day)
    for side in (known & ~late, known & late):
        if side.sum() < _LEAST_BUCKETS or len(np.unique(hour[side])) < a_day - hidden:
            return 0.0
    rest = window - _usual(window, known & ~late, hour, a_day)
    before, after = rest[known & ~late], rest[late & np.isfinite(rest)]
    size = float(np.median(after))
    sharp = after[0] >= (1 - _FLAT) * size and before[-1] <= _FLAT * size
    alike = float(np.quantile(after, 0.1)) >= _ALIKE * size and float(np.quantile(before, 0.9)) <= (1 - _ALIKE) * size
    flat = all(abs(_drift(side, a_day)) <= _FLAT * size for side in (before, after))
    return size if sharp and alike and flat else 0.0


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
