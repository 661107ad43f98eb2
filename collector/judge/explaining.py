"""Why a leak is told, or is not: the window as the detector looks at it, and each condition with its numbers. Pure.

The conditions are those of `detectors.leak`, one window at a time and in words; a test holds that they agree with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from collector.judge.detectors import leak
from collector.judge.detectors.history import HOUR_MS
from collector.judge.detectors.leak import Ground
from collector.judge.detectors.shape import at_part, bend, bend_of_a_day, envelope, excursions, first_and_last, slopes
from collector.judge.detectors.views import HOURS_OF, is_daily, watched
from collector.judge.expression import Numbers
from collector.judge.reasons import size, span


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold, with the numbers as they are. `one_of`: it holds when one of these does."""

    text: str
    held: bool
    one_of: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """One window: the least used bytes of each bucket (None where nothing was read), what the envelope makes of them,
    and the slope of that in bytes/hour with its 95 % interval. `kept` are the buckets that lie on the envelope; the
    others were given back later. `told` is whether all conditions hold. Of a night (`explaining_night`) buckets are its
    blocks, the envelope is the line through the points of the `sight` that counts."""

    bucket_hours: float
    of_whole_days: bool
    buckets: tuple[float | None, ...]
    envelope: tuple[float | None, ...]
    kept: tuple[bool, ...]
    slope: float
    slope_low: float
    slope_high: float
    conditions: tuple[Condition, ...]
    sight: str = ""

    @property
    def told(self) -> bool:
        """Whether the detector tells a leak here."""
        return all(condition.held for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class _Sight:
    """One window and what follows from it, arrays of one row: `held` is the envelope, `points` that where known."""

    view: int
    window: Numbers
    looked_at: Numbers
    held: Numbers
    points: Numbers
    ground: Ground
    grown: float
    begin: float
    hours: float

    def known(self, name: str) -> float:
        """One value of the ground."""
        return float(getattr(self.ground, name)[0])

    @property
    def daily(self) -> bool:
        """Whether it is of the least of 24 hours."""
        return bool(is_daily(np.array([self.view]))[0])

    @property
    def is_ratchet(self) -> bool:
        """Whether it is a counter that never falls."""
        return self.known("ratchets") > 0

    @property
    def free(self) -> float:
        """What was free when the window began."""
        return self.known("limits") - self.begin


def explain(window: Numbers, view: int, ground: Ground) -> Explanation | None:
    """Explain one window (1 x buckets, oldest first) of that view; None where nothing at all is known."""
    views = np.array([view])
    with np.errstate(all="ignore"):
        looked_at = watched(window, views)
        if not np.isfinite(looked_at).any():
            return None
        held = envelope(looked_at)
        points = np.where(np.isfinite(looked_at), held, np.nan)
        first, last = first_and_last(looked_at)
        hours = float((last - first)[0] * HOURS_OF[view])
        begin, end = float(at_part(held, 0)[0]), float(at_part(held, 1)[0])
        sight = _Sight(view, window, looked_at, held, points, ground, end - begin, begin, hours)
        rate, low, high = (float(one[0] / HOURS_OF[view]) for one in slopes(points))
        conditions = (*_of_points(sight), *_of_teeth(sight), _of_slope(rate, low), _of_evidence(sight))
    kept = np.isclose(looked_at[0], held[0])
    return Explanation(
        float(HOURS_OF[view]), bool(is_daily(views)[0]), _listed(looked_at[0]), _listed(points[0]),
        tuple(bool(one) for one in kept), rate, low, high, conditions,
    )  # fmt: skip


def _of_points(sight: _Sight) -> tuple[Condition, ...]:
    daily = sight.daily
    known, rises = int(np.isfinite(sight.looked_at).sum()), int(np.sum(np.diff(sight.held) > 0))
    least = leak._DAILY_SPAN if daily else leak._LEAST_KNOWN
    bucket_h = float(HOURS_OF[sight.view])
    days = max(leak._DAILY_SPAN, leak._DAILY_FROM_H / bucket_h)
    buckets = days if daily else leak._SHORT_SPAN if sight.view < leak._SHORT_VIEWS else leak._LEAST_SPAN
    parts = [float(at_part(sight.held, part)[0]) for part in (0, 1 / 3, 2 / 3, 1)]
    slowest, wanted = float(np.min(np.diff(parts))), leak._THIRD * sight.grown / 3
    by_view = leak._DAILY_RISES if daily else leak._LEAST_RISES
    least_rises = leak._RATCHET_RISES if sight.is_ratchet else by_view
    least_grown = np.nanmax([2 * sight.known("resolutions"), leak._LEAST_PART * sight.free])
    return (
        _says(f"{known} buckets are known, {least} are the least", known >= least),
        _says(
            f"they span {span(sight.hours * 3600)}, {span(buckets * bucket_h * 3600)} is the least",
            sight.hours / bucket_h >= buckets - 1e-9,
        ),
        _says(
            f"the envelope grew by {_size(sight.grown)}, more than {_size(least_grown)} is worth a word",
            sight.grown > 2 * sight.known("resolutions") and not sight.grown < leak._LEAST_PART * sight.free,
        ),
        _says(f"it rose {rises} times, {least_rises} are the least: no step", rises >= least_rises),
        _says(
            f"its slowest third grew by {_size(slowest)}, {_size(wanted)} is the least: no plateau", slowest >= wanted
        ),
    )


def _of_teeth(sight: _Sight) -> tuple[Condition, ...]:
    daily, view = sight.daily, sight.view
    found: list[Condition] = []
    if view >= leak._LONG_VIEWS:
        peaks = (leak._PEAKS_DAILY if daily else leak._PEAKS) * np.nan_to_num(sight.known("peaks"))
        text = f"it grew by more than {_size(peaks)}, a part of what comes and goes from sample to sample"
        found.append(_says(text, sight.grown >= peaks))
    if daily:
        return tuple(found)
    over = sight.window - sight.held
    above = np.fmax.reduce(over, axis=1)
    seen = int(excursions(over, 0.5 * above)[0])
    times = 1 if view < leak._LONG_VIEWS else max(1, seen)
    noise = max(leak._LEAST_ABOVE_NOISE, leak._ABOVE_NOISE / times) * float(above[0])
    text = f"it grew by more than {_size(noise)}, by what rose above it and was given back {seen} times"
    found.append(_says(text, sight.grown >= noise))
    first, _ = first_and_last(sight.looked_at)
    seen_for = float((sight.window.shape[1] - first - leak._BESIDE)[0] * HOURS_OF[view])
    within = sight.known("ceiling_ages_ms") / HOUR_MS <= seen_for
    ceilings = [sight.known("held_before")] if within else [sight.known("ceilings"), sight.known("held_before")]
    known = [one for one in ceilings if np.isfinite(one)]
    now, newest = sight.begin + sight.grown, sight.known("newest")
    text = f"the newest value is {_size(newest)}: half of the growth at most was given back since"
    found.append(_says(text, not newest < now - leak._GIVEN_BACK * sight.grown))
    text = "nothing stood higher before: no next tooth"
    if known:
        text = f"it is at {_size(now)}, and {_size(max(known))} stood before the window: it must be news, no next tooth"
    found.append(_says(text, not known or now > max(known) + leak._MARGIN * sight.grown))
    return tuple(found)


def _of_slope(rate: float, low: float) -> Condition:
    return _says(
        f"the slope is {_size(rate)}/h, surely above {_size(low)}/h, which must be more than half of it",
        low > 0.5 * rate,
    )


class _Shape(NamedTuple):
    """How large and how straight growth is: `part` of what was free; `ratio` of the growth of the second half to that
    of the first, `worst` the same taken low by its error; whether memory would end by either; how far it `bends`, as a
    part of what it grew, and a wave of a day at least."""

    part: float
    ratio: float
    worst: float
    ends: bool
    ends_at_worst: bool
    bends: float
    day_bends: float


def _shape_of(sight: _Sight) -> _Shape:
    bent, left = bend(sight.points, sight.ground.resolutions), sight.free - sight.grown
    ratio = float(bent.ratio[0])
    worst = min(1.0, ratio) - leak._ERRORS * float(bent.ratio_error[0])
    ends, ends_at_worst = (
        bool(leak._will_end(*(np.array([value]) for value in (sight.grown, one, left)))[0]) for one in (ratio, worst)
    )
    bends = float(bent.deviation[0] + leak._STRAIGHT_ERRORS * bent.deviation_error[0])
    day_bends = float(bend_of_a_day(np.array([sight.hours]))[0])
    return _Shape(sight.grown / sight.free, ratio, worst, ends, ends_at_worst, bends, day_bends)


def _of_evidence(sight: _Sight) -> Condition:
    """That so much growth in such a time is more than healthy memory does, and would end memory."""
    shape = _shape_of(sight)
    choices = (*_of_size(sight, shape), *_of_quiet_and_unlimited(sight, shape))
    would = "would" if shape.ends_at_worst else "would not"
    text = (
        f"it is more than healthy memory does; its second half grew {_times(shape.ratio)} as much as its first "
        f"({_times(shape.worst)} at worst), which {would} use up the rest"
    )
    worth = not (sight.is_ratchet and shape.part < leak._RATCHET_PART)
    if sight.is_ratchet:
        text += f"; a counter that never falls must take {leak._RATCHET_PART:.0%} of the free memory"
    return _says(text, worth and any(one.held for one in choices), choices)


def _of_size(sight: _Sight, shape: _Shape) -> tuple[Condition, ...]:
    hours, part, daily = sight.hours, shape.part, sight.daily
    age_h = sight.known("age_ms") / HOUR_MS
    is_known = age_h >= leak._KNOWN_FOR * hours and age_h >= leak._KNOWN_DAY_H
    is_known = is_known and not sight.begin + sight.grown <= sight.known("ceilings")
    wave = leak._LARGEST_WAVE * np.sin(np.pi * min(hours, 24.0) / 24)
    large = leak._NEWS_PART if is_known else max(leak._TOOTH, wave)
    straight = shape.bends < shape.day_bends and hours >= leak._STRAIGHT_FROM_H
    is_news = daily and part >= leak._NEWS_PART
    took = f"it took {part:.1%} of the free memory" if np.isfinite(part) else "the limit is unknown"
    return (
        _says(
            f"{took}, {large:.0%} are more than a tooth or a wave, and memory would end",
            part >= large and (shape.ends_at_worst or shape.ends),
        ),
        _says(
            f"{took} within days, {leak._DAILY_PART:.0%} are enough there, and memory would end",
            daily and part >= leak._DAILY_PART and (shape.ends_at_worst or (is_news and shape.ends)),
        ),
        _says(
            f"{took}, {leak._STEADY_PART:.0%} are enough where growth is straight (it bends by {shape.bends:.1%}, "
            f"a day by {shape.day_bends:.1%}) or lasts a day, and memory would end",
            (straight or hours >= leak._LONG_H) and part >= leak._STEADY_PART and shape.ends_at_worst,
        ),
    )


def _of_quiet_and_unlimited(sight: _Sight, shape: _Shape) -> tuple[Condition, ...]:
    hours, limit, quiet_ms = sight.hours, sight.known("limits"), sight.known("quiet_ms")
    quiet = quiet_ms >= max(leak._QUIET_FROM_MS, hours * HOUR_MS)
    return (
        _says(
            f"nothing was given back for {span(quiet_ms / 1000) if np.isfinite(quiet_ms) else 'no time'}, it took "
            f"{leak._QUIET_PART:.0%} of all memory or more, and memory would end",
            quiet
            and sight.known("quiet_samples") >= leak._QUIET_SAMPLES
            and sight.grown >= leak._QUIET_PART * limit
            and shape.ends_at_worst,
        ),
        _says(
            f"the limit is unknown, and it grew by {leak._UNLIMITED_PART:.0%} without slowing down",
            np.isnan(limit)
            and sight.grown >= leak._UNLIMITED_PART * sight.begin
            and shape.worst >= leak._UNLIMITED_RATIO,
        ),
    )


def _says(text: str, held: object, one_of: tuple[Condition, ...] = ()) -> Condition:
    """A condition with a truth of Python's own, whatever NumPy made of it."""
    return Condition(text, bool(held), one_of)


def _listed(values: Numbers) -> tuple[float | None, ...]:
    return tuple(float(one) if np.isfinite(one) else None for one in values)


def _size(value: float) -> str:
    return size(value) if np.isfinite(value) else "an unknown size"


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times" if np.isfinite(ratio) else "an unknown number of times"
