"""Rush: a boot that takes most of the free memory within a handful of samples. Pure, by column.

The leak detector wants more samples than such a boot has. What it may do instead: tell growth that is larger than any
tooth, wave or cache that we know of, when its samples lie on a line that does not slow down.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.forecast import hours_left
from collector.judge.detectors.leak import Ground, Leaks, ages_of
from collector.judge.detectors.shape import pair_slopes, ranked_slopes
from collector.judge.detectors.views import HOURS_OF
from collector.judge.expression import Numbers
from collector.judge.series import Rows

LEAST_KNOWN, MOST_KNOWN, LONGEST_VIEW = 4, 12, 3
_PART = 0.55
_LEVEL, _MARGIN = 0.1, 0.25
_ALIKE, _ON_A_LINE, _FALL = 0.4, 0.95, 0.05
"""The pace of the later half is at least this part of that of the earlier; the correlation with time; the largest fall
as a part of what it grew."""


def find_rushes(samples: Numbers, views: Rows, ground: Ground) -> Leaks:
    """Judge one window a row, the bucket that is still open included."""
    found = Leaks(*np.full((len(Leaks._fields), len(samples)), np.nan))
    known = np.isfinite(samples)
    count = known.sum(axis=1)
    with np.errstate(all="ignore"):
        least = np.fmin.reduce(samples, axis=1)
        grown = np.fmax.reduce(samples, axis=1) - least
        large = (grown >= _PART * (ground.limits - least)) & (grown > 4 * ground.resolutions)
        news = ~(least + grown <= ground.ceilings + _MARGIN * grown)
    few = (count >= LEAST_KNOWN) & (count <= MOST_KNOWN) & (views <= LONGEST_VIEW)
    rows = np.flatnonzero(large & news & few)
    ages = ages_of(samples.shape[1] - 1, views[rows], ground.of(rows))
    for row, closed in zip(rows.tolist(), ages, strict=True):
        at = np.flatnonzero(known[row])
        at = at[_begin(samples[row, at]) :]
        hours, used = at * HOURS_OF[views[row]], samples[row, at]
        if len(used) >= LEAST_KNOWN and _goes_on_alike(hours, used):
            told = _told(hours, used, np.append(closed, 0.0)[at], float(ground.limits[row]))
            for column, value in zip(found, told, strict=True):
                column[row] = value[0]
    return found


def _begin(used: Numbers) -> int:
    """Where it left its least level for good."""
    return int(np.flatnonzero(used <= used.min() + _LEVEL * (used.max() - used.min()))[-1])


def _goes_on_alike(hours: Numbers, used: Numbers) -> bool:
    """On a line, without a fall, and not slower at its end."""
    middle = len(used) // 2
    early = (used[middle] - used[0]) / (hours[middle] - hours[0])
    late = (used[-1] - used[middle]) / (hours[-1] - hours[middle])
    falls = np.diff(used).min() < -_FALL * (used[-1] - used[0])
    return not falls and late >= _ALIKE * early and float(np.corrcoef(hours, used)[0, 1]) >= _ON_A_LINE


def _told(hours: Numbers, used: Numbers, ages: Numbers, limit: float) -> Leaks:
    rate, low, high = ranked_slopes(pair_slopes(hours[None], used[None]), np.array([len(used)]))
    left, soonest, latest = (hours_left(used[None], ages[None], each, np.array([limit])) for each in (rate, high, low))
    return Leaks(rate, low, high, left, soonest, latest, (hours[-1:] - hours[:1]) * 60, used[-1:] - used[:1])
