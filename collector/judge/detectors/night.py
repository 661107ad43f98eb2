"""Night: a leak on a board that is sampled every few seconds, told when one night has gone by. Pure, by column.

Looked at is what `sights.py` makes of the blocks of eight hours. A leak is told when they are of seven and a half hours
at least and the line through one of these sights (`line.py`)

* rises beyond doubt, by more than is worth a word, and what is held at the end stood nowhere before the night;
* does not end in a fall: what comes back to where it was is a tooth as long as the night;
* does not slow down from the first half to the second beyond what its error explains; and where that error is small it
  must go on almost unchanged, since a cache that fills for days slows down by no more. Nor may it race away: what
  begins within the night is not yet known.

Of feet of teeth, which are few, less is asked of the line and more of each foot, whose error is known. If there was one
tooth only, its foot lies higher than the boot by a good part of the tooth, and memory rises on as it did before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.line import Line, line_through, mean_of
from collector.judge.detectors.sights import (
    Points,
    Tooth,
    error_of,
    feet,
    floors,
    mixed,
    only_tooth,
    teeth,
)
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

NIGHT_H, LEAST_KNOWN = 7.5, 50
FLOORS_OF = (1, 2, 4, 8, 12)
SURE, LEAST_POINTS = 4.0, 8
"""Normal deviates, and how many points a line needs to be believed by them."""
SURE_OF_FEET, FEW_FEET, FOOT_ERRORS = 5.0, (3.0, 1.5, 2.0), 2.0
"""Deviates of the rise of feet by the error of a foot, which has fewer samples than a block; how many there must be,
and by how many deviates three of them, and more, must agree."""
KEPT, ALIKE = 0.2, 2.0
"""The part of a single tooth that was not given back; by which factor memory may rise faster or slower after it."""
WORTH, WORTH_PART, GRAINS = 2048.0, 0.01, 4.0
"""Bytes of growth that are worth a word, or part of a small memory; steps of the counter."""
MARGIN, LEVEL_BLOCKS = 0.25, 12
"""By which part of the growth it must be above all that stood before, in the least value of the last hour."""
FALL_ERRORS, FALL_PART, END_BLOCKS = 6.0, 0.25, 2
"""What lies below the line at its end by so many errors, and by that part of the growth, has been given back."""
SLOWS, SLOWS_ERRORS, BLURRED, RACES = 0.05, 4.0, 0.06, 3.0
"""What the ratio of halves may lack of 1: so much, or so many errors of it beyond what is a sharp one. And by how much
it may exceed it."""
STAYS = 2.0
_Z = 1.96


class Night(NamedTuple):
    """What is known of each series, one row each. `least` and `mean` of its blocks, oldest first (NaN: not seen), each
    `block_hours` long; `boots_at` at which block its boot began; `stood_before` the highest least value of any three
    hours before (NaN: none); `limits` and `peaks` bytes, as in `leak.Ground`; `resolutions` bytes."""

    least: Numbers
    mean: Numbers
    block_hours: float
    boots_at: Numbers
    stood_before: Numbers
    limits: Numbers
    peaks: Numbers
    resolutions: Numbers

    def of(self, rows: Rows) -> Night:
        """Of those rows only."""
        columns = {name: column[rows] for name, column in self._asdict().items() if name != "block_hours"}
        return self._replace(**columns)


class Sight(NamedTuple):
    """One way to look at all nights: its name, its points, the line through them; and, a truth a row: whether that
    `rises` beyond doubt, does not end in a `fall`, and goes on."""

    name: str
    points: Points
    line: Line
    rises: Truths
    holds: Truths
    goes_on: Truths


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
        line, told = choose(part, sights)
        stays[rows] = np.any([sight.line.deviates > STAYS for sight in sights], axis=0)
        for column, value in zip(found, _leaks(part, line), strict=True):
            column[rows] = np.where(told, value, np.nan)
    return found, stays


def span_hours(night: Night) -> Numbers:
    """From the first known block to the last."""
    known = np.isfinite(night.least)
    last = night.least.shape[1] - known[:, ::-1].argmax(axis=1)
    hours: Numbers = np.where(known.any(axis=1), last - known.argmax(axis=1), 0) * night.block_hours
    return hours


def worth(night: Night) -> Numbers:
    """How much growth is worth a word, bytes."""
    return np.fmax(np.fmin(WORTH, WORTH_PART * night.limits), GRAINS * night.resolutions)


def look_at(night: Night) -> list[Sight]:
    """All sights; the first that rises and has the sharpest bend counts."""
    hours = np.broadcast_to(np.arange(night.least.shape[1]) * night.block_hours, night.least.shape)
    ends = teeth(night.least, night.mean)
    sights = [_sight("mixed", blends := mixed(hours, night.least, night.mean), blends.used, night)]
    sights += [
        _sight(f"floors of {blocks}", floors(hours, night.least, blocks), night.least, night) for blocks in FLOORS_OF
    ]
    sights.append(_sight_of_feet(feet(hours, night.least, night.boots_at, ends), night))
    return [*sights, _sight_of_tooth(only_tooth(hours, night.least, night.mean, night.boots_at, ends), night)]


def choose(night: Night, sights: list[Sight]) -> tuple[Line, Truths]:
    """The line that counts for each series, and whether it tells a leak.

    That of the first sight if it rises, since it knows most; else the one whose bend is known best.
    """
    best = Line(*(np.array(one) for one in sights[0].line))
    first = sights[0].rises
    rises, good = first.copy(), sights[0].holds & sights[0].goes_on
    for sight in sights[1:]:
        here = sight.rises & ~first & (~rises | (sight.line.ratio_error < best.ratio_error))
        for column, value in zip(best[:-1], sight.line[:-1], strict=True):
            column[here] = value[here]
        good[here] = (sight.holds & sight.goes_on)[here]
        rises |= here
    return best, rises & good & is_night(night) & is_news(night, best.grown)


def is_night(night: Night) -> Truths:
    """Whether it was long enough and well enough seen."""
    enough: Truths = (span_hours(night) >= NIGHT_H) & (np.isfinite(night.least).sum(axis=1) >= LEAST_KNOWN)
    return enough


def is_news(night: Night, grown: Numbers) -> Truths:
    """Whether it stands where nothing stood before."""
    news: Truths = ~(level_of(night) <= night.stood_before + MARGIN * grown)
    return news


def level_of(night: Night) -> Numbers:
    """What is held by now: the least of the last hour."""
    level: Numbers = np.fmin.reduce(night.least[:, -LEVEL_BLOCKS:], axis=1)
    return level


def _may_have_grown(night: Night) -> Truths:
    """The cheapest part, for all: enough is known, and the last third lies above the first in one way or the other."""
    third = night.least.shape[1] // 3
    low = np.fmin.reduce(night.least[:, -third:], axis=1) - np.fmin.reduce(night.least[:, :third], axis=1)
    middle = mean_of(night.mean[:, -third:]) - mean_of(night.mean[:, :third])
    may_have: Truths = is_night(night) & (np.fmax(low, middle) > worth(night) / 4)
    return may_have


def _sight(name: str, points: Points, blocks: Numbers, night: Night) -> Sight:
    line = line_through(*points)
    enough = np.isfinite(points.used).sum(axis=1) >= LEAST_POINTS
    rises = enough & (line.deviates > SURE) & (line.grown > worth(night))
    return Sight(name, points, line, rises, _holds(line, points, blocks, night), _goes_on(line))


def _sight_of_feet(points: Points, night: Night) -> Sight:
    """Of feet the error is known by the blocks beside them, so that few are enough if they agree."""
    line = line_through(*points)
    count = np.isfinite(points.used).sum(axis=1)
    apart = points.hours - mean_of(points.hours)[:, None]
    error = FOOT_ERRORS * error_of(night.least) / np.sqrt(np.nansum(apart**2, axis=1))
    least, few, more = FEW_FEET
    agree = (
        (count >= least) & (line.deviates > np.where(count > least, more, few)) & (line.slope > SURE_OF_FEET * error)
    )
    sure = agree | ((count >= LEAST_POINTS) & (line.deviates > SURE))
    return Sight(
        "feet", points, line, sure & (line.grown > worth(night)), np.ones(len(sure), dtype=np.bool_), _goes_on(line)
    )


def _sight_of_tooth(tooth: Tooth, night: Night) -> Sight:
    """One tooth: a line from the boot to its foot."""
    unknown, kept = np.full(len(tooth.boot), np.nan), tooth.foot - tooth.boot
    error = np.sqrt(2) * FOOT_ERRORS * error_of(night.least)
    points = Points(np.stack([0 * tooth.hours, tooth.hours], axis=1), np.stack([tooth.boot, tooth.foot], axis=1))
    line = Line(
        kept / tooth.hours, error / tooth.hours, kept / error, kept, tooth.hours, tooth.rise_after / tooth.rise,
        unknown + np.inf, 0 * points.used,
    )  # fmt: skip
    rises = (line.deviates > SURE_OF_FEET) & (kept > KEPT * (tooth.height - tooth.boot)) & (kept > worth(night))
    alike = (line.ratio > 1 / ALIKE) & (line.ratio < ALIKE)
    return Sight("one tooth", points, line, rises, np.ones(len(kept), dtype=np.bool_), alike)


def _holds(line: Line, points: Points, blocks: Numbers, night: Night) -> Truths:
    """Whether the last blocks are not far below the line."""
    place = np.isfinite(points.used).shape[1] - 1 - np.isfinite(points.used)[:, ::-1].argmax(axis=1)
    row = np.arange(len(place))
    end = points.used[row, place] - line.rest[row, place]
    scatter = np.fmax(1.4826 * np.nanmedian(np.abs(line.rest), axis=1), error_of(night.least))
    fall = np.fmax(FALL_ERRORS * scatter, FALL_PART * line.grown)
    holds: Truths = ~(np.fmin.reduce(blocks[:, -END_BLOCKS:], axis=1) < end - fall)
    return holds


def _goes_on(line: Line) -> Truths:
    """Whether growth neither slows down nor has just begun."""
    lack = np.fmax(SLOWS, SLOWS_ERRORS * (line.ratio_error - BLURRED))
    goes_on: Truths = (line.ratio >= 1 - lack) & ~(line.ratio - 2 * line.ratio_error > RACES)
    return goes_on


def _leaks(night: Night, line: Line) -> Leaks:
    low, high = line.slope - _Z * line.error, line.slope + _Z * line.error
    room = np.maximum(0, night.limits - level_of(night) - np.nan_to_num(night.peaks))
    return Leaks(line.slope, low, high, room / line.slope, room / high, room / low, line.hours * 60, line.grown)
