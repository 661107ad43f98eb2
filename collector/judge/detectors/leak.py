"""Leak: memory that is taken steadily and never given back. Pure, by column.

Looked at is the envelope of used memory: at each instant the least value from then on, so what was never given back;
on the three longest levels that of the least value of each 24 hours, so that a daily cycle is flat. Where it is flat at
first it is looked at from where it rises on: what begins late need not fill a window first.

A leak is told when, over the closed buckets of one view of the history,
* the envelope rose at least so often, in every third of the time alike: no single step, no last tooth, no plateau;
* it is above all that stood before the window, peaks included, by a quarter of its growth, or half of what the highest
  peak gave back where that is more: else it is the next tooth;
* it grew by more than came and went within the window;
* its slope (`shape.slopes`) has an interval above half of it;
* even slowing down as it did from the first half to the second (by q, so for ever by q + q^2 + ...) it would reach the
  limit: a cache that warms up would not. q is taken low by its error (`shape.bend`);
* and it grew by a part of the room for it that no healthy rise of such length reaches (`evidence.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from collector.judge.detectors.conditions import Asked, all_held, at_least, more_than
from collector.judge.detectors.evidence import Rise, asked_of_size
from collector.judge.detectors.forecast import Forecast, course_of, ends_of, hours_left, interval, passage
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.history import DAY_MS, HOUR_MS
from collector.judge.detectors.line import line_through
from collector.judge.detectors.shape import (
    at_part,
    bend,
    envelope,
    excursions,
    first_and_last,
    onset,
    since,
    slopes,
)
from collector.judge.detectors.views import HOURS_OF, is_daily, watched
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

_LEAST_KNOWN, _LEAST_POINTS = 7, 3
_FINE_VIEWS, _FINE_KNOWN = 2, 17
"""Jobs take as much within minutes, and give it back: to tell them apart takes samples each few seconds."""
_LEAST_SPAN, _LEAST_RISES = 8, 6
_CREEPING_RISES, _CREEPING_PART = 8, 0.45
"""Counters that never fall creep with each new record, less and less often: of them more rises are asked, until they
took so much of what was free, and never so few as of whole days."""
_SHORT_VIEWS, _SHORT_SPAN = 3, 12
_DAILY_SPAN, _DAILY_RISES, _DAILY_FROM_H = 5, 4, 12
_THIRD = 0.5
_LEAST_PART = 0.004
_MARGIN, _BESIDE = 0.25, 2
"""By which part of its growth it must be above what stood before; a peak within the first buckets stood before."""
_TOOTH = 0.5
"""By which part of what was given back since the highest of those peaks it must stand above all that, too."""
_GIVEN_BACK = 0.5
"""The part of its growth that the newest value, which may not be of the window yet, lies below its end at most."""
_PAUSES, _PAUSE_H = 4, 24
"""For so many buckets growth may pause, a day at most: what comes and goes beside a leak hides it now and then."""
_LATE, _LATE_H, _LATE_SHARE = 1 / 3, 48, 0.2
"""The end of a window, as a part of it and at most so many hours, and which part of its share of the growth it must
have for the leak to go on."""
_ABOVE_NOISE, _LEAST_ABOVE_NOISE, _LONG_VIEWS = 1.5, 0.3, 4
"""By how many times what rises above the envelope within the window, and falls again, the envelope must have grown."""

WANDERS = 4
"""How many times what fell of late within as long a time must have been grown. What sessions hold, which come and go,
wanders as far up as down: four times as far as it fell it hardly rises by chance."""

_PEAKS, _PEAKS_DAILY = 0.5, 0.25
"""What it must have grown as a part of what comes and goes from sample to sample: least values are not that exact."""
_DAY_H, _SAME_HOURS, _GOES_ON = DAY_MS / HOUR_MS, 3.0, 0.6
"""What it must have grown from the same hours of the day before, as a part of what it did in a day on average."""
_CHUNK = 2048


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

    def of(self, rows: Rows) -> Leaks:
        """Of those rows only."""
        return Leaks(*(column[rows] for column in self))

    def or_else(self, others: Leaks) -> Leaks:
        """These, and in rows that have none those."""
        none = np.isnan(self.rate)
        return Leaks(*(np.where(none, other, own) for other, own in zip(others, self, strict=True)))


class Seen(NamedTuple):
    """One view of each row: all its buckets, and how far each lies above their envelope; those that are looked at,
    since growth began, and the envelope of these; and the highest that was looked at before. NaN where nothing was
    read."""

    windows: Numbers
    over: Numbers
    looked_at: Numbers
    held: Numbers
    before: Numbers
    views: Rows

    def of(self, rows: Rows) -> Seen:
        """Of those rows only."""
        windows, over, looked_at, held, before, views = self
        return Seen(windows[rows], over[rows], looked_at[rows], held[rows], before[rows], views[rows])


def find_leaks(windows: Numbers, views: int | Rows, ground: Ground) -> Leaks:
    """Judge one window a row (closed buckets of its view's level, oldest first) of least used bytes."""
    found = Leaks(*np.full((len(Leaks._fields), len(windows)), np.nan))
    view = np.broadcast_to(np.asarray(views), len(windows))
    with np.errstate(all="ignore"):
        seen = seen_in(windows, view)
        chosen = np.flatnonzero(all_held(asked_of_rise(seen, ground)))
        for start in range(0, len(chosen), _CHUNK):
            part = chosen[start : start + _CHUNK]
            put_told(found, part, *_found(seen.of(part), ground.of(part)), seen, ground)
    return found


def put_told(found: Leaks, rows: Rows, grown: Leaks, asked: Sequence[Asked], seen: Seen, ground: Ground) -> None:
    """Put what grew in these rows of all where it is told, and only of that when memory ends: most looks tell nothing,
    and forecasts are half of what a look costs."""
    told = np.flatnonzero(all_held(asked))
    if len(told):
        rows = rows[told]
        for column, value in zip(found, with_forecast(grown.of(told), seen.of(rows), ground.of(rows)), strict=True):
            column[rows] = value


def asked_of_leaks(seen: Seen, ground: Ground) -> tuple[Leaks, list[Asked]]:
    """What is found in one view of each row, whatever it is, and all that must hold for it to be told."""
    with np.errstate(all="ignore"):
        grown, asked = _found(seen, ground)
        return with_forecast(grown, seen, ground), [*asked_of_rise(seen, ground), *asked]


def may_have_grown(of_views: Numbers, limits: Numbers, resolutions: Numbers) -> Truths:
    """The cheapest part, for all that is `watched`: points, and the newest above the least by what is worth a look."""
    least = np.fmin.reduce(of_views, axis=1)
    grown = of_views[np.arange(len(of_views)), first_and_last(of_views)[1]] - least
    with np.errstate(all="ignore"):
        worth = (grown > 2 * resolutions) & (grown >= np.nan_to_num(_LEAST_PART * (limits - least)))
        may_have: Truths = (np.isfinite(of_views).sum(axis=1) >= _LEAST_POINTS) & worth
    return may_have


def may_rise(of_views: Numbers, views: Rows) -> Truths:
    """The next cheapest: whether the envelope of all that is `watched` rose often enough."""
    with np.errstate(all="ignore"):
        rises: Truths = rises_of(envelope(of_views)) >= _least_rises(views)
    return rises


def seen_in(windows: Numbers, views: Rows) -> Seen:
    """That view of each window, which has one line a row."""
    of_view = watched(windows, views)
    held = envelope(of_view)
    rising = since(onset(held), held)
    looked_at, rising_held = (np.where(rising, one, np.nan) for one in (of_view, held))
    before = np.fmax.reduce(np.where(rising, np.nan, of_view), axis=1)
    return Seen(windows, windows - held, looked_at, rising_held, before, views)


def asked_of_rise(seen: Seen, ground: Ground) -> list[Asked]:
    """Enough points and rises, every third alike, no tooth."""
    _, _, looked_at, held, before, views = seen
    daily = is_daily(views)
    first, last = first_and_last(looked_at)
    begin, third, two_thirds, end = (at_part(held, part) for part in (0, 1 / 3, 2 / 3, 1))
    grown, known = end - begin, np.isfinite(looked_at).sum(axis=1)
    slowest = np.minimum.reduce([third - begin, two_thirds - third, end - two_thirds])
    creeps = (ground.ratchets > 0) & ~(grown >= _CREEPING_PART * (ground.limits - begin))
    few = np.where(ground.ratchets > 0, _LEAST_RISES, _least_rises(views))
    least_rises = np.where(creeps, _CREEPING_RISES, few)
    days = np.maximum(_DAILY_SPAN, _DAILY_FROM_H / HOURS_OF[views])
    span = np.where(daily, days, np.where(views < _SHORT_VIEWS, _SHORT_SPAN, _LEAST_SPAN))
    hours, least_hours = (buckets * HOURS_OF[views] for buckets in (last - first, span))
    peaks = np.where(daily, _PEAKS_DAILY, _PEAKS) * np.nan_to_num(ground.peaks)
    worth = np.nan_to_num(_LEAST_PART * (ground.limits - begin))
    return [
        at_least("buckets known", "number", known, _least_known(views)),
        at_least("from the first to the last", "hours", hours, least_hours),
        more_than("growth of the envelope, in steps of the counter", "size", grown, 2 * ground.resolutions),
        at_least("growth of the envelope, to be worth a word", "size", grown, worth),
        at_least("times that it rose: no step", "number", rises_of(held), least_rises),
        at_least("growth in its slowest third: no plateau", "size", slowest, _THIRD * grown / 3),
        at_least("growth, beside falls from sample to sample", "size", grown, peaks).unless(views < _LONG_VIEWS),
        _asked_of_last_day(seen, last, grown / hours, ground.newest).or_unknown().unless(~daily),
        _asked_of_days_before(end, grown, np.fmax(before, ground.day_before)).or_unknown().unless(~daily),
        *(one.unless(daily) for one in asked_of_teeth(seen, ground)),
    ]


def _least_known(views: Rows) -> Numbers:
    """How many buckets must have been seen."""
    return np.where(is_daily(views), _DAILY_SPAN, np.where(views < _FINE_VIEWS, _FINE_KNOWN, _LEAST_KNOWN))


def _asked_of_last_day(seen: Seen, last: Numbers, rate: Numbers, newest: Numbers) -> Asked:
    """That it goes on, by the same hours a day before: the least of 24 hours is of their beginning, so by it alone what
    has long been full would still be growing. After a gap the newest value stands for the last hours."""
    bucket_hours = HOURS_OF[seen.views]
    now, before = (_least_of_hours(seen.windows, end, bucket_hours) for end in (last, last - _DAY_H / bucket_hours))
    now = np.where(np.isnan(now), newest, now)
    return at_least("growth of the last day: it goes on", "size", now - before, _GOES_ON * rate * _DAY_H)


def _asked_of_days_before(end: Numbers, grown: Numbers, highest: Numbers) -> Asked:
    """That it is no tooth of a saw whose teeth last for days."""
    return more_than("level, to be above the least of any day before", "size", end, highest + _MARGIN * grown)


def _least_of_hours(windows: Numbers, ends: Numbers, bucket_hours: Numbers) -> Numbers:
    """The least of the hours that end with that bucket; NaN where nothing is known of all of them."""
    back = np.arange(windows.shape[1])[None, :] - ends[:, None]
    within = (back <= 0) & (back > -np.maximum(1, np.round(_SAME_HOURS / bucket_hours))[:, None])
    least: Numbers = np.fmin.reduce(np.where(within, windows, np.nan), axis=1)
    return least


def rises_of(held: Numbers) -> Numbers:
    """How often each envelope rose."""
    rises: Numbers = np.sum(held[:, 1:] > held[:, :-1], axis=1, dtype=np.float64)
    return rises


def _least_rises(views: Rows) -> Numbers:
    least: Numbers = np.where(is_daily(views), _DAILY_RISES, _LEAST_RISES).astype(np.float64)
    return least


def asked_of_teeth(seen: Seen, ground: Ground) -> list[Asked]:
    """That it is no tooth of a saw. Of whole days only `_asked_of_days_before` is."""
    windows, over, _, held, _, views = seen
    first, _ = first_and_last(held)
    begin, end = at_part(held, 0), at_part(held, 1)
    grown, above = end - begin, np.fmax.reduce(over, axis=1)
    held_before = np.fmax(ground.held_before, np.fmax.reduce(np.where(since(first, windows), np.nan, windows), axis=1))
    held_before = np.where(views <= _LONG_VIEWS, np.fmax(held_before, ground.known_to), held_before)
    within = ground.ceiling_ages_ms / HOUR_MS <= (windows.shape[1] - first - _BESIDE) * HOURS_OF[views]
    ceilings = np.where(within, held_before, np.fmax(ground.ceilings, held_before))
    tooth = np.where(within, np.nan, ground.ceilings - ground.foot)
    outdone = ceilings + np.fmax(_MARGIN * grown, _TOOTH * tooth)
    noise, kept = _above_noise(over, above, views) * above, end - _GIVEN_BACK * grown
    wandered = WANDERS * ground.given_back
    return [
        at_least("growth, beside what rose and was given back", "size", grown, noise),
        at_least("growth, beside what went of late in as long", "size", grown, wandered).or_unknown(),
        at_least("the newest value: most of the growth is kept", "size", ground.newest, kept).or_unknown(),
        more_than("level, to be above all before: no next tooth", "size", end, outdone).or_unknown(),
    ]


def _above_noise(over: Numbers, above: Numbers, views: Rows) -> Numbers:
    """How many times what comes and goes must have been grown: the less the more often it was seen to come and go.

    Only where buckets are long enough for their least values to say something.
    """
    seen = np.where(views < _LONG_VIEWS, 1, np.maximum(1, excursions(over, 0.5 * above)))
    return np.maximum(_LEAST_ABOVE_NOISE, _ABOVE_NOISE / seen)


def _found(seen: Seen, ground: Ground) -> tuple[Leaks, list[Asked]]:
    """What grew in each window, whatever it is, and what is asked of it that takes more than a look."""
    grown, rise, steady = growth_in(seen, ground)
    return grown, [steady, *asked_of_size(rise, seen.views, ground)]


def growth_in(seen: Seen, ground: Ground) -> tuple[Leaks, Rise, Asked]:
    """What grew in each window, whatever it is, without a forecast; what rose there; and that its slope is known."""
    _, _, looked_at, held, _, views = seen
    held = np.where(np.isfinite(looked_at), held, np.nan)
    bucket_hours = HOURS_OF[views]
    rate, low, high = (slope / bucket_hours for slope in slopes(held))
    now, begin = np.fmax.reduce(held, axis=1), np.fmin.reduce(held, axis=1)
    first, last = first_and_last(held)
    hours = (last - first) * bucket_hours
    newest = np.where(views < _SHORT_VIEWS, now, ground.newest)  # a longer bucket may have got one sample, a high one
    at_once = np.fmax.reduce(np.diff(held, axis=1), axis=1)
    rise = Rise(hours, np.fmin(now, newest) - begin, begin, bend(held, ground.resolutions), at_once)
    later = np.full(len(rate), np.nan)
    grown = Leaks(rate, low, high, later, later, later, hours * 60, now - begin)
    return grown, rise, more_than("the slope at least, by its interval", "rate", low, 0.5 * rate)


def with_forecast(grown: Leaks, seen: Seen, ground: Ground) -> Leaks:
    """What grew, and when it ends memory."""
    left, soonest, latest = forecast_of(seen, ground, grown.rate)
    return grown._replace(hours_left=left, hours_low=soonest, hours_high=latest)


def forecast_of(seen: Seen, ground: Ground, rate: Numbers) -> Forecast:
    """When memory ends if what is seen goes on to grow by that many bytes an hour, with its interval."""
    held = np.where(np.isfinite(seen.looked_at), seen.held, np.nan)
    left, scatter = _hours_left(seen, np.fmax.reduce(held, axis=1), ground, rate)
    hours_at = np.arange(held.shape[1]) * HOURS_OF[seen.views][:, None]
    return Forecast(left, *interval(left, course_of(line_through(hours_at, held)), scatter))


def _hours_left(seen: Seen, now: Numbers, ground: Ground, rate: Numbers) -> tuple[Numbers, Numbers]:
    """Hours until memory ends, and their error by the level: all that was read since growth began counts, and its
    peaks."""
    windows, _, looked_at, _, _, views = seen
    buckets, bucket_hours = windows.shape[1], HOURS_OF[views]
    first, last = first_and_last(looked_at)
    begins = _begins(windows, first, views)
    ages, ceiling_age = ages_of(buckets, views, ground), ground.ceiling_ages_ms / HOUR_MS
    ceiling = np.where(ceiling_age <= (buckets - begins) * bucket_hours, ground.ceilings, np.nan)
    read = np.where(since(begins, windows), windows, np.nan)
    by_read, scatter = passage(ends_of(read, ages, rate, ground.limits), bucket_hours)
    others = np.column_stack([now + np.nan_to_num(ground.peaks), ground.newest, ground.most, ceiling])
    ages = np.column_stack([ages[np.arange(len(last)), last], np.zeros((len(last), 2)), ceiling_age])
    left = np.fmin(by_read, hours_left(others, ages, rate, ground.limits))
    return np.where(rate > 0, left, np.inf), np.hypot(scatter, bucket_hours / np.sqrt(12))


def _begins(windows: Numbers, first: Numbers, views: Rows) -> Numbers:
    """From which bucket on what was read belongs to the growth: of whole days behind the lowest of the first of them,
    lest the end of the tooth before it counts as a peak that may come again."""
    daily = np.flatnonzero(is_daily(views))
    begins = first.copy()
    back = first[daily, None] - np.arange(windows.shape[1])[None, :]
    of_first_day = (back >= 0) & (back <= np.round(_DAY_H / HOURS_OF[views[daily]])[:, None])
    lowest = np.argmin(np.where(of_first_day & np.isfinite(windows[daily]), windows[daily], np.inf), axis=1)
    begins[daily] = np.fmin(lowest + 1, first[daily])
    return begins


def ages_of(buckets: int, views: Rows, ground: Ground) -> Numbers:
    """How long before the newest value the middle of each closed bucket lies, hours: one line a row."""
    open_hours = np.nan_to_num(ground.open_ms) / HOUR_MS
    ages: Numbers = open_hours[:, None] + (np.arange(buckets, 0, -1) - 0.5) * HOURS_OF[views][:, None]
    return ages


def has_not_ended(windows: Numbers, views: Rows, *, flat: bool = False) -> Truths:
    """Whether a leak once told stays told: growth goes on, as of one of the last few buckets at least, and of what was
    taken by then half has not been given back; `flat`: or has stopped."""
    with np.errstate(all="ignore"):
        newest = windows[np.arange(len(windows)), first_and_last(windows)[1]]
        on = _goes_on(windows, views, newest, flat=flat)
        for buckets in range(1, _PAUSES + 1):
            short = buckets * HOURS_OF[views] <= _PAUSE_H
            on |= short & _goes_on(windows[:, :-buckets], views, newest, flat=flat)
    return on


def _goes_on(windows: Numbers, views: Rows, newest: Numbers, *, flat: bool) -> Truths:
    held = envelope(watched(windows, views))
    first, last = first_and_last(held)
    late = np.fmin(_LATE, _LATE_H / ((last - first) * HOURS_OF[views]))
    begin, before, end = (at_part(held, part) for part in (0, 1 - late, 1))
    grown = end - before
    on: Truths = (grown >= 0) & (end > begin) if flat else grown > _LATE_SHARE * late * (end - begin)
    return on & (newest >= end - _GIVEN_BACK * (end - begin))
