"""Leaks across boots: each boot takes memory at the same pace until it ends. Pure, by column.

A device that reboots when memory runs low, by itself or by a crash, never shows a long rise, perhaps not even two
samples of one boot: but the samples of all its boots lie on one line of used memory over uptime. Each ended boot is
kept as up to four points (`history`). A leak is told when the points of at least three boots rise by a good part of the
free memory, at a pace that has an interval above half of it and does not slow down. A counter that never falls takes
its records soon after each boot, which lie on a line over few points, too: it must still rise as boots end.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.conditions import Asked, all_held, at_least, more_than
from collector.judge.detectors.forecast import Course, interval, scatter_of_ends
from collector.judge.detectors.history import HOUR_MS
from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.marks import POINTS
from collector.judge.detectors.shape import Z, pair_slopes, ranked_slopes
from collector.judge.expression import Numbers

LEAST_BOOTS, LEAST_POINTS, _LATE_BOOTS = 3, 5, 2
"""Of boots, of points of them, and of boots that lasted: where many are short, all slopes end at the one that did."""
_PART, _OFTEN_PART, _OFTEN = 0.4, 0.25, 5
"""Parts of the free memory: what boots must take, and so many of them that agree. Records of load agree, too: of
counters that never fall the larger part is asked of any number of boots."""
_ALIKE = 0.4
"""The pace over later uptimes is at least this part of that over earlier ones: a cache slows down. And the pace at
which boots end is at least this part of that over all."""
_ENDS_ALIKE, _ENDS_HIGH = 0.05, 0.75
"""Parts of the limit: boots that end so close to each other, and so high, end because of that level."""


def find_leaks_across_boots(boots: Numbers, limits: Numbers, *, ratchet: bool) -> tuple[Leaks, Numbers]:
    """Judge rows of boots x points x (uptime ms, used bytes), newest first, of counters that never fall or of others;
    leaks, and how many boots tell each.

    The hours left are those from a boot to the end of memory.
    """
    found, asked = asked_across_boots(boots, limits, ratchet=ratchet)
    told = all_held(asked)
    leaks = Leaks(*(np.where(told, value, np.nan) for value in found))
    return leaks, np.where(told, _count(boots).astype(np.float64), np.nan)


def asked_across_boots(boots: Numbers, limits: Numbers, *, ratchet: bool) -> tuple[Leaks, list[Asked]]:
    """What is found in each row, whatever it is, and all that must hold lest it be nothing."""
    with np.errstate(all="ignore"):
        hours, used = (boots[..., place].reshape(len(boots), -1) for place in (0, 1))
        hours, points = hours / HOUR_MS, np.isfinite(used).sum(axis=1)
        first, last = np.fmin.reduce(hours, axis=1), np.fmax.reduce(hours, axis=1)
        slopes = pair_slopes(hours, used, least_apart=0.1 * (last - first))
        rate, low, high = ranked_slopes(slopes, points)
        level = _middle(used - rate[:, None] * hours)
        grown, left = rate * (last - first), (ends_of(boots, limits) - level) / rate
        early, late = _paces(hours, used)
        count = _count(boots)
        part = np.where((count >= _OFTEN) & (not ratchet), _OFTEN_PART, _PART)
        asked = [
            at_least("earlier boots known", "number", count, LEAST_BOOTS),
            at_least("points of them", "number", points, LEAST_POINTS),
            at_least("boots that lasted for half of the longest", "number", _late(boots[..., 0]), _LATE_BOOTS),
            at_least("growth from the least uptime to the longest", "size", grown,
                     part * (limits - level - rate * first)),
            more_than("the slope at least", "rate", low, 0.5 * rate),
            at_least("the slope over later uptimes", "rate", late, _ALIKE * early).or_unknown(),
            at_least("the slope at the ends of boots, where a counter never falls", "rate",
                     _pace_of_ends(boots), _ALIKE * rate).or_unknown().unless(np.full(len(rate), not ratchet)),
        ]  # fmt: skip
        soonest, latest = _interval(left, (rate, low, high), hours, used)
        found = Leaks(rate, low, high, left, soonest, latest, (last - first) * 60, grown)
    return found, asked


def _interval(left: Numbers, rates: tuple[Numbers, ...], hours: Numbers, used: Numbers) -> tuple[Numbers, Numbers]:
    """The interval of the hours from a boot to the end of memory. Boots were seen to their ends, so they say how
    growth bends until then."""
    rate, low, high = rates
    seen = np.fmax.reduce(hours, axis=1) - np.fmin.reduce(hours, axis=1)
    course = Course(rate, (high - low) / (2 * Z), seen, np.ones(len(rate)), np.zeros(len(rate)))
    return interval(left, course, scatter_of_ends(used, -hours, rate, np.zeros(len(rate))))


def ends_of(boots: Numbers, limits: Numbers) -> Numbers:
    """The level at which memory ends, bytes: the limit, or where boots ended before it, all alike, as those of a device
    that restarts itself when memory runs low."""
    ends = boots[:, :, -1, 1]
    highest, lowest = np.fmax.reduce(ends, axis=1), np.fmin.reduce(ends, axis=1)
    alike = (highest - lowest <= _ENDS_ALIKE * limits) & (highest >= _ENDS_HIGH * limits)
    return np.where(alike & (_count(boots) >= LEAST_BOOTS), highest, limits)


def _count(boots: Numbers) -> Numbers:
    """How many boots of each row are known."""
    count: Numbers = np.isfinite(boots[..., 1]).any(axis=2).sum(axis=1)
    return count


def _late(hours: Numbers) -> Numbers:
    """How many boots of each row have a point in the later half of all uptimes."""
    middle = 0.5 * (np.fmin.reduce(hours, axis=(1, 2)) + np.fmax.reduce(hours, axis=(1, 2)))
    late: Numbers = (hours >= middle[:, None, None]).any(axis=2).sum(axis=1).astype(np.float64)
    return late


def _paces(hours: Numbers, used: Numbers) -> tuple[Numbers, Numbers]:
    """The slopes over the earlier and over the later half of the uptimes."""
    middle = _middle(hours)[:, None]
    early, late = (
        ranked_slopes(pair_slopes(hours, np.where(part, used, np.nan)), (part & np.isfinite(used)).sum(axis=1))[0]
        for part in (hours <= middle, hours >= middle)
    )
    return early, late


def _pace_of_ends(boots: Numbers) -> Numbers:
    """How fast memory rose from the last point but one of each boot to its last, over all boots that have two."""
    last, before = boots[:, :, -1], boots[:, :, -2]
    for place in range(POINTS - 3, -1, -1):
        before = np.where(np.isnan(before), boots[:, :, place], before)
    took, rose = (np.nansum((last - before)[..., place], axis=1) for place in (0, 1))
    return np.where(took > 0, rose / (took / HOUR_MS), np.nan)


def _middle(values: Numbers) -> Numbers:
    """The median of what is known of each row."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = np.maximum(1, np.isfinite(ordered).sum(axis=1))
    rows = np.arange(len(ordered))
    middle: Numbers = 0.5 * (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2])
    return middle
