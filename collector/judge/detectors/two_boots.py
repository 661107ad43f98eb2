"""A night in two boots of a board that is sampled every few seconds: whether both grew. Pure, by column.

A board that restarts within the night shows no whole night. Of two boots that are one together a leak is told when

* each was seen for an hour and a half at least, rises beyond doubt, holds to its end and is no staircase
  (`night_leaks.py`);
  they rise alike, by a quarter or by their errors, since what is lost an hour is lost in each boot; neither slows down
  beyond doubt, and both together no more than one night may;
* or one of them was most of a night and tells it by itself, and the other was too short to say otherwise. A boot that
  somebody ended may have ended in the middle of anything: it tells nothing by itself.

A boot before that had run for days was asked in its first nights, and may be a night's neighbour by chance: the boot
after it shows a night of its own.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from collector.judge.detectors.conditions import Asked, all_held, all_of, at_least, at_most, is_so, one_of
from collector.judge.detectors.forecast import Course, interval
from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.night import LEAST_KNOWN, NIGHT_H, STARTING, YOUNG_H, Night, stands_above
from collector.judge.detectors.night_leaks import left_of, scatter_of_blocks
from collector.judge.detectors.shape import Z
from collector.judge.detectors.sights import is_staircase, least_ratio_of, look_at
from collector.judge.expression import Numbers, Truths

_LEAST_H, _MOST_OF_A_NIGHT_H = 1.5, NIGHT_H * 2 / 3
_ALIKE, _ALIKE_ERRORS = 0.25, 2.5
"""By which part of the larger slope the two may differ, or by so many errors."""
_DOUBT = 2.5
"""Errors by which neither boot may slow down by itself."""


class Ended(NamedTuple):
    """How each boot before came to its end: for how many hours it had run (NaN: unknown), and whether it was `cut`:
    somebody ended it."""

    hours: Numbers
    cut: Truths


class _Course(NamedTuple):
    """What the sight that counts tells of one boot, one value a row: the names of `line.Line`; how long it was seen,
    whether it rises beyond doubt, holds, and is no staircase, and what its blocks stand beside their line, bytes."""

    slope: Numbers
    error: Numbers
    hours: Numbers
    ratio: Numbers
    ratio_error: Numbers
    seen_hours: Numbers
    good: Truths
    scatter: Numbers

    @property
    def goes_on(self) -> Truths:
        """Whether it does not slow down more than a night may."""
        on: Truths = self.ratio >= least_ratio_of(self.hours, self.ratio_error)
        return on


def find_leaks_of_two_boots(before: Night, now: Night, ended: Ended) -> tuple[Leaks, Truths]:
    """Judge the boot that is over together with the one that lasts; and where a leak that was told stays told."""
    leaks, asked = asked_of_two_boots(before, now, ended)
    told = all_held(asked)
    stays: Truths = (leaks.low > 0) | (_seen_hours(now) < _LEAST_H)
    return Leaks(*(np.where(told, column, np.nan) for column in leaks)), stays


def asked_of_two_boots(before: Night, now: Night, ended: Ended) -> tuple[Leaks, list[Asked]]:
    """The numbers of all series, and what must hold for a leak to be told."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # medians of a boot of which hardly anything was seen
        early, late = _course_of(before), _course_of(now)
        both, by_early, by_late = _choices(early, late, ended.cut)
        hours = (
            np.where(by_late.held & ~both.held, 0, early.hours),
            np.where(by_early.held & ~both.held, 0, late.hours),
        )
        leaks = _leaks_of(now, early, late, hours)
    known = np.isfinite(before.least) | np.isfinite(now.least)
    whole = (known.shape[1] - np.argmax(known, axis=1) + STARTING) * now.block_hours
    return leaks, [
        at_most("how long the boot before had run", "hours", ended.hours, YOUNG_H).or_unknown(),
        at_least("how long both boots were seen", "hours", whole, NIGHT_H),
        at_least("blocks known", "number", known.sum(axis=1), LEAST_KNOWN),
        one_of("who tells it", [both, by_early, by_late]),
    ]


def _choices(early: _Course, late: _Course, cut: Truths) -> list[Asked]:
    """Both boots, or one of them if it was most of a night, and the other does not say otherwise."""
    alike = _are_alike(early, late)
    both = [
        at_least("how long the shorter was seen", "hours", np.fmin(early.seen_hours, late.seen_hours), _LEAST_H),
        is_so("each rises beyond doubt, holds, and not in steps", early.good & late.good),
        is_so("they rise alike", alike),
        is_so("neither slows down", _go_on(early, late)),
    ]
    alone = [
        [
            at_least("how long it was seen", "hours", one.seen_hours, _MOST_OF_A_NIGHT_H),
            is_so("it rises beyond doubt, holds, and not in steps", one.good),
            is_so("it does not slow down", one.goes_on),
            is_so("the other is too short to say otherwise", alike | (other.seen_hours < _LEAST_H)),
        ]
        for one, other in ((early, late), (late, early))
    ]
    alone[0].append(is_so("nobody ended it", ~cut))
    return [all_of("both boots", both), all_of("the boot before", alone[0]), all_of("this boot", alone[1])]


def _course_of(night: Night) -> _Course:
    sights = look_at(night)
    good = sights.all_of("rises", "holds") & stands_above(night, sights.grown)
    good[good] = ~is_staircase(sights, np.flatnonzero(good))
    return _Course(*sights.course, _seen_hours(night), good, scatter_of_blocks(night, sights))


def _seen_hours(night: Night) -> Numbers:
    hours: Numbers = np.isfinite(night.least).sum(axis=1) * night.block_hours
    return hours


def _are_alike(early: _Course, late: _Course) -> Truths:
    apart, error = np.abs(early.slope - late.slope), np.hypot(early.error, late.error)
    alike: Truths = apart <= np.fmax(_ALIKE * np.fmax(early.slope, late.slope), _ALIKE_ERRORS * error)
    return alike


def _go_on(early: _Course, late: _Course) -> Truths:
    """Whether neither slows down beyond doubt, and both together no more than one may."""
    sure = [
        boot.ratio >= np.fmin(least_ratio_of(boot.hours, boot.ratio_error), 1 - _DOUBT * boot.ratio_error)
        for boot in (early, late)
    ]
    ratio, error = _ratio_of(early, late)
    on: Truths = sure[0] & sure[1] & ~(ratio < least_ratio_of(np.fmin(early.hours, late.hours), error))
    return on


def _ratio_of(early: _Course, late: _Course) -> tuple[Numbers, Numbers]:
    """How the halves of both boots differ, and its error: what each tells, by how well it knows."""
    weights = [1 / boot.ratio_error**2 for boot in (early, late)]
    error = 1 / np.sqrt(weights[0] + weights[1])
    return (early.ratio * weights[0] + late.ratio * weights[1]) * error**2, error


def _leaks_of(now: Night, early: _Course, late: _Course, hours: tuple[Numbers, Numbers]) -> Leaks:
    """The numbers of a leak by both boots, each for so many hours."""
    total = hours[0] + hours[1]
    slope = (np.where(hours[0], early.slope * hours[0], 0) + np.where(hours[1], late.slope * hours[1], 0)) / total
    error = (
        np.hypot(np.where(hours[0], early.error * hours[0], 0), np.where(hours[1], late.error * hours[1], 0)) / total
    )
    left, scatter = left_of(now, slope, np.hypot(early.scatter, late.scatter) / slope)
    course = Course(slope, error, total, *_ratio_of(early, late))
    soonest, latest = interval(left, course, scatter)
    low, high = slope - Z * error, slope + Z * error
    return Leaks(slope, low, high, left, soonest, latest, total * 60, slope * total)
