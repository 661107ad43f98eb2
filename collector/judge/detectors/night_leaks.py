"""Night: a leak on a board that is sampled every few seconds, told when one night has gone by. Pure, by column.

Looked at are the `sights.py` of eight hours. A leak is told when they are a night, and the line through one of the
sights

* rises beyond doubt, by more than is worth a word, and what is held at the end stood nowhere before the night;
* does not end in a fall: what comes back to where it was is a tooth as long as the night;
* does not slow down from the first half to the second beyond what its error explains, or by hardly anything: a cache
  that fills for days slows down by no more. Nor may it race away: what begins within the night is not yet known;
* is closer to the blocks than a staircase of a few levels is, or rises too often for one (`stairs.py`);
* begins with its boot, or is surer by far, with halves alike.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.forecast import interval, passage
from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.line import mean_of
from collector.judge.detectors.night import (
    LEVEL_BLOCKS,
    Night,
    begins_with_boot,
    is_kept,
    is_news,
    is_night,
    is_young,
    worth,
)
from collector.judge.detectors.shape import Z
from collector.judge.detectors.sights import Sights, is_staircase, lifts_floors, look_at
from collector.judge.expression import Numbers, Truths

SURER, EVEN = 6.0, 0.8
"""Deviates by which a night must rise that does not begin with its boot, and what the lesser of its halves must be of
the larger: a board at work has mornings, queues and caches, and is asked every five minutes."""
STAYS = 2.0
"""Deviates by which a leak that was told must still rise, lest it be taken back."""


def find_night_leaks(night: Night) -> tuple[Leaks, Truths]:
    """Judge all series; and where a leak that was told stays told."""
    found = Leaks(*np.full((len(Leaks._fields), len(night.least)), np.nan))
    stays = np.zeros(len(night.least), dtype=np.bool_)
    with np.errstate(all="ignore"):
        rows = np.flatnonzero(_may_have_grown(night))
        if not len(rows):
            return found, stays
        part = night.of(rows)
        sights = look_at(part)
        told = shows_leak(part, sights, is_night(part) & is_young(part) & (begins_with_boot(part) | is_sure(sights)))
        stays[rows] = np.any([sight.line.deviates > STAYS for sight in sights.each], axis=0)
        for column, value in zip(found, leaks_of(part, sights), strict=True):
            column[rows] = np.where(told, value, np.nan)
    return found, stays


def shows_leak(night: Night, sights: Sights, long_enough: Truths) -> Truths:
    """Whether the sight that counts tells a leak, where what was seen is long enough."""
    good = sights.all_of("rises", "holds", "goes_on") & long_enough
    told: Truths = good & is_news(night, sights.grown) & is_kept(night, sights.grown) & lifts_floors(sights)
    told[told] = ~is_staircase(sights, np.flatnonzero(told))
    return told


def is_sure(sights: Sights) -> Truths:
    """Whether the sight that counts rises as is asked of a night that does not begin with its boot."""
    ratio = sights.course.ratio
    sure: Truths = (sights.deviates > SURER) & (ratio >= EVEN) & (ratio <= 1 / EVEN)
    return sure


def _may_have_grown(night: Night) -> Truths:
    """The cheapest part, for all: enough is known, and the last third lies above the first in one way or the other."""
    third = night.least.shape[1] // 3
    low = np.fmin.reduce(night.least[:, -third:], axis=1) - np.fmin.reduce(night.least[:, :third], axis=1)
    middle = mean_of(night.mean[:, -third:]) - mean_of(night.mean[:, :third])
    may_have: Truths = is_night(night) & (np.fmax(low, middle) > worth(night) / 4)
    return may_have


def leaks_of(night: Night, sights: Sights) -> Leaks:
    """The numbers of a leak by the sights that count."""
    course = sights.course
    slope, error, hours = course.slope, course.error, course.hours
    left, scatter = left_of(night, slope, scatter_of_blocks(night, sights) / slope)
    soonest, latest = interval(left, course, scatter)
    return Leaks(slope, slope - Z * error, slope + Z * error, left, soonest, latest, hours * 60, sights.grown)


def left_of(night: Night, slope: Numbers, scatter: Numbers) -> tuple[Numbers, Numbers]:
    """Hours until memory ends, and their error by the level: by the highest samples of each block, where they are kept;
    else by what is held at the end of the night with the largest fall of late on it, and `scatter` is that error; or by
    the most that the device itself has seen used, where that is sooner."""
    blocks, hours = night.least.shape[1], night.block_hours
    begins = np.arange(blocks, 0, -1) * hours
    held = np.fmin.reduce((night.least + slope[:, None] * begins)[:, -LEVEL_BLOCKS:], axis=1)
    by_level = np.maximum(0, night.limits - held - np.nan_to_num(night.peaks)) / slope
    highest = np.fmax.reduce(night.samples, axis=2, initial=np.nan).astype(np.float64)
    ends = (night.limits[:, None] - highest) / slope[:, None] - begins + hours / 2
    by_samples, of_samples = passage(ends, hours)
    sampled = np.isfinite(by_samples)
    by_most = np.maximum(0, night.limits - night.most) / slope
    return np.fmin(np.where(sampled, by_samples, by_level), by_most), np.where(sampled, of_samples, scatter)


def scatter_of_blocks(night: Night, sights: Sights) -> Numbers:
    """The standard error of where a night ends, bytes: what its blocks stand beside their line, or a step of the
    counter."""
    scatters: Numbers = np.hypot(np.sqrt(mean_of(sights.each[0].line.rest ** 2)), night.resolutions / np.sqrt(12))
    return scatters
