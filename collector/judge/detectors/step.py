"""Step: memory that was taken at once and stays taken, while nothing grows before or after. Pure, by column.

Looked at are buckets of hours, a day at least on either side: so a step is told only after it has stood for a day.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.shape import envelope
from collector.judge.detectors.views import HOURS_OF, is_daily
from collector.judge.expression import Numbers
from collector.judge.series import Rows

_PART, _RATCHET_PART = 0.08, 0.4
"""Of what was free: less is not worth a word; counters that never fall go in steps by nature."""
_SIDE_H, _LEAST_SIDE = 24, 4
"""How many hours there must be on each side: a whole day, less the bucket in which the boot began. And how many
buckets: two days of those of half a day, since a gap may hide the trough of a night."""
_FLAT = 0.3
"""The part of the step by which either side may grow."""


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
    part = _RATCHET_PART if ratchet else _PART
    with np.errstate(all="ignore"):
        least = np.fmin.reduce(windows[daily], axis=1)
        grown = np.fmax.reduce(envelope(windows[daily]), axis=1) - least
        for row in daily[grown >= part * (limits[daily] - least)]:
            hours = HOURS_OF[view[row]]
            size, at = _step(windows[row], max(_LEAST_SIDE, round(_SIDE_H / hours) - 1))
            if size >= part * (limits[row] - np.nanmin(windows[row])):
                found.size[row] = size
                found.hours[row] = (windows.shape[1] - at) * hours
    return found


def _step(window: Numbers, side: int) -> tuple[float, int]:
    """The size and place of a step in one window; 0 when it is none."""
    held = envelope(window[None, :])[0]
    rises = np.nan_to_num(np.diff(held))
    at = int(np.argmax(rises)) + 1
    before, after = window[:at], window[at:]
    before, after = before[np.isfinite(before)], after[np.isfinite(after)]
    if min(len(before), len(after)) < side:
        return 0.0, at
    size = float(after.min() - before.min())
    sharp = float(held[at] - held[at - 1]) >= (1 - _FLAT) * size
    days = (before[:side].min(), before[-side:].min(), after[:side].min(), after[-side:].min())
    flat = abs(days[1] - days[0]) <= _FLAT * size and abs(days[3] - days[2]) <= _FLAT * size
    apart = float(np.median(after) - np.median(before)) >= (1 - _FLAT) * size
    return (size, at) if sharp and flat and apart and before[1:].min() < after.min() - size / 2 else (0.0, at)
