"""Why a leak is told of a night, or is not: its blocks, the line that counts, each condition with its numbers. Pure.

The conditions are those of `night_leaks.py`, which finds them in one of several sights; a test holds that they agree.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors import night as nights
from collector.judge.detectors import settled, sights
from collector.judge.detectors.conditions import Asked, at_least, at_most, is_so, less_than, more_than
from collector.judge.detectors.night import Night
from collector.judge.detectors.night_leaks import EVEN, SURER, is_sure, shows_leak
from collector.judge.detectors.shape import Z
from collector.judge.detectors.sights import Sight, is_staircase, lifts_floors, look_at
from collector.judge.detectors.two_boots import Ended, asked_of_two_boots
from collector.judge.explaining import Explanation, Window, conditions_of, listed
from collector.judge.expression import Truths

_SIGHTS = {
    "mixed": "least and mean of each block, or all its samples", "smooth": "means over an hour",
    "without waves": "mean of each block, less what goes by the clock", "feet": "feet of the teeth",
    "one tooth": "foot of the only tooth",
}  # fmt: skip

_FLOORS = "the least of some minutes, or of an hour, rises, too, or may"
_STEPS = "the line is closer to the blocks than a few steps are, or rises too often for these"
_SURER = f"it begins with the boot; or it is {SURER:g} standard deviations, and halves are alike to {1 - EVEN:.0%}"


def explain_night(night: Night) -> Explanation:
    """Explain the night of one series (arrays of one row)."""
    known = np.isfinite(night.least[0])
    with np.errstate(all="ignore"):
        seen_by = look_at(night)
        sight = seen_by.each[int(seen_by.places[0])]
        line = sight.line
        blocks = np.arange(len(known)) * night.block_hours
        drawn = np.where(known, _level_at_start(sight) + float(line.slope[0]) * blocks, np.nan)
        steps = is_staircase(seen_by, np.arange(1))
        asked = [*_asked_of_time(night), *_asked_of_rise(night, sight), *_asked_of_course(night, sight)]
        asked += [is_so(_FLOORS, lifts_floors(seen_by)), is_so(_STEPS, ~steps)]
        asked.append(is_so(_SURER, nights.begins_with_boot(night) | is_sure(seen_by)))
    slope, error = float(line.slope[0]), Z * float(line.error[0])
    kept = tuple(bool(one) for one in known)
    seen = Window(
        night.block_hours, False, listed(night.least[0]), listed(drawn), kept, slope, slope - error, slope + error,
        _SIGHTS.get(sight.name, f"least of each {sight.name.removeprefix('floors of ')} blocks"),
    )  # fmt: skip
    return Explanation("night", conditions_of(asked), seen if known.any() else None)


def explain_settled(night: Night) -> Explanation:
    """Explain the night of one series without its beginning."""
    with np.errstate(all="ignore"):
        rest = settled.rest_of(night)
        rest_is_told = shows_leak(rest.night, rest.sights, settled.is_settled(rest))
        slows = settled.may_slow_down(night) & rest.whole_slows
    asked = [
        *_asked_of_time(night),
        is_so("the night slows down", slows),
        at_most("error of the ratio of halves without its beginning", "ratio", rest.error, settled.BEND_KNOWN),
        at_least("that ratio, which a cache does not reach", "ratio", rest.ratio, settled.least_of(rest)),
        is_so("what remains is told as a night is", rest_is_told),
    ]
    return Explanation("night", conditions_of(asked))


def explain_two_boots(before: Night, now: Night, ended: Ended) -> Explanation:
    """Explain the night of one series that restarted within it."""
    return Explanation("night", conditions_of(asked_of_two_boots(before, now, ended)[1]))


def _level_at_start(sight: Sight) -> float:
    """Where the line is as the first block begins, bytes."""
    levels = sight.points.used[0] - sight.line.rest[0] - sight.line.slope[0] * sight.points.hours[0]
    return float(np.nanmean(levels)) if np.isfinite(levels).any() else float("nan")


def _asked_of_time(night: Night) -> list[Asked]:
    return [
        at_least("how long it was seen", "hours", nights.span_hours(night), nights.NIGHT_H),
        at_least("blocks known", "number", np.isfinite(night.least).sum(axis=1), nights.LEAST_KNOWN),
        at_most("how long the boot has run", "hours", nights.up_hours(night), nights.YOUNG_H).or_unknown(),
    ]


def _asked_of_rise(night: Night, sight: Sight) -> list[Asked]:
    """That it rises beyond doubt, by the sight that counts: the detector's own word, beside its numbers."""
    is_tooth = sight.name == "one tooth"
    what = {"feet": ", or few feet that agree", "one tooth": f", and {sights.KEPT:.0%} of the tooth kept"}
    rises = more_than(
        f"growth in standard deviations{what.get(sight.name, '')}", "number", sight.line.deviates,
        sights.SURE_OF_FEET if is_tooth else sights.SURE,
    )  # fmt: skip
    grown = more_than("growth of the line", "size", sight.line.grown, nights.worth(night))
    return [grown, _as_said(rises, sight.rises | ~grown.held & rises.held)]


def _asked_of_course(night: Night, sight: Sight) -> list[Asked]:
    line = sight.line
    level = nights.level_of(night)
    before, fell = night.stood_before + nights.MARGIN * line.grown, nights.WANDERS * night.fell_before
    return [
        is_so("the last blocks are on the line, no end of a tooth", sight.holds),
        *_asked_of_halves(sight),
        more_than("level, above all before the night", "size", level, before).or_unknown(),
        at_least("growth, beside what fell within a night before", "size", line.grown, fell).or_unknown(),
        is_so("the newest value has not fallen back to the beginning", nights.is_kept(night, line.grown)),
    ]


def _asked_of_halves(sight: Sight) -> list[Asked]:
    """That it goes on as it began: neither bound of the ratio of halves is passed."""
    line = sight.line
    if sight.name == "one tooth":
        what = "its rise after the tooth to that before"
        return [
            more_than(f"{what}: no cache", "ratio", line.ratio, 1 / sights.ALIKE),
            less_than(f"{what}: not just begun", "ratio", line.ratio, sights.ALIKE),
        ]
    surely = line.ratio - 2 * line.ratio_error
    return [
        at_least("its second half to its first: no cache", "ratio", line.ratio, sights.least_ratio(line)),
        at_most("the same, less two of its errors: not just begun", "ratio", surely, sights.RACES).or_unknown(),
    ]


def _as_said(asked: Asked, held: Truths) -> Asked:
    """That condition as the detector held it, which may ask more of some rows than the numbers say."""
    return asked._replace(held=held)
