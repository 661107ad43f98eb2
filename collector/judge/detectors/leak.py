"""Leak: memory that is taken steadily and never given back. Pure, by column.

Looked at is the envelope of used memory: at each instant the least value from then on, so what was never given back;
on the two longest levels that of the least value of each 24 hours, so that a daily cycle is flat.

A leak is told when, over the closed buckets of one level,
* the envelope rose at least so often, in every third of the time alike: no single step, no last tooth, no plateau;
* it is above all that stood before the window, and without a fall in it above the peaks from which memory fell before:
  else it is the next tooth; and it grew by more than what came and went meanwhile;
* its slope (`shape.slopes`) has an interval above half of it;
* even slowing down as it did from the first half to the second (by q, so for ever by q + q^2 + ...) it would reach the
  limit: a cache that warms up would not. q is taken low by its error (`shape.bend`);
* and it grew by a part of what was free that no healthy rise of such length reaches (`_evidence`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from collector.judge.detectors.history import DAY_MS, HOUR_MS, WIDTHS_MS
from collector.judge.detectors.shape import (
    Bend,
    at_part,
    bend,
    bend_of_a_day,
    envelope,
    first_and_last,
    least_of_day,
    slopes,
)
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

LEAST_KNOWN = 7
_LEAST_SPAN, _LEAST_RISES = 8, 6
_SHORT_LEVELS, _SHORT_SPAN = 3, 12
_DAILY_SPAN, _DAILY_RISES = 5, 4
_THIRD = 0.5
_FALL = 0.25
"""A fall by less than this part of what it grew is noise on a single rise."""
_MARGIN = 0.25
_ABOVE_NOISE = 1.5
"""By how many times what rises above the envelope within the window, and falls again, the envelope must have grown."""

_TOOTH, _LARGEST_WAVE = 0.45, 0.6
"""Parts of the free memory: a tooth of a saw, and a daily cycle from its trough to its crest, stay below."""
_KNOWN_FOR, _NEWS_PART, _KNOWN_DAY_H = 4.0, 0.20, 30.0
"""A boot that lasts so many times the rise, and longer than a day, would have shown its teeth and waves before."""
_STEADY_PART = 0.25
_STRAIGHT_FROM_H, _STRAIGHT_PART, _STRAIGHT_RATIO, _STRAIGHTER = 7.0, 0.01, 0.90, 0.5
_QUIET_FROM_MS, _QUIET_PART, _QUIET_SAMPLES = 1_800_000, 0.01, 100
_DAILY_PART = 0.02
_UNLIMITED_PART, _UNLIMITED_RATIO = 0.25, 0.8
_ERRORS = 1.0
_CHUNK = 2048


class Ground(NamedTuple):
    """What is known of the series beside their windows: one value a row.

    `limits` bytes (NaN: unknown); `ceilings` highest peaks from which memory fell (NaN: it never did); `held_before`
    the highest least value of any span before the window; `peaks` how high memory rises above its least values;
    `resolutions` bytes; `quiet_ms` and `quiet_samples` for how long it never fell, 0 where the counter cannot fall;
    `age_ms` for how long the boot lasts.
    """

    limits: Numbers
    ceilings: Numbers
    held_before: Numbers
    peaks: Numbers
    resolutions: Numbers
    quiet_ms: Numbers
    quiet_samples: Numbers
    age_ms: Numbers

    def of(self, rows: Rows) -> Ground:
        """Of those rows only."""
        return Ground(*(column[rows] for column in self))


class Leaks(NamedTuple):
    """One value a row, NaN where no leak is told.

    Bytes/hour with interval; hours left with interval; minutes seen, bytes grown.
    """

    rate: Numbers
    low: Numbers
    high: Numbers
    hours_left: Numbers
    hours_low: Numbers
    hours_high: Numbers
    minutes: Numbers
    grown: Numbers


def find_leaks(windows: Numbers, level: int, ground: Ground) -> Leaks:
    """Judge one window a row (closed buckets of that level, oldest first) of least used bytes."""
    found = Leaks(*np.full((len(Leaks._fields), len(windows)), np.nan))
    looked_at = watched(windows, level)
    with np.errstate(all="ignore"):
        chosen = np.flatnonzero(_may_leak(windows, looked_at, level, ground))
        for start in range(0, len(chosen), _CHUNK):
            part = chosen[start : start + _CHUNK]
            _tell(found, part, looked_at[part], level, ground.of(part))
    return found


def is_daily(level: int) -> bool:
    """Whether the buckets of a level divide a day, and a window holds several days."""
    return WIDTHS_MS[level] >= 3 * HOUR_MS


def watched(windows: Numbers, level: int) -> Numbers:
    """What is looked at on a level: the buckets, or the least of 24 hours up to each."""
    return least_of_day(windows, DAY_MS // WIDTHS_MS[level]) if is_daily(level) else windows


def _may_leak(windows: Numbers, looked_at: Numbers, level: int, ground: Ground) -> Truths:
    """The cheap part: enough points and rises, every third alike, no tooth."""
    daily, held = is_daily(level), envelope(looked_at)
    first, last = first_and_last(looked_at)
    begin, third, two_thirds, end = (at_part(held, part) for part in (0, 1 / 3, 2 / 3, 1))
    grown = end - begin
    span = _DAILY_SPAN if daily else _SHORT_SPAN if level < _SHORT_LEVELS else _LEAST_SPAN
    alike = np.minimum.reduce([third - begin, two_thirds - third, end - two_thirds]) >= _THIRD * grown / 3
    may_leak: Truths = (
        (np.isfinite(looked_at).sum(axis=1) >= (_DAILY_SPAN if daily else LEAST_KNOWN))
        & (last - first >= span)
        & (grown > 2 * ground.resolutions)
        & (grown >= np.nan_to_num(0.01 * (ground.limits - begin)))
        & (np.sum(np.diff(held, axis=1) > 0, axis=1) >= (_DAILY_RISES if daily else _LEAST_RISES))
        & alike
    )
    if not daily:
        above = np.fmax.reduce(windows - held, axis=1)
        fell = above > np.maximum(_FALL * grown, 2 * ground.resolutions)
        ceilings = np.where(fell, ground.held_before, np.fmax(ground.ceilings, ground.held_before))
        may_leak &= (grown >= _ABOVE_NOISE * above) & (np.isnan(ceilings) | (end > ceilings + _MARGIN * grown))
    return may_leak


def _tell(found: Leaks, rows: Rows, looked_at: Numbers, level: int, ground: Ground) -> None:
    held = np.where(np.isfinite(looked_at), envelope(looked_at), np.nan)
    bucket_hours = WIDTHS_MS[level] / HOUR_MS
    rate, low, high = slopes(held)
    now, begin = np.fmax.reduce(held, axis=1), np.fmin.reduce(held, axis=1)
    first, last = first_and_last(held)
    hours = (last - first) * bucket_hours
    bent = bend(held, ground.resolutions)
    told = (low > 0.5 * rate) & _evidence(hours, now - begin, begin, bent, level, ground)
    room = np.maximum(0, ground.limits - now - np.nan_to_num(ground.peaks))
    rate, low, high = rate / bucket_hours, low / bucket_hours, high / bucket_hours
    values = Leaks(rate, low, high, room / rate, room / high, room / low, hours * 60, now - begin)
    for column, value in zip(found, values, strict=True):
        column[rows] = np.where(told, value, np.nan)


def _evidence(hours: Numbers, grown: Numbers, begin: Numbers, bent: Bend, level: int, ground: Ground) -> Truths:
    """Whether growth of this size and shape over so many hours is more than any healthy rise.

    A tooth of a saw stays below `_TOOTH` of the free memory, a daily cycle below its sine; smaller growth must be news
    to a boot that is known for long, or straighter than a wave of 24 hours can be, or on a series that never gives
    anything back, or go on over days.
    """
    part, left = grown / (ground.limits - begin), ground.limits - begin - grown
    ratio = bent.ratio - _ERRORS * bent.ratio_error
    wave = _LARGEST_WAVE * np.sin(np.pi * np.minimum(hours, 12) / 24)
    age_hours = ground.age_ms / HOUR_MS
    known = (age_hours >= _KNOWN_FOR * hours) & (age_hours >= _KNOWN_DAY_H)
    large = part >= np.where(known, _NEWS_PART, np.maximum(_TOOTH, wave))
    bends = np.array([bend_of_a_day(float(one)) for one in hours])
    straight = bent.deviation + bent.deviation_error < _STRAIGHTER * bends
    quiet_for = ground.quiet_ms >= np.maximum(_QUIET_FROM_MS, hours * HOUR_MS)
    quiet = quiet_for & (ground.quiet_samples >= _QUIET_SAMPLES) & (grown >= _QUIET_PART * ground.limits)
    steady = straight & (hours >= _STRAIGHT_FROM_H)
    enough = large | quiet | (steady & (part >= _STEADY_PART))
    if is_daily(level):
        enough |= part >= _DAILY_PART
    by_ratio = _will_end(grown, ratio, left)
    night = steady & (part >= _STRAIGHT_PART) & (ratio >= _STRAIGHT_RATIO)
    unlimited = np.isnan(ground.limits) & (grown >= _UNLIMITED_PART * begin) & (ratio >= _UNLIMITED_RATIO)
    told: Truths = (enough & by_ratio) | night | unlimited
    return told


def _will_end(grown: Numbers, ratio: Numbers, left: Numbers) -> Truths:
    """Whether what is left would be used up though growth slows down by `ratio` from half window to half window."""
    to_come = np.where(ratio < 1, grown * ratio / (1 + ratio) * ratio / (1 - ratio), math.inf)
    will_end: Truths = (ratio > 0) & (to_come >= left)
    return will_end


def goes_on(windows: Numbers, level: int, *, flat: bool = False) -> Truths:
    """Whether growth goes on at the end of each window, so that a leak once told stays told; `flat`: or has stopped."""
    with np.errstate(all="ignore"):
        looked_at = watched(windows, level)
        held = envelope(looked_at)
        begin, two_thirds, end = (at_part(held, part) for part in (0, 2 / 3, 1))
        grown = end - two_thirds
        on: Truths = (grown >= 0) & (end > begin) if flat else grown > 0.2 * (end - begin) / 3
    return on
