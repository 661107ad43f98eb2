"""Leaks across boots: each boot takes memory at the same pace until it ends. Pure, by column.

A device that reboots when memory runs low, by itself or by a crash, never shows a long rise, perhaps not even two
samples of one boot: but the samples of all its boots lie on one line of used memory over uptime. Each ended boot is
kept as up to four points (`history`). A leak is told when the points of at least three boots rise by a good part of the
free memory, at a pace that has an interval above half of it and does not slow down.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.history import HOUR_MS
from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.shape import pair_slopes, ranked_slopes
from collector.judge.expression import Numbers, Truths

LEAST_BOOTS, LEAST_POINTS = 3, 5
_PART = 0.4
_ALIKE = 0.4
"""The pace over later uptimes is at least this part of that over earlier ones: a cache slows down."""


def find_leaks_across_boots(boots: Numbers, limits: Numbers) -> tuple[Leaks, Numbers]:
    """Judge rows of boots x points x (uptime ms, used bytes), newest first; leaks, and how many boots tell each.

    The hours left are those from a boot to the end of memory.
    """
    found = Leaks(*np.full((len(Leaks._fields), len(boots)), np.nan))
    count = np.isfinite(boots[..., 1]).any(axis=2).sum(axis=1)
    with np.errstate(all="ignore"):
        hours, used = (boots[..., place].reshape(len(boots), -1) for place in (0, 1))
        hours = hours / HOUR_MS
        first, last = np.fmin.reduce(hours, axis=1), np.fmax.reduce(hours, axis=1)
        slopes = pair_slopes(hours, used, least_apart=0.1 * (last - first))
        rate, low, high = ranked_slopes(slopes, np.isfinite(used).sum(axis=1))
        level = _middle(used - rate[:, None] * hours)
        grown, left = rate * (last - first), (limits - level) / rate
        told = (
            (count >= LEAST_BOOTS)
            & (np.isfinite(used).sum(axis=1) >= LEAST_POINTS)
            & (grown >= _PART * (limits - level - rate * first))
            & (low > 0.5 * rate)
            & _goes_on_alike(hours, used)
        )
        values = Leaks(rate, low, high, left, left * rate / high, left * rate / low, (last - first) * 60, grown)
    for column, value in zip(found, values, strict=True):
        column[:] = np.where(told, value, np.nan)
    return found, np.where(told, count.astype(np.float64), np.nan)


def _goes_on_alike(hours: Numbers, used: Numbers) -> Truths:
    """Whether the pace over the later half of the uptimes is about that over the earlier half."""
    middle = _middle(hours)[:, None]
    early, late = (
        ranked_slopes(pair_slopes(hours, np.where(part, used, np.nan)), (part & np.isfinite(used)).sum(axis=1))[0]
        for part in (hours <= middle, hours >= middle)
    )
    alike: Truths = ~(late < _ALIKE * early)
    return alike


def _middle(values: Numbers) -> Numbers:
    """The median of what is known of each row."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = np.maximum(1, np.isfinite(ordered).sum(axis=1))
    rows = np.arange(len(ordered))
    middle: Numbers = 0.5 * (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2])
    return middle
