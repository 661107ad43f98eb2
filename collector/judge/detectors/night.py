"""Night: a leak on a board that is sampled every few seconds, told when one night has gone by. Pure, by column.

Looked at is what `sights.py` and `teeth.py` make of the blocks of eight hours. A leak is told when they are a night,
and the line through one of the sights (`line.py`)

* rises beyond doubt, by more than is worth a word, and what is held at the end stood nowhere before the night;
* does not end in a fall: what comes back to where it was is a tooth as long as the night;
* does not slow down from the first half to the second beyond what its error explains, or by hardly anything: a cache
  that fills for days slows down by no more. Nor may it race away: what begins within the night is not yet known;
* is closer to the blocks than a staircase of a few levels is, or rises too often for one (`stairs.py`).

Of feet of teeth, which are few, less is asked of the line and more of each foot, whose error is known. If there was one
tooth only, its foot lies higher than the boot by a good part of the tooth, and memory rises on as it did before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collector.judge.detectors.forecast import Course, interval, passage
from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.line import Line, line_through, mean_of
from collector.judge.detectors.located import located
from collector.judge.detectors.shape import Z, first_and_last
from collector.judge.detectors.sights import Points, floors, mixed, scatter, smooth
from collector.judge.detectors.stairs import rises_in_steps
from collector.judge.detectors.teeth import Feet, Tooth, error_of, feet, only_tooth, saws
from collector.judge.detectors.walk import ratio_error_of_walk
from collector.judge.detectors.waves import without_waves
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

NIGHT_H, LEAST_KNOWN = 7.9, 36
"""A night of eight hours, less the block that is still open; and how many blocks of it must be known."""
STARTING = 4
"""Blocks at most that are not known because the board was starting up: they are of the night."""
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
WORTH, WORTH_PART, GRAINS = 2048.0, 0.05, 4.0
"""Bytes of growth that are worth a word, or part of a small memory; steps of the counter. Less would not end memory for
weeks, and modules, tables and slow caches take that much in their first night."""
MARGIN, LEVEL_BLOCKS = 0.25, 12
"""By which part of the growth it must be above all that stood before, in the least value of the last hour."""
WANDERS = 2.0
"""How many times what fell within a night before must have been grown."""
FALL_ERRORS, FALL_PART, END_BLOCKS = 6.0, 0.25, 2
"""What lies below the line at its end by so many errors, and by that part of the growth, has been given back."""
SLOWS, OF_HOURS, SLOWS_ERRORS, SLOWS_AT_MOST, RACES = 0.06, 7.5, 1.9, 0.7, 3.0
"""What the ratio of halves may lack of 1: so much in so many hours, or so many of its errors, up to that part. And by
how much it may exceed it."""
BEND_OF_FEET, BEND_OF_FEW = 3.9, 1 / 3
"""The error of the ratio of halves in errors of the slope, as a part of it: 3.5 of three points, 3.9 of many; and what
it is at least of few feet, of which the first may be of a tooth that began some time after the boot."""
STAYS = 2.0
"""Deviates by which a leak that was told must still rise, lest it be taken back."""


class Night(NamedTuple):
    """What is known of each series, one row each. `least` and `mean` of its blocks, oldest first (NaN: not seen), each
    `block_hours` long; `boots_at` at which block its boot began; `stood_before` the highest least value of any three
    hours before (NaN: none), and `fell_before` how far least values fell within any night before; `limits`, `peaks` and
    `most` bytes, as in `Ground`; `resolutions` bytes; `newest` the newest value, which is not of a block yet; `samples`
    those of each block, as many as are kept."""

    least: Numbers
    mean: Numbers
    block_hours: float
    boots_at: Numbers
    stood_before: Numbers
    fell_before: Numbers
    limits: Numbers
    peaks: Numbers
    most: Numbers
    resolutions: Numbers
    newest: Numbers
    samples: npt.NDArray[np.float32]

    def of(self, rows: Rows) -> Night:
        """Of those rows only."""
        columns = {name: column[rows] for name, column in self._asdict().items() if name != "block_hours"}
        return self._replace(**columns)


class Sight(NamedTuple):
    """One way to look at all nights: its name, its points, the line through them; and, a truth a row: whether that
    `rises` beyond doubt, `holds` to its end without a fall, and `goes_on` as it began."""

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
        places = choose(sights)
        told = shows_leak(part, sights, places, is_night(part))
        stays[rows] = np.any([sight.line.deviates > STAYS for sight in sights], axis=0)
        for column, value in zip(found, leaks_of(part, sights, places), strict=True):
            column[rows] = np.where(told, value, np.nan)
    return found, stays


def span_hours(night: Night) -> Numbers:
    """From the first known block, or the boot shortly before it, to the last."""
    first, last = first_and_last(night.least)
    begin = np.where(first - night.boots_at <= STARTING, np.fmin(night.boots_at, first), first)
    hours: Numbers = np.where(np.isfinite(night.least).any(axis=1), last - begin + 1, 0) * night.block_hours
    return hours


def worth(night: Night) -> Numbers:
    """How much growth is worth a word, bytes: what is seen for a part of a night only need not have grown as much."""
    part = np.fmin(1, span_hours(night) / NIGHT_H)
    least: Numbers = np.fmax(np.fmin(WORTH, WORTH_PART * night.limits) * part, GRAINS * night.resolutions)
    return least


def look_at(night: Night) -> list[Sight]:
    """All sights."""
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


def choose(sights: list[Sight]) -> Rows:
    """For each series the place of the sight that counts. If it rises, the last: other lines lead across the fall of an
    only tooth; else the first, since it knows most; else, of those that rise, the one whose bend is known best."""
    first, last = sights[0].rises, sights[-1].rises
    rises, sharpest = first.copy(), sights[0].line.ratio_error
    places = np.where(last, len(sights) - 1, 0)
    for place, sight in enumerate(sights[1:-1], start=1):
        here = sight.rises & ~first & ~last & (~rises | (sight.line.ratio_error < sharpest))
        places[here], rises = place, rises | here
        sharpest = np.where(here, sight.line.ratio_error, sharpest)
    return places


def shows_leak(night: Night, sights: list[Sight], places: Rows, long_enough: Truths) -> Truths:
    """Whether the sight that counts tells a leak, where what was seen is long enough."""
    grown = np.choose(places, [sight.line.grown for sight in sights])
    good = np.choose(places, [sight.rises & sight.holds & sight.goes_on for sight in sights])
    told: Truths = good & long_enough & is_news(night, grown) & is_kept(night, grown) & lifts_floors(sights, places)
    told[told] = ~is_staircase(sights, places, np.flatnonzero(told))
    return told


def lifts_floors(sights: list[Sight], places: Rows) -> Truths:
    """Whether what is never given back may rise with the sight that counts; of feet, which are floors, it is not
    asked."""
    least = FLOORS_PART * np.choose(places, [sight.line.slope for sight in sights])
    lines = [sight.line for sight in sights[FLOORS]]
    may_rise = [~(line.slope + FLOORS_ERRORS * line.error < least) for line in lines]
    lifts: Truths = np.any(may_rise, axis=0) | (places >= len(sights) - OF_TEETH)
    return lifts


def is_staircase(sights: list[Sight], places: Rows, rows: Rows) -> Truths:
    """Whether these rows rise in a few steps, seen in all blocks, unless by the feet of teeth: dear, so asked last."""
    found = places[rows] < len(sights) - OF_TEETH
    blocks, seen = sights[0], rows[found]
    ratio = np.choose(places, [sight.line.ratio for sight in sights])[seen]
    found[found] = rises_in_steps(blocks.points.used[seen], blocks.line.rest[seen], ratio)
    return found


def is_night(night: Night) -> Truths:
    """Whether it was long enough and well enough seen."""
    enough: Truths = (span_hours(night) >= NIGHT_H) & (np.isfinite(night.least).sum(axis=1) >= LEAST_KNOWN)
    return enough


def is_news(night: Night, grown: Numbers) -> Truths:
    """Whether it stands where nothing stood before, and is more than what wandered within a night before."""
    news: Truths = ~(level_of(night) <= night.stood_before + MARGIN * grown) & ~(grown < WANDERS * night.fell_before)
    return news


def is_kept(night: Night, grown: Numbers) -> Truths:
    """Whether the newest value has not fallen back to where the night began: a tooth may end just now."""
    began = np.fmin.reduce(_first_known(night.least), axis=1)
    kept: Truths = ~(night.newest < began + MARGIN * grown)
    return kept


def _first_known(least: Numbers) -> Numbers:
    """The first hour that is known."""
    first, _ = first_and_last(least)
    age = np.arange(least.shape[1]) - first[:, None]
    return np.where((age >= 0) & (age < LEVEL_BLOCKS), least, np.nan)


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
    return Sight("feet", points, line, sure & (line.grown > worth(night)), np.ones_like(sure), _goes_on(line))


def _sight_of_tooth(tooth: Tooth, night: Night) -> Sight:
    """One tooth: a line from the boot to its foot."""
    kept, endless = tooth.foot - tooth.boot, np.full(len(tooth.boot), np.inf)
    points = Points(np.stack([0 * tooth.hours, tooth.hours], axis=1), np.stack([tooth.boot, tooth.foot], axis=1))
    line = Line(
        kept / tooth.hours, tooth.error / tooth.hours, kept / tooth.error, kept, tooth.hours,
        tooth.rise_after / tooth.rise, endless, 0 * points.used,
    )  # fmt: skip
    rises = (line.deviates > SURE_OF_FEET) & (kept > KEPT * (tooth.height - tooth.boot)) & (kept > worth(night))
    alike = (line.ratio > 1 / ALIKE) & (line.ratio < ALIKE)
    return Sight("one tooth", points, line, rises, np.ones_like(rises), alike)


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


def least_ratio(line: Line) -> Numbers:
    """How much the second half must have grown, as a part of the first."""
    return least_ratio_of(line.hours, line.ratio_error)


def least_ratio_of(hours: Numbers, ratio_error: Numbers) -> Numbers:
    """The same of a line of so many hours, the error of whose ratio is that."""
    by_error = np.fmin(SLOWS_ERRORS * ratio_error, SLOWS_AT_MOST)
    least: Numbers = 1 - np.fmax(SLOWS * np.fmin(1, hours / OF_HOURS), by_error)
    return least


def _goes_on(line: Line) -> Truths:
    """Whether growth neither slows down nor has just begun."""
    goes_on: Truths = (line.ratio >= least_ratio(line)) & ~(line.ratio - 2 * line.ratio_error > RACES)
    return goes_on


def leaks_of(night: Night, sights: list[Sight], places: Rows) -> Leaks:
    """The numbers of a leak by the sights that count."""
    course = course_at(sights, places)
    slope, error, hours = course.slope, course.error, course.hours
    left, scatter = left_of(night, slope, scatter_of_blocks(night, sights) / slope)
    soonest, latest = interval(left, course, scatter)
    grown = np.choose(places, [sight.line.grown for sight in sights])
    return Leaks(slope, slope - Z * error, slope + Z * error, left, soonest, latest, hours * 60, grown)


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


def course_at(sights: list[Sight], places: Rows) -> Course:
    """How growth was seen to go by the sights that count."""
    return Course(*(np.choose(places, [getattr(sight.line, name) for sight in sights]) for name in Course._fields))


def scatter_of_blocks(night: Night, sights: list[Sight]) -> Numbers:
    """The standard error of where a night ends, bytes: what its blocks stand beside their line, or a step of the
    counter."""
    scatters: Numbers = np.hypot(np.sqrt(mean_of(sights[0].line.rest ** 2)), night.resolutions / np.sqrt(12))
    return scatters
