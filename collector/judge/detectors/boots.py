"""Leaks across boots: each boot takes memory at the same pace until it ends. Pure, by column.

A device that reboots when memory runs low, by itself or by a crash, never shows a long rise, perhaps not even two
samples of one boot: but the samples of all its boots lie on one line of used memory over uptime. Each ended boot is
kept as up to four points (`history`): the medians of three parts of it, and its newest sample, which counts where a
boot was too short for three parts; of others it only says where they ended. A leak is told when the points of at least
three boots rise by a good part of the free memory, at a pace that has an interval above half of it and does not slow
down. A device that restarts every night fills its cache anew each day, so that boots of three parts must not slow down
one with another, either. A counter that never falls takes its records soon after each boot, which lie on a line over
few points, too: it must still rise as boots end.
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
_SLOWS_ERRORS, _SLOWS_LEAST, _SLOWS_MOST = 1.5, 0.1, 0.4
"""What the later parts of boots may rise less than the earlier ones: so many errors of that ratio, within these."""
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
        parts = _without_ends(boots)
        hours, used = (parts[..., place].reshape(len(boots), -1) for place in (0, 1))
        hours, points = hours / HOUR_MS, np.isfinite(used).sum(axis=1)
        first, last = _begin(parts) / HOUR_MS, np.fmax.reduce(boots[..., 0], axis=(1, 2)) / HOUR_MS
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
            at_least("the later rise of boots, in parts of the earlier", "ratio", *_ratio(parts)).or_unknown(),
            at_least("the slope at the ends of boots, where a counter never falls", "rate",
                     _pace_of_ends(parts), _ALIKE * rate).or_unknown().unless(np.full(len(rate), not ratchet)),
        ]  # fmt: skip
        soonest, latest = _interval(left, (rate, low, high), hours, used)
        found = Leaks(rate, low, high, left, soonest, latest, (last - first) * 60, grown)
    return found, asked


def _without_ends(boots: Numbers) -> Numbers:
    """The points that lie on a line: one sample stands above medians of least values, so it counts only where there are
    fewer than three of these."""
    parts = boots.copy()
    parts[:, :, -1][np.isfinite(boots[:, :, POINTS - 2, 0])] = np.nan
    return parts


def _begin(parts: Numbers) -> Numbers:
    """The least uptime, ms: a boot of three parts began half a part before the middle of its first."""
    first, second, third = np.moveaxis(parts[:, :, : POINTS - 1, 0], 2, 0)
    earliest = np.fmin.reduce(parts[..., 0], axis=2)
    begins = np.where(np.isfinite(third), np.fmax(0, first - (second - first) / 2), earliest)
    least: Numbers = np.fmin.reduce(begins, axis=1)
    return least


def _ratio(parts: Numbers) -> tuple[Numbers, Numbers]:
    """How much faster boots of three parts rise from the second to the third than from the first to the second, all
    together; and what it must be at least, by how the boots differ. NaN where fewer than two are known, or do not rise
    at first: they do not slow down."""
    took, rose = np.moveaxis(np.diff(parts[:, :, : POINTS - 1], axis=2), 3, 0)
    early, late = np.moveaxis(rose / took, 2, 0)
    known = np.isfinite(early + late)
    early, late, count = np.where(known, early, 0), np.where(known, late, 0), known.sum(axis=1)
    rising = (count > 1) & (early.sum(axis=1) > 0)
    ratio = np.where(rising, late.sum(axis=1) / early.sum(axis=1), np.nan)
    apart = ((late - ratio[:, None] * early) ** 2).sum(axis=1)
    error = np.sqrt(apart * count / (count - 1)) / early.sum(axis=1)
    return ratio, 1 - np.clip(_SLOWS_ERRORS * error, _SLOWS_LEAST, _SLOWS_MOST)


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


def _pace_of_ends(parts: Numbers) -> Numbers:
    """How fast memory rose from the last point but one of each boot to its last, over all boots that have two."""
    known = np.isfinite(parts[..., 1])
    ordered = np.take_along_axis(parts, np.argsort(~known, axis=2, kind="stable")[..., None], axis=2)
    last = known.sum(axis=2)[..., None, None] - 2
    steps = np.take_along_axis(np.diff(ordered, axis=2), np.maximum(0, last), axis=2)[:, :, 0]
    took, rose = (np.nansum(steps[..., place], axis=1) for place in (0, 1))
    return np.where(took > 0, rose / (took / HOUR_MS), np.nan)


def _middle(values: Numbers) -> Numbers:
    """The median of what is known of each row."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = np.maximum(1, np.isfinite(ordered).sum(axis=1))
    rows = np.arange(len(ordered))
    middle: Numbers = 0.5 * (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2])
    return middle
