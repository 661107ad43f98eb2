"""Ways to look at a night: lines through what `points.py` and `teeth.py` make of its blocks. Pure, by column.

A sight counts if its line rises beyond doubt. Of feet of teeth, which are few, less is asked of the line and more of
each foot, whose error is known. If there was one tooth only, its foot lies higher than the boot by a good part of the
tooth, and memory rises on as it did before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.forecast import Course
from collector.judge.detectors.line import Line, line_through, mean_of
from collector.judge.detectors.located import located
from collector.judge.detectors.night import Night, worth
from collector.judge.detectors.points import Points, floors, mixed, scatter, smooth
from collector.judge.detectors.shape import first_and_last
from collector.judge.detectors.stairs import rises_in_steps
from collector.judge.detectors.teeth import Feet, Tooth, error_of, feet, only_tooth, saws
from collector.judge.detectors.walk import ratio_error_of_walk
from collector.judge.detectors.waves import without_waves
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

FLOORS_OF = (1, 2, 4, 8, 12)
FLOORS, FLOORS_PART, FLOORS_ERRORS = slice(1, 1 + len(FLOORS_OF)), 0.5, 2.0
"""The sights of floors, one of which every leak must lift, by that part of its growth or within so many errors of it:
where means rise alone, more comes and goes than before, and nothing is kept."""
HOPE, BEND_KNOWN, CLEARER = 0.5, 0.03, 0.75
"""Deviates of a rise that all samples may make sure; an error of the ratio of halves that they need not make less; by
what part of the scatter they must be better."""
AT_ONCE = 64
"""All samples are many numbers: so many series are looked at together."""
SURE, LEAST_POINTS = 3.5, 8
"""Normal deviates, and how many points a line needs to be believed by them."""
SURE_OF_FEET = 5.0
"""Deviates of the rise of feet by their own errors."""
FEW_FEET, FEW_AGREE, MORE_AGREE = 3, 1.5, 2.0
"""How many there must be, and by how many deviates so many of them, and more, must lie on a line."""
OF_TEETH = 2
"""The last sights: of feet, and of an only tooth."""
KEPT, KEPT_OF_FEET, ALIKE = 0.15, 0.1, 2.0
"""The part of a single tooth that was not given back, and of few of them; by which factor memory may rise faster or
slower after a single one."""
FALL_ERRORS, FALL_PART, END_BLOCKS = 6.0, 0.25, 2
"""What lies below the line at its end by so many errors, and by that part of the growth, has been given back."""
SLOWS, OF_HOURS, SLOWS_ERRORS, SLOWS_AT_MOST, RACES = 0.06, 7.5, 1.9, 0.7, 3.0
"""What the ratio of halves may lack of 1: so much in so many hours, or so many of its errors, up to that part. And by
how much it may exceed it."""
BEND_OF_FEET, BEND_OF_FEW = 3.9, 1 / 3
"""The error of the ratio of halves in errors of the slope, as a part of it: 3.5 of three points, 3.9 of many; and what
it is at least of few feet, of which the first may be of a tooth that began some time after the boot."""


class Sight(NamedTuple):
    """One way to look at all nights: its name, its points, the line through them; and, a truth a row: whether that
    `rises` beyond doubt, `holds` to its end without a fall, and `goes_on` as it began."""

    name: str
    points: Points
    line: Line
    rises: Truths
    holds: Truths
    goes_on: Truths


class Sights(NamedTuple):
    """All nights by all sights, and for each row the place of the sight that counts."""

    each: list[Sight]
    places: Rows

    @property
    def by_teeth(self) -> Truths:
        """Whether feet of teeth count, or the foot of an only one."""
        by: Truths = self.places >= len(self.each) - OF_TEETH
        return by

    @property
    def grown(self) -> Numbers:
        """Bytes, by the sights that count."""
        grown: Numbers = np.choose(self.places, [sight.line.grown for sight in self.each])
        return grown

    @property
    def deviates(self) -> Numbers:
        """Normal deviates of the rise, by the sights that count."""
        deviates: Numbers = np.choose(self.places, [sight.line.deviates for sight in self.each])
        return deviates

    @property
    def course(self) -> Course:
        """How growth was seen to go by the sights that count."""
        lines = [sight.line for sight in self.each]
        return Course(*(np.choose(self.places, [getattr(line, name) for line in lines]) for name in Course._fields))

    def all_of(self, *names: str) -> Truths:
        """Whether of the sights that count all of these truths hold."""
        truths = [np.logical_and.reduce([getattr(sight, name) for name in names]) for sight in self.each]
        held: Truths = np.choose(self.places, truths)
        return held


def look_at(night: Night) -> Sights:
    """All sights. If it rises, the last counts: other lines lead across the fall of an only tooth; else the first,
    since it knows most; else, of those that rise, the one whose bend is known best."""
    each = _sights_of(night)
    first, last = each[0].rises, each[-1].rises
    rises, sharpest = first.copy(), each[0].line.ratio_error
    places = np.where(last, len(each) - 1, 0)
    for place, sight in enumerate(each[1:-1], start=1):
        here = sight.rises & ~first & ~last & (~rises | (sight.line.ratio_error < sharpest))
        places[here], rises = place, rises | here
        sharpest = np.where(here, sight.line.ratio_error, sharpest)
    return Sights(each, places)


def lifts_floors(sights: Sights) -> Truths:
    """Whether what is never given back may rise with the sight that counts; of feet, which are floors, it is not
    asked."""
    least = FLOORS_PART * sights.course.slope
    lines = [sight.line for sight in sights.each[FLOORS]]
    may_rise = [~(line.slope + FLOORS_ERRORS * line.error < least) for line in lines]
    lifts: Truths = np.any(may_rise, axis=0) | sights.by_teeth
    return lifts


def is_staircase(sights: Sights, rows: Rows) -> Truths:
    """Whether these rows rise in a few steps, seen in all blocks, unless by the feet of teeth: dear, so asked last."""
    found = ~sights.by_teeth[rows]
    blocks, seen = sights.each[0], rows[found]
    found[found] = rises_in_steps(blocks.points.used[seen], blocks.line.rest[seen], sights.course.ratio[seen])
    return found


def least_ratio(line: Line) -> Numbers:
    """How much the second half must have grown, as a part of the first."""
    return least_ratio_of(line.hours, line.ratio_error)


def least_ratio_of(hours: Numbers, ratio_error: Numbers) -> Numbers:
    """The same of a line of so many hours, the error of whose ratio is that."""
    by_error = np.fmin(SLOWS_ERRORS * ratio_error, SLOWS_AT_MOST)
    least: Numbers = 1 - np.fmax(SLOWS * np.fmin(1, hours / OF_HOURS), by_error)
    return least


def _sights_of(night: Night) -> list[Sight]:
    least, mean = night.least, night.mean
    hours = np.broadcast_to(np.arange(least.shape[1]) * night.block_hours, least.shape)
    found = saws(mean, night.boots_at)
    lowest = [_sight(f"floors of {blocks}", floors(hours, least, blocks), least, night) for blocks in FLOORS_OF]
    means = [("smooth", smooth(hours, mean)), ("without waves", Points(hours, without_waves(mean)))]
    return [
        _first_sight(hours, night),
        *lowest,
        # where means swing, only floors show a fall
        *(_sight(name, points, mean, night)._replace(holds=lowest[0].holds) for name, points in means),
        _sight_of_feet(feet(found, len(least), night.block_hours), night),
        _sight_of_tooth(only_tooth(found, len(least), night.block_hours), night),
    ]


def _first_sight(hours: Numbers, night: Night) -> Sight:
    """Least and mean of each block; where they rise, but too little to be sure, or of their bend, all samples."""
    blend = mixed(hours, night.least, night.mean)
    line = line_through(*blend)
    rows = np.flatnonzero((line.deviates > HOPE) & ~(line.ratio_error < BEND_KNOWN))
    for some in np.array_split(rows, len(rows) // AT_ONCE + 1):
        levels = located(night.samples[some])
        clearer = scatter(levels) < CLEARER * scatter(blend.used[some])
        blend.used[some[clearer]] = levels[clearer]
    line = line_through(*blend)
    by_walk = ratio_error_of_walk(blend.used, line.grown)
    return _sight_of("mixed", line._replace(ratio_error=np.fmax(line.ratio_error, by_walk)), blend, blend.used, night)


def _sight(name: str, points: Points, blocks: Numbers, night: Night) -> Sight:
    return _sight_of(name, line_through(*points), points, blocks, night)


def _sight_of(name: str, line: Line, points: Points, blocks: Numbers, night: Night) -> Sight:
    enough = np.isfinite(points.used).sum(axis=1) >= LEAST_POINTS
    rises = enough & (line.deviates > SURE) & (line.grown > worth(night))
    return Sight(name, points, line, rises, _holds(line, points, blocks, night), _goes_on(line))


def _sight_of_feet(found: Feet, night: Night) -> Sight:
    """Of feet the error is known by the teeth that they begin, so that few are enough if they agree."""
    points = Points(found.hours, found.used)
    line = line_through(*points)
    count = np.isfinite(points.used).sum(axis=1)
    apart = points.hours - mean_of(points.hours)[:, None]
    error = np.sqrt(np.nansum((apart * found.errors) ** 2, axis=1)) / np.nansum(apart**2, axis=1)
    kept = line.grown > KEPT_OF_FEET * found.heights
    few = (count >= FEW_FEET) & (count < LEAST_POINTS) & kept
    agree = few & (line.deviates > np.where(count > FEW_FEET, MORE_AGREE, FEW_AGREE))
    sure = (agree | ((count > FEW_FEET) & (line.deviates > SURE))) & (line.slope > SURE_OF_FEET * error)
    own = np.fmax(BEND_OF_FEW, BEND_OF_FEET * error / np.abs(line.slope))
    line = line._replace(ratio_error=np.where(np.isinf(line.ratio_error), own, line.ratio_error))
    rises = sure & (line.grown > worth(night))
    return Sight("feet", points, line, rises, _are_above(line, points, night), _goes_on(line))


def _sight_of_tooth(tooth: Tooth, night: Night) -> Sight:
    """One tooth: a line from the boot to its foot, where memory rose alike before its fall and after it; else something
    came and went, which is no tooth of a saw."""
    kept, endless = tooth.foot - tooth.boot, np.full(len(tooth.boot), np.inf)
    points = Points(np.stack([0 * tooth.hours, tooth.hours], axis=1), np.stack([tooth.boot, tooth.foot], axis=1))
    line = Line(
        kept / tooth.hours, tooth.error / tooth.hours, kept / tooth.error, kept, tooth.hours,
        tooth.rise_after / tooth.rise, endless, 0 * points.used,
    )  # fmt: skip
    rises = (line.deviates > SURE_OF_FEET) & (kept > KEPT * (tooth.height - tooth.boot)) & (kept > worth(night))
    alike = (line.ratio > 1 / ALIKE) & (line.ratio < ALIKE)
    return Sight("one tooth", points, line, rises & alike, np.ones_like(rises), np.ones_like(rises))


def _holds(line: Line, points: Points, blocks: Numbers, night: Night) -> Truths:
    """Whether the last blocks are not far below the line."""
    _, last = first_and_last(points.used)
    row = np.arange(len(last))
    end = points.used[row, last] - line.rest[row, last]
    known = np.isfinite(line.rest).sum(axis=1) > 0
    rest = np.where(known[:, None], np.abs(line.rest), 0.0)
    scatter = np.fmax(1.4826 * np.nanmedian(rest, axis=1), error_of(night.least))
    fall = np.fmax(FALL_ERRORS * scatter, FALL_PART * line.grown)
    holds: Truths = ~(np.fmin.reduce(blocks[:, -END_BLOCKS:], axis=1) < end - fall)
    return holds


def _are_above(line: Line, points: Points, night: Night) -> Truths:
    """Whether the last blocks are not far below the line of feet, carried on to them: memory falls to its next foot,
    and no farther."""
    begin = np.fmin.reduce(points.hours, axis=1)
    level = mean_of(points.used - line.rest) + line.slope * (begin - mean_of(points.hours))
    hours = night.least.shape[1] * night.block_hours - begin
    fall = np.fmax(FALL_ERRORS * error_of(night.least), FALL_PART * line.slope * hours)
    last = np.fmin.reduce(night.least[:, -END_BLOCKS:], axis=1)
    above: Truths = ~(last < level + line.slope * hours - fall)
    return above


def _goes_on(line: Line) -> Truths:
    """Whether growth neither slows down nor has just begun."""
    goes_on: Truths = (line.ratio >= least_ratio(line)) & ~(line.ratio - 2 * line.ratio_error > RACES)
    return goes_on
