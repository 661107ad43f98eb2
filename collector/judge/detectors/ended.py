"""A boot that has ended with its memory full: whether it grew all the while until then. Pure, by column.

Who rises for hours may be a tooth that falls back before the night is over: so no night is told before its end
(`night.py`). A boot that rose until hardly anything was free, and then began anew, did not fall back: it ran out. What
counts is the highest value, not what grew: traffic and clients take what a leak has left them.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.night import Night, choose, leaks_of, look_at, span_hours
from collector.judge.expression import Numbers

_LEAST_H, _LEAST_KNOWN = 2.0, 20
"""How long it must have been seen, and in how many blocks."""
_GROWN, _FILLED = 0.2, 0.75
"""Parts of what was free: by so much it grew, and so much was taken at its highest. One sample in ten seconds sees few
of the peaks at which memory ends."""


def find_leaks_of_ended(night: Night, highest: Numbers) -> Leaks:
    """Judge boots that are over; `highest` is the highest value of each, bytes. Hours left are those of a boot."""
    found = Leaks(*np.full((len(Leaks._fields), len(highest)), np.nan))
    with np.errstate(all="ignore"):
        begin = np.fmin.reduce(night.least, axis=1)
        filled = highest - begin >= _FILLED * (night.limits - begin)
        seen = (span_hours(night) >= _LEAST_H) & (np.isfinite(night.least).sum(axis=1) >= _LEAST_KNOWN)
        rows = np.flatnonzero(seen & filled)
        if not len(rows):
            return found
        part = night.of(rows)
        sights = look_at(part)
        places = choose(sights)
        leaks = leaks_of(part, sights, places)
        steady = np.choose(places, [sight.rises & sight.holds & sight.goes_on for sight in sights])
        told = steady & (leaks.grown >= _GROWN * (part.limits - begin[rows]))
        lasted = span_hours(part)
        leaks = leaks._replace(
            hours_left=lasted, hours_low=lasted * leaks.rate / leaks.high, hours_high=lasted * leaks.rate / leaks.low
        )
        for column, value in zip(found, leaks, strict=True):
            column[rows] = np.where(told, value, np.nan)
    return found
