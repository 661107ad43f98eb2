"""When memory ends, and how sure that is. Pure, by column.

What comes and goes stands above what grows, and memory ends at one of its peaks. So no level is taken off the limit but
that of each sample, moved along the slope: (limit - used) / slope - age says when it ends by that one. Of a handful the
first counts; of many, how likely peaks to come are like those that were seen (`passage`).

The interval is one of 95 % for the logarithm of the hours. Errors that know nothing of each other add by their squares:

* of the slope, e as a part of it, and of growth still to come, which is as random as that seen: of a random walk with
  drift that was watched for H hours the error h hours on is e sqrt(1 + H/h) (Hyndman and Athanasopoulos 2021, 5.5);
* of the pace: from half to half of what was seen it changed by a ratio, whose logarithm has the error b. From the
  middle of what was seen to that of what is to come are n = 1 + h/H halves, so the mean pace is unsure by b n; n is 3
  at most, since a pace changes for ever in no direction;
* of the level: when the first peak comes, or by how much the ends of samples scatter; and of the instant, since memory
  is seen once a bucket: its width by sqrt(12).

The point stays that of a straight line. What the ratio seems to be (its logarithm, times n) widens the side to which it
bends. Few points tell hardly anything of it, so it and b are those of Bayes' theorem for normal errors, where the
logarithm of the ratio is known beforehand to be 0, give or take `_PACES`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.line import Line
from collector.judge.detectors.shape import Z
from collector.judge.expression import Numbers

_PACES = 0.3
"""The standard deviation of the logarithm of the ratio of halves: of leaks, paces that fall to 40 % of what they were
are rare, three deviations."""
_MOST_BENT, _MOST_HALVES = 3.0, 3.0
"""No more of a ratio is believed, which may be infinite; nor that a pace changes for longer."""


class Course(NamedTuple):
    """How growth was seen to go, one value a row: bytes/hour with their standard error; for how many hours; the ratio
    of the growth of the later half to that of the earlier, and its standard error (infinite: nothing is known of it).
    """

    slope: Numbers
    error: Numbers
    hours: Numbers
    ratio: Numbers
    ratio_error: Numbers


class Forecast(NamedTuple):
    """Hours until something ends, one value a row, and the ends of their interval of 95 %."""

    left: Numbers
    soonest: Numbers
    latest: Numbers


def course_of(line: Line) -> Course:
    """The course of a line."""
    return Course(line.slope, line.error, line.hours, line.ratio, line.ratio_error)


def hours_left(used: Numbers, ages: Numbers, rates: Numbers, limits: Numbers) -> Numbers:
    """Hours until the first sample of each row reaches the limit, 0 when one has; NaN where the limit is unknown,
    infinite where nothing grows.

    `used` bytes, NaN where unknown, and `ages` hours have a line a row; `rates` are bytes/hour.
    """
    with np.errstate(all="ignore"):
        ends = ends_of(used, ages, rates, limits)
        left: Numbers = np.where(rates > 0, np.maximum(0, np.fmin.reduce(ends, axis=1)), np.inf)
    return left


def scatter_of_ends(used: Numbers, ages: Numbers, rates: Numbers, bucket_hours: Numbers) -> Numbers:
    """The standard error of the hours left, by the level of these samples and by when they were taken, hours."""
    with np.errstate(all="ignore"):
        ends = ends_of(used, ages, rates, np.zeros(len(rates)))
        count = np.isfinite(ends).sum(axis=1)
        apart = ends - (np.nansum(ends, axis=1) / count)[:, None]
        level = np.sqrt(np.nansum(apart**2, axis=1) / np.maximum(1, count - 2))
        error: Numbers = np.hypot(level, bucket_hours / np.sqrt(12))
    return error


def passage(ends: Numbers, bucket_hours: Numbers | float) -> tuple[Numbers, Numbers]:
    """When the first peak reaches the limit, and the standard error of that, hours; not below 0.

    `ends` has a line a row: when the peak of each bucket that was seen would reach it, moved along the slope (NaN: not
    seen). Each bucket to come has the peak of any of these, all alike likely, so that by t hours
    N = sum(max(0, t - end)) / (number * bucket_hours) reach it on average, and none with a chance of exp(-N): what is
    told is when that is a half, and the error is that of 2.5 and 97.5 %. The t at which the first k ends alone make up
    a given N is least where these are all that lie before it.
    """
    with np.errstate(all="ignore"):
        ordered = np.sort(ends, axis=1)  # NaN comes last
        sums, counts = np.cumsum(ordered, axis=1), np.arange(1, ends.shape[1] + 1)
        hours = np.isfinite(ends).sum(axis=1) * bucket_hours
        soonest, median, latest = (
            np.maximum(0, np.fmin.reduce((-np.log(chance) * hours[:, None] + sums) / counts, axis=1))
            for chance in (0.975, 0.5, 0.025)
        )
    return median, (latest - soonest) / (2 * Z)


def interval(left: Numbers, course: Course, scatter: Numbers) -> tuple[Numbers, Numbers]:
    """The ends of the interval of 95 % of so many hours left; `scatter` hours are the error of the level.

    It holds `left` and is never below 0; where `left` is unknown or infinite, so is it.
    """
    with np.errstate(all="ignore"):
        hours = np.maximum(left, scatter)
        halves = np.minimum(_MOST_HALVES, 1 + hours / course.hours)
        bent = np.log(np.clip(course.ratio, 1 / _MOST_BENT, _MOST_BENT))
        trust = np.nan_to_num(1 / (1 + (course.ratio_error / _PACES) ** 2))
        of_slope = course.error / np.abs(course.slope) * np.sqrt(1 + course.hours / hours)
        of_pace, shift = _PACES * np.sqrt(1 - trust) * halves, trust * np.nan_to_num(bent) * halves
        error = Z * np.sqrt(of_slope**2 + of_pace**2 + (scatter / hours) ** 2)
        soonest = left * np.exp(-np.hypot(error, np.maximum(0, shift)))
        latest = hours * np.exp(np.hypot(error, np.maximum(0, -shift)))
    ends = np.isfinite(left)
    return np.where(ends, soonest, left), np.where(ends, latest, left)


def ends_of(used: Numbers, ages: Numbers, rates: Numbers, limits: Numbers) -> Numbers:
    """When each of these samples reaches the limit, moved along the slope: hours from now, less than 0 if it would have
    before."""
    ends: Numbers = (limits[:, None] - used) / rates[:, None] - ages
    return ends
