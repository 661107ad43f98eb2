"""Why a leak is told of a night, or is not: its blocks, the line that counts, each condition with its numbers. Pure.

The conditions are those of `detectors.night`, for one series and in words; a test holds that they agree with it.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors import night as detector
from collector.judge.detectors.night import Night, Sight
from collector.judge.explaining import Condition, Explanation
from collector.judge.expression import Numbers
from collector.judge.reasons import size, span

_HOUR_S = 3600


def explain_night(night: Night) -> Explanation | None:
    """Explain the night of one series (arrays of one row); None where nothing at all is known."""
    known = np.isfinite(night.least[0])
    if not known.any():
        return None
    with np.errstate(all="ignore"):
        sights = detector.look_at(night)
        sight = sights[int(detector.choose(sights)[0])]
        line = sight.line
        blocks = np.arange(len(known)) * night.block_hours
        drawn = np.where(known, _level_at_start(sight) + float(line.slope[0]) * blocks, np.nan)
        conditions = (*_of_time(night, known), _of_rise(night, sight), *_of_course(night, sight))
    slope, error = float(line.slope[0]), detector.Z * float(line.error[0])
    return Explanation(
        night.block_hours, False, _listed(night.least[0]), _listed(drawn), tuple(bool(one) for one in known),
        slope, slope - error, slope + error, conditions, sight.name,
    )  # fmt: skip


def _level_at_start(sight: Sight) -> float:
    """Where the line is as the first block begins, bytes."""
    levels = sight.points.used[0] - sight.line.rest[0] - sight.line.slope[0] * sight.points.hours[0]
    return float(np.nanmean(levels)) if np.isfinite(levels).any() else float("nan")


def _of_time(night: Night, known: Numbers) -> tuple[Condition, ...]:
    seen = float(detector.span_hours(night)[0])
    text = (
        f"it was seen for {span(seen * _HOUR_S)}, {span(detector.NIGHT_H * _HOUR_S)} are a night; {int(known.sum())} "
        f"blocks of {span(night.block_hours * _HOUR_S)} are known, {detector.LEAST_KNOWN} are the least"
    )
    return (Condition(text, bool(detector.is_night(night)[0])),)


def _of_rise(night: Night, sight: Sight) -> Condition:
    """That it rises beyond doubt, by the sight that counts."""
    line, points = sight.line, int(np.isfinite(sight.points.used[0]).sum())
    wanted = detector.SURE_OF_FEET if sight.name == "one tooth" else detector.SURE
    text = (
        f"{sight.name}: {points} points rise by {_size(line.grown)} in {span(float(line.hours[0]) * _HOUR_S)}, "
        f"{float(line.deviates[0]):.1f} standard deviations above nothing, more than {wanted:.0f} and "
        f"{size(float(detector.worth(night)[0]))} are wanted"
    )
    if sight.name == "feet":
        text += "; of few feet that they agree, and rise by more than their errors"
    if sight.name == "one tooth":
        text += f"; at least {detector.KEPT:.0%} of the tooth must have been kept"
    return Condition(text, bool(sight.rises[0]))


def _of_course(night: Night, sight: Sight) -> tuple[Condition, ...]:
    line = sight.line
    ratio, error = float(line.ratio[0]), float(line.ratio_error[0])
    before = float(night.stood_before[0])
    stood = f"{size(before)} stood before the night" if np.isfinite(before) else "nothing is known from before"
    bends = f"its second half grew {ratio:.3f} times as much as its first"
    if np.isfinite(error):
        bends += f", give or take {error:.3f}"
    return (
        Condition("it does not end in a fall: what comes back is a tooth", bool(sight.holds[0])),
        Condition(f"{bends}: it neither slows down, as a cache does, nor has just begun", bool(sight.goes_on[0])),
        Condition(
            f"it is at {_size(detector.level_of(night))}, and {stood}: it must be news",
            bool(detector.is_news(night, line.grown)[0]),
        ),
    )


def _size(values: Numbers) -> str:
    value = float(values[0])
    return size(value) if np.isfinite(value) else "an unknown size"


def _listed(values: Numbers) -> tuple[float | None, ...]:
    return tuple(float(one) if np.isfinite(one) else None for one in values)
