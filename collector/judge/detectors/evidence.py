"""Evidence: that growth is more than healthy memory does, by its size and shape, and would end it. Pure, by column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.conditions import Asked, all_of, at_least, less_than, more_than, one_of
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.history import HOUR_MS
from collector.judge.detectors.shape import Bend, bend_of_a_day, to_come
from collector.judge.detectors.views import is_daily
from collector.judge.expression import Numbers
from collector.judge.series import Rows

_TOOTH, _LARGEST_WAVE = 0.45, 0.5
"""Parts of the room: a tooth of a saw, and a daily cycle from its trough to its crest, stay below."""
_KNOWN_FOR, _KNOWN_DAY_H, _KNOWN_WEEK_H = 4.0, 30.0, 168.0
"""A boot that was heard for so many times the rise, and longer than a day, would have shown its teeth and waves: it
has, where memory fell from a level that the rise has not reached. Its own uptime says nothing of that."""
_NEWS_PART, _NEWS_OF_DAYS_PART, _OUTAGE_H = 0.20, 0.30, 12.0
"""What happens each other day, as a queue that fills while the uplink is away, is known only after a week, and not even
then where it rises for no longer than an outage may last."""
_STEADY_PART = 0.3
_STRAIGHT_FROM_H, _STRAIGHT_ERRORS = 12.0, 1.5
"""Straight for longer than a wave of 24 hours rises."""
_LONG_H, _DAYS_H, _DAYS_PART = 26.0, 48.0, 0.25
"""What is emptied once a day, as a buffer is at midnight, rises for no longer than a day. Of growth that outlasts two
days less is asked."""
_OF_ROOM = "growth, of the room for it"
_LEAST_ROOM = 0.5
"""Memory ends when peaks reach the limit: what they take is no room for growth, nor for teeth and waves, since who
builds a device leaves room for both; but for so much of what was free."""
_DAILY_PART = 0.3
_UNLIMITED_PART, _UNLIMITED_WITHIN_DAY, _UNLIMITED_WITHIN_HOURS, _UNLIMITED_RATIO = 0.25, 0.5, 1.0, 0.8
"""Parts of what was used, where nobody knows what is free: over more than a day, or on a boot that is known; else over
half a day, and sooner, since programs fill what they need after a boot."""
_UNLIMITED_WORTH = 1024.0
"""Bytes. What is less is no news of a task that holds little."""
_RATCHET_PART = 0.3
"""Counters that never fall creep with each new record: of them more is asked."""
_LONE_PART = 1 / 3
"""Of what grew: one rise that takes more is a record of its own."""
_ERRORS = 1.0


class Rise(NamedTuple):
    """What grew: over so many hours, by so many bytes, from how many; how it bends; the most of it at once."""

    hours: Numbers
    grown: Numbers
    begin: Numbers
    bent: Bend
    at_once: Numbers


def asked_of_size(rise: Rise, views: Rows, ground: Ground) -> list[Asked]:
    """That growth of this size and shape over so many hours is more than any healthy rise, and would end memory.

    A tooth of a saw stays below `_TOOTH` of the room, a daily cycle below its sine; smaller growth must be news
    to a boot that is known for long, or straighter than a wave of 24 hours can be, or go on for longer than a day.
    """
    grown, bent = rise.grown, rise.bent
    free = ground.limits - rise.begin
    room = np.maximum(_LEAST_ROOM * free, free - np.nan_to_num(ground.peaks))
    part, left = grown / room, room - grown
    ratio = np.minimum(1, bent.ratio) - _ERRORS * bent.ratio_error
    slowly, surely = to_come(grown, ratio), np.fmax(to_come(grown, ratio), to_come(grown, bent.ratio))
    ends = at_least("what is to come, if it goes on slowing down so", "size", surely, left)
    ends_at_worst = at_least("what is to come, if it slows down by an error more", "size", slowly, left)
    steady = at_least(_OF_ROOM, "percent", part, _STEADY_PART)
    ends_of_long = at_least(ends.what, "size", np.where(part >= _TOOTH, surely, slowly), left)
    choices = [
        all_of("large for its time", [_asked_to_be_large(rise, part), _asked_of_records(rise, room, ground), ends]),
        all_of("news to a boot that is known", [*_asked_to_be_news(rise, part, ground), ends_at_worst]),
        all_of("over days", [_asked_of_days(part, views), ends]),
        all_of("straight", [steady, *_asked_of_shape(rise), ends_at_worst]),
        all_of("longer than a day", [*_asked_of_length(rise, part), ends_of_long]),
        all_of("of unknown limit", _asked_of_unlimited(rise, ratio, ground)),
    ]
    of_ratchets = at_least(f"{_OF_ROOM}, where a counter never falls", "percent", part, _RATCHET_PART)
    is_free = ~(ground.ratchets > 0)
    return [one_of("more than healthy memory does", choices), of_ratchets.or_unknown().unless(is_free)]


def _asked_to_be_large(rise: Rise, part: Numbers) -> Asked:
    wave = _LARGEST_WAVE * np.sin(np.pi * np.minimum(rise.hours, 24) / 24)
    return at_least(_OF_ROOM, "percent", part, np.maximum(_TOOTH, wave))


def _asked_of_records(rise: Rise, room: Numbers, ground: Ground) -> Asked:
    """Of load that has its day one record may stand far above all others: a leak is as large without it."""
    lone = np.where(rise.at_once > _LONE_PART * rise.grown, rise.at_once, 0)
    others = at_least("growth without a lone record, of the room for it", "percent", (rise.grown - lone) / room, _TOOTH)
    return others.unless(~(ground.ratchets > 0))


def _asked_to_be_news(rise: Rise, part: Numbers, ground: Ground) -> list[Asked]:
    heard_hours, least_hours = ground.heard_ms / HOUR_MS, np.maximum(_KNOWN_FOR * rise.hours, _KNOWN_DAY_H)
    is_known = (heard_hours >= _KNOWN_WEEK_H) & (rise.hours >= _OUTAGE_H)
    end, news = rise.begin + rise.grown, np.where(is_known, _NEWS_PART, _NEWS_OF_DAYS_PART)
    known = _known_level(ground)
    return [
        at_least("for how long it has been heard, with boots before", "hours", heard_hours, least_hours),
        more_than("level, to be above what it fell from, or held before", "size", end, known).or_unknown(),
        at_least(_OF_ROOM, "percent", part, news),
    ]


def _known_level(ground: Ground) -> Numbers:
    """What it fell from, or held before: the highest; NaN where nothing is known."""
    level: Numbers = np.fmax.reduce([ground.ceilings, ground.held_before, ground.known_to])
    return level


def _asked_of_days(part: Numbers, views: Rows) -> Asked:
    of_days = np.where(is_daily(views), part, np.nan)
    return at_least("growth in the least of 24 hours, of the room for it", "percent", of_days, _DAILY_PART)


def _asked_of_shape(rise: Rise) -> list[Asked]:
    bends = rise.bent.deviation + _STRAIGHT_ERRORS * rise.bent.deviation_error
    return [
        less_than("how far it bends, beside a wave of 24 hours", "percent", bends, bend_of_a_day(rise.hours)),
        at_least("how long it is straight", "hours", rise.hours, _STRAIGHT_FROM_H),
    ]


def _asked_of_length(rise: Rise, part: Numbers) -> list[Asked]:
    least_part = np.where(rise.hours >= _DAYS_H, _DAYS_PART, _STEADY_PART)
    return [
        at_least("how long it lasts", "hours", rise.hours, _LONG_H),
        at_least(_OF_ROOM, "percent", part, least_part),
    ]


def _asked_of_unlimited(rise: Rise, ratio: Numbers, ground: Ground) -> list[Asked]:
    grown = np.where(np.isnan(ground.limits), rise.grown, np.nan)
    within_day = np.where(rise.hours >= _STRAIGHT_FROM_H, _UNLIMITED_WITHIN_DAY, _UNLIMITED_WITHIN_HOURS)
    known = ground.heard_ms / HOUR_MS >= np.maximum(_KNOWN_FOR * rise.hours, _KNOWN_DAY_H)
    known &= (rise.hours >= _OUTAGE_H) & ~(rise.begin + rise.grown <= _known_level(ground))
    part = np.where(known | (rise.hours >= _LONG_H), _UNLIMITED_PART, within_day)
    least = np.fmax(_UNLIMITED_WORTH, part * rise.begin)
    return [
        at_least("growth without a limit, of what was used", "size", grown, least),
        at_least("its second half to its first, by an error less", "ratio", ratio, _UNLIMITED_RATIO),
    ]
