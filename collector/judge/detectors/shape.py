"""Shapes of windows: envelopes, slopes, curvature. Pure, one window a row, oldest bucket first, NaN where unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

Z = 1.96
"""Standard errors to either end of an interval of 95 %."""
_CORRELATED = 1.5
"""Neighbours on an envelope err alike: errors of a fit are this many times larger than if each erred for itself."""

_FLAT_LEVEL, _FLAT_PART = 0.1, 0.25
"""An envelope is flat at first where it takes that part of the time to rise by that part of its growth."""


class Bend(NamedTuple):
    """How far a window is from a straight line.

    `ratio` is the growth of its second half over that of its first, `ratio_error` its standard error; `deviation` the
    largest distance of its cubic from the straight line as a part of what it grew, `deviation_error` likewise.
    """

    ratio: Numbers
    ratio_error: Numbers
    deviation: Numbers
    deviation_error: Numbers


def envelope(windows: Numbers) -> Numbers:
    """What was never given back: from each bucket on, the least value to come. What lies before all is unknown."""
    held = np.fmin.accumulate(windows[:, ::-1], axis=1)[:, ::-1]
    known: Truths = np.logical_or.accumulate(np.isfinite(windows), axis=1)
    return np.where(known, held, np.nan)


def onset(held: Numbers) -> Numbers:
    """The place from which each envelope rises, where it is flat at first; else that of its first known bucket."""
    first, last = first_and_last(held)
    begin, end = at_part(held, 0), at_part(held, 1)
    low = held <= (begin + _FLAT_LEVEL * (end - begin))[:, None]
    last_low = held.shape[1] - 1 - low[:, ::-1].argmax(axis=1)
    return np.where(last_low - first >= _FLAT_PART * (last - first), last_low, first)


def since(begins: Numbers, windows: Numbers) -> Truths:
    """Which buckets of each row do not lie before that place."""
    not_before: Truths = np.arange(windows.shape[1]) >= begins[:, None]
    return not_before


def least_of_day(windows: Numbers, a_day: int) -> Numbers:
    """For each bucket the least of the `a_day` buckets that end with it: the same hours of the day, whichever it is.

    Unknown before a whole day is known, and where nothing was heard for more than half of it: what is least in the
    other hours is no least of a day.
    """
    gap = a_day // 2
    least = _slid(_slid(windows, gap + 1, np.fmin), a_day - gap, np.minimum)
    known = np.isfinite(windows)
    whole = np.arange(least.shape[1]) >= np.where(known.any(axis=1), known.argmax(axis=1), windows.shape[1])[:, None]
    return np.where(whole, least, np.nan)


def _slid(windows: Numbers, buckets: int, least: Callable[[Numbers, Numbers], Numbers]) -> Numbers:
    """The least of so many buckets that end with each, from the first that has as many."""
    slid, so_far = windows, 1
    while so_far < buckets:  # the least of twice as many, up to all
        further = min(so_far, buckets - so_far)
        slid, so_far = least(slid[:, further:], slid[:, :-further]), so_far + further
    return slid


def excursions(over: Numbers, height: Numbers) -> Numbers:
    """How often each row rises above that height, having been below."""
    high = np.nan_to_num(over) > height[:, None]
    counts: Numbers = np.sum(high[:, 1:] & ~high[:, :-1], axis=1).astype(np.float64)
    return counts


def first_and_last(windows: Numbers) -> tuple[Numbers, Numbers]:
    """The places of the first and the last known bucket."""
    known = np.isfinite(windows)
    return known.argmax(axis=1), windows.shape[1] - 1 - known[:, ::-1].argmax(axis=1)


def at_part(held: Numbers, part: float | Numbers) -> Numbers:
    """The value at that part of the way from the first known bucket to the last."""
    first, last = first_and_last(held)
    values: Numbers = held[np.arange(len(held)), first + np.rint((last - first) * part).astype(np.int64)]
    return values


def slopes(held: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """The median of the slopes of all pairs (Theil 1950, Sen 1968) and the ends of Sen's 95 % interval, per bucket."""
    places = np.broadcast_to(np.arange(held.shape[1], dtype=np.float64), held.shape)
    return ranked_slopes(pair_slopes(places, held), np.isfinite(held).sum(axis=1))


def pair_slopes(x: Numbers, y: Numbers, least_apart: Numbers | float = 0.0) -> Numbers:
    """The slopes of all pairs of points of each row; NaN of those that are not farther apart than that."""
    left, right = np.triu_indices(x.shape[1], 1)
    apart = x[:, right] - x[:, left]
    far = np.abs(apart) > np.reshape(least_apart, (-1, 1))
    pairs: Numbers = np.where(far, (y[:, right] - y[:, left]) / np.where(far, apart, 1), np.nan)
    return pairs


def ranked_slopes(pairs: Numbers, points: Rows) -> tuple[Numbers, Numbers, Numbers]:
    """Median and interval of the slopes of pairs of so many points; NaN where there are none."""
    ordered = np.sort(pairs, axis=1)  # NaN comes last
    count = np.isfinite(ordered).sum(axis=1)
    half_width = Z * np.sqrt(points * (points - 1) * (2 * points + 5) / 18)

    def ranked(rank: Numbers) -> Numbers:
        place = np.clip(np.rint(rank), 0, np.maximum(0, count - 1)).astype(np.int64)
        values: Numbers = ordered[np.arange(len(ordered)), place]
        return values

    middle = 0.5 * (ranked(np.floor((count - 1) / 2)) + ranked(np.ceil((count - 1) / 2)))
    return middle, ranked((count - half_width) / 2), ranked((count + half_width) / 2)


def bend(held: Numbers, resolution: Numbers) -> Bend:
    """How much a window bends: a cubic in Legendre's polynomials by least squares, and the errors of its terms."""
    known: Truths = np.isfinite(held)
    first, last = first_and_last(held)
    x = 2 * (np.arange(held.shape[1]) - first[:, None]) / np.maximum(1, last - first)[:, None] - 1
    basis = np.stack([np.ones_like(x), x, 1.5 * x**2 - 0.5, 2.5 * x**3 - 1.5 * x], axis=2) * known[:, :, None]
    values = np.where(known, held - np.fmin.reduce(held, axis=1)[:, None], 0)
    normal = np.einsum("nki,nkj->nij", basis, basis) + 1e-9 * np.eye(4)
    inverse = np.linalg.inv(normal)
    terms = np.einsum("nij,nj->ni", inverse, np.einsum("nki,nk->ni", basis, values))
    rest = np.where(known, values - np.einsum("nki,ni->nk", basis, terms), 0)
    freedom = np.maximum(1, known.sum(axis=1) - 4)
    variance = (rest**2).sum(axis=1) / freedom + resolution**2 / 12
    errors = _CORRELATED * np.sqrt(variance[:, None] * np.einsum("nii->ni", inverse))
    half = terms[:, 1] + terms[:, 3]
    later, earlier = half + 1.5 * terms[:, 2], half - 1.5 * terms[:, 2]
    ratio = np.where(earlier > 0, later / earlier, np.where(later > 0, np.inf, 0))
    return Bend(
        ratio,
        3 * errors[:, 2] / half,
        (1.5 * np.abs(terms[:, 2]) + 0.96 * np.abs(terms[:, 3])) / (2 * half),
        np.hypot(1.5 * errors[:, 2], 0.96 * errors[:, 3]) / (2 * half),
    )


def to_come(grown: Numbers, ratio: Numbers) -> Numbers:
    """What is to come where growth slows down by `ratio` from half window to half window: the sum of a geometric
    series, bytes; less than nothing where it has turned."""
    for_ever = np.where(ratio < 1, grown * ratio / (1 + ratio) * ratio / (1 - ratio), np.inf)
    return np.where(ratio > 0, for_ever, -np.inf)


def bend_of_a_day(hours: Numbers) -> Numbers:
    """The largest distance from a straight line of a wave of 24 hours, where it bends least, over so many hours."""
    angle = np.pi * np.minimum(hours, 12.0) / 24
    bends: Numbers = (np.sin(angle / 2) - np.sin(angle) / 2) / (2 * np.sin(angle))
    return bends
