"""A night that slows down at its beginning only: what fills after a boot is full, and a leak goes on. Pure, by column.

A line through the whole night bends, as that of a cache does. But a cache, which fills by the same part of what is
left in equal times, slows down all night: by a ratio `r` from half to half of it, so by `r^(2/3)` from half to half of
its last two thirds. If these slow down by less, beyond doubt, they are no end of that bend: they are judged as a night.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.line import mean_of
from collector.judge.detectors.night import Night, is_night, is_young
from collector.judge.detectors.night_leaks import find_night_leaks, leaks_of, shows_leak
from collector.judge.detectors.sights import Sights, least_ratio_of, look_at
from collector.judge.expression import Numbers, Truths

BEGINNING = 1 / 3
"""The part of a night that is left out."""
BEND_KNOWN, BEYOND, STRAIGHT = 0.06, 3.0, 0.9
"""Of the rest: the error of its ratio of halves at most, by how many of these the ratio must be above that of a cache,
and the ratio at least."""


class Rest(NamedTuple):
    """A night without its beginning, and how it looks; its ratio of halves and the error of that; the ratio of a cache
    which slows down as the whole night did, and whether that one did."""

    night: Night
    sights: Sights
    ratio: Numbers
    error: Numbers
    of_cache: Numbers
    whole_slows: Truths


def find_leaks_of_nights(night: Night) -> tuple[Leaks, Truths]:
    """Judge all nights, whole and without their beginnings; and where a leak that was told stays told."""
    leaks, stays = find_night_leaks(night)
    others = np.flatnonzero(np.isnan(leaks.rate))
    for column, value in zip(leaks, find_settled_leaks(night.of(others)), strict=True):
        column[others] = value
    return leaks, stays


def find_settled_leaks(night: Night) -> Leaks:
    """Judge nights without their beginnings."""
    found = Leaks(*np.full((len(Leaks._fields), len(night.least)), np.nan))
    with np.errstate(all="ignore"):
        rows = np.flatnonzero(is_night(night) & is_young(night) & may_slow_down(night))
        if not len(rows):
            return found
        rest = rest_of(night.of(rows))
        told = shows_leak(rest.night, rest.sights, rest.whole_slows & is_settled(rest))
        for column, value in zip(found, leaks_of(rest.night, rest.sights), strict=True):
            column[rows] = np.where(told, value, np.nan)
    return found


def rest_of(night: Night) -> Rest:
    """How nights slow down, and how they do without their beginning."""
    sights = look_at(night)
    whole = sights.course
    slows: Truths = (whole.ratio < least_ratio_of(whole.hours, whole.ratio_error)) & ~sights.by_teeth
    later = _without_beginning(night)
    sights = look_at(later)
    course = sights.course
    of_cache = np.fmax(whole.ratio, 0) ** (1 - BEGINNING)
    return Rest(later, sights, course.ratio, course.ratio_error, of_cache, slows)


def least_of(rest: Rest) -> Numbers:
    """What the ratio of the rest must be: more than that of a cache, beyond doubt."""
    least: Numbers = np.fmax(STRAIGHT, rest.of_cache + BEYOND * rest.error)
    return least


def is_settled(rest: Rest) -> Truths:
    """Whether the rest slows down by less than a cache would, and by little."""
    settled: Truths = (rest.error <= BEND_KNOWN) & (rest.ratio >= least_of(rest)) & ~rest.sights.by_teeth
    return settled


def may_slow_down(night: Night) -> Truths:
    """The cheapest part, for all: each third lies above the one before, the last by less."""
    first, middle, last = (mean_of(third) for third in np.array_split(night.mean, 3, axis=1))
    may: Truths = (last > middle) & (last - middle < middle - first)
    return may


def _without_beginning(night: Night) -> Night:
    left_out = np.arange(night.least.shape[1]) < int(BEGINNING * night.least.shape[1]) + 1
    least, mean = (np.where(left_out, np.nan, each) for each in (night.least, night.mean))
    return night._replace(
        least=least, mean=mean, samples=np.where(left_out[:, None], np.float32(np.nan), night.samples)
    )
