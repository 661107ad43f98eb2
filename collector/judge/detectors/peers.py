"""Unlike its peers: a device that holds, or takes, far more than others of its sort. Pure, by column.

Peers are things of the same name and size on the same platform, board and firmware, whose boots are about as old.
Looked at is the least used memory of the last three hours, and by how much it rose from their first half to their
second. The distance from the median of all is measured in standard deviations as the median absolute deviation gives
them (Hampel 1974), since one that is far off must not move the measure; never in less than a part of the limit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.history import BUCKETS, HOUR_MS, WIDTHS_MS, History
from collector.judge.detectors.marks import BORN_MS
from collector.judge.expression import Numbers
from collector.judge.series import Rows

LEAST_PEERS = 8
EVERY_MS = 600_000
"""How often peers are compared."""

_LEVEL = 3
_HALF_H = WIDTHS_MS[_LEVEL] * BUCKETS / 2 / HOUR_MS
_LEAST_KNOWN = 4
"""Buckets that each half must know."""
_YOUNG_H, _BAND = 1.0, 4.0
"""Boots younger than this are still starting; those of one band are at most so many times as old as each other."""
_TO_DEVIATION = 1.4826
_USED_PART, _GROWTH_PART = 0.01, 0.01
"""Of the limit (an hour): what a deviation is at least."""


class Peers(NamedTuple):
    """One value a row, NaN where there are not enough peers: how many there are; bytes used of late, the median of all
    and the distance from it; bytes/hour grown, the median (both unknown where neither is a byte) and the distance.
    Distances are in standard deviations."""

    peers: Numbers
    used: Numbers
    usual: Numbers
    distance: Numbers
    growth: Numbers
    usual_growth: Numbers
    growth_distance: Numbers


def find_unlike(history: History, rows: Rows, sorts: Rows, limits: Numbers, now_ms: int) -> Peers:
    """Compare these rows; `sorts` numbers what they are, the same for what may be compared."""
    found = Peers(*np.full((len(Peers._fields), len(rows)), np.nan))
    with np.errstate(all="ignore"):
        used, growth = _level_and_growth(history, rows)
        age_h = (now_ms - history.mark(rows, BORN_MS)) / HOUR_MS
        bands = np.floor(np.log(age_h / _YOUNG_H) / np.log(_BAND))
        fit = np.flatnonzero(np.isfinite(used) & (limits > 0) & (age_h >= _YOUNG_H))
    order = fit[np.lexsort((bands[fit], limits[fit], sorts[fit]))]
    keys = np.stack([sorts[order], limits[order], bands[order]])
    cuts = np.flatnonzero(np.any(np.diff(keys, axis=1) != 0, axis=0)) + 1
    for group in np.split(order, cuts):
        if len(group) > LEAST_PEERS:
            _compare(found, group, used, growth, float(limits[group[0]]))
    nothing = np.fmax(np.abs(found.growth), np.abs(found.usual_growth)) < 1
    found.growth[nothing] = found.usual_growth[nothing] = np.nan
    return found


def _compare(found: Peers, group: Rows, used: Numbers, growth: Numbers, limit: float) -> None:
    found.peers[group] = len(group) - 1
    for own, (values, usual, distance), part in (
        (used, found[1:4], _USED_PART),
        (growth, found[4:7], _GROWTH_PART),
    ):
        middle = np.median(own[group])
        deviation = _TO_DEVIATION * max(float(np.median(np.abs(own[group] - middle))), part * limit)
        values[group], usual[group] = own[group], middle
        distance[group] = (own[group] - middle) / deviation


def _level_and_growth(history: History, rows: Rows) -> tuple[Numbers, Numbers]:
    """The least used bytes of late, and by how many an hour they grew; NaN where too little is known."""
    slots = (history.newest[rows, _LEVEL][:, None] - np.arange(BUCKETS - 1, -1, -1)) % BUCKETS
    buckets = history.least[rows[:, None], 0, _LEVEL, slots].astype(np.float64)
    halves = buckets.reshape(len(rows), 2, BUCKETS // 2)
    known = (np.isfinite(halves).sum(axis=2) >= _LEAST_KNOWN).all(axis=1)
    first, second = np.fmin.reduce(halves, axis=2).T
    return np.where(known, np.fmin(first, second), np.nan), np.where(known, (second - first) / _HALF_H, np.nan)
