"""A boot that has ended, of a board that is sampled every few seconds: whether it grew until then. Pure, by column.

What rises for hours may be a tooth that falls back before the night is over, so no night is told before its end
(`night_leaks.py`). Of a boot that is over nothing more will come. It is told by what a night is told by

* when it lasted for most of a night;
* or for two hours, if it grew by a good part of what was free, and hardly anything was free at its highest: it did not
  fall back, it ran out. Traffic and clients take what a leak has left them.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.forecast import interval
from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.night import NIGHT_H, Night, span_hours
from collector.judge.detectors.night_leaks import leaks_of, scatter_of_blocks, shows_leak
from collector.judge.detectors.sights import look_at
from collector.judge.expression import Numbers

_MOST_OF_A_NIGHT_H, _MOST_KNOWN = NIGHT_H * 2 / 3, 36
_LEAST_H, _LEAST_KNOWN = 2.0, 20
"""How long a boot must have been seen, and in how many blocks."""
_GROWN, _FILLED = 0.2, 0.75
"""Parts of what was free: by so much it grew, and so much was taken at its highest. A sample in ten seconds sees few of
the peaks at which memory ends."""


def find_leaks_of_ended(night: Night, highest: Numbers) -> Leaks:
    """Judge boots that are over; `highest` is the highest value of each, bytes. Hours left count from a
    boot on."""
    found = Leaks(*np.full((len(Leaks._fields), len(highest)), np.nan))
    hours, known = span_hours(night), np.isfinite(night.least).sum(axis=1)
    rows = np.flatnonzero((hours >= _LEAST_H) & (known >= _LEAST_KNOWN))
    if not len(rows):
        return found
    with np.errstate(all="ignore"):
        night, highest, hours, known = night.of(rows), highest[rows], hours[rows], known[rows]
        sights = look_at(night)
        leaks = leaks_of(night, sights)
        begin = np.fmin.reduce(night.least, axis=1)
        free = night.limits - begin
        ran_out = (leaks.grown >= _GROWN * free) & (highest - begin >= _FILLED * free)
        long = (hours >= _MOST_OF_A_NIGHT_H) & (known >= _MOST_KNOWN)
        told = shows_leak(night, sights, ran_out | long)
        left = np.maximum(0, night.limits - highest) / leaks.rate
        soonest, latest = interval(left, sights.course, scatter_of_blocks(night, sights) / leaks.rate)
    leaks = leaks._replace(hours_left=hours + left, hours_low=hours + soonest, hours_high=hours + latest)
    for column, value in zip(found, leaks, strict=True):
        column[rows] = np.where(told, value, np.nan)
    return found
