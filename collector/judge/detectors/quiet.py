"""Quiet: memory that never falls, of a series that somebody watches, and grows at an even pace. Pure, by column.

Where samples come each minute and used memory has not fallen once in half an hour and sixty of them, growth by one
percent of all memory says more than anywhere else: nothing comes and goes that it could be mistaken for. What may still
be healthy is a cache that fills or a program that starts: it slows down.

Where a small thing comes and goes within minutes, what is held beneath it is looked at in the same way, but with more
patience: such a board is at work. So are all in the field, whose log rings and caches fill for hours with what comes at
random: only what grows as evenly as clockwork is told, and soon or never, since by chance anything does once.

Where samples stand farther apart than those of a watched board, nobody knows what comes and goes between them: memory
that was never seen to fall may be of a board at work all the same. There, too, it must grow like clockwork.

Growth is looked at from where it begins: after the longest wait for a rise that ended at least `_WAITED_FROM_H` ago, if
that is long beside what followed; else from the last fall, and again from ten minutes and from half an hour after the
boot on, so that nothing is measured at what programs take while they start.

It is measured from rise to rise. A staircase lies anywhere up to a step below its line, but its edges lie on it: so few
and large steps tell its pace as well as many small ones, and from half to half of the time whether it slows down.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.blocks import CLOSE_MS
from collector.judge.detectors.conditions import Asked, all_held, at_least, at_most, is_so, more_than
from collector.judge.detectors.forecast import course_of, hours_left, interval
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.history import BUCKETS, HOUR_MS, STARTING_MS, WIDTHS_MS
from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.line import Line, line_through
from collector.judge.detectors.night import YOUNG_H
from collector.judge.detectors.shape import Z, at_part, envelope, to_come
from collector.judge.detectors.trace import FINEST, Trace
from collector.judge.detectors.views import HOURS_OF, VIEWS
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

LEAST_H, LEAST_SAMPLES, OFTEN_S, LEAST_PART = 0.5, 60, 66.0, 0.01
"""For so long at least, and in so many samples, it must not have fallen, and have grown; samples at most so far apart;
of all memory. Who samples each minute is not at a desk, and what boards take in their first hour there is no leak."""
_LEAST_RISES, _LEAST_EVEN_RISES, _EVEN = 6, 4, 0.75
"""Rises are even where the least is such a part of the largest, and so of the waits between them."""
_SURE, _SURE_AT_WORK = 0.5, 0.95
"""By which part of the slope its interval must lie above nothing, on a board that may be at work: what fills with what
comes at random (caches, rings, what is made when it is first needed) grows less evenly than that for hours."""
_THIRD, _STANDS = 0.5, 0.75
"""The slowest third of the time took such a part of its share; and the last rise is not such a part of the longest wait
between two ago: both are to part it from a plateau."""
_NEWEST = 1 / 3
"""Which part of its growth may be of the last minutes: what has just risen may be what a session takes, and falls."""
_WAITED_FROM_H, _WAIT_PART, _WAITS = 0.4, 0.2, 3.0
"""A wait is before the growth where it ended so long ago, was such a part of the time since it began, and so many times
as long as those that followed."""
_ERRORS = 0.2
"""Growth that was seen to begin is measured whole; and healthy growth is rarer here than leaks. Other growth must go on
though it slows down by a whole error more."""
_SLOWEST_H = 6.0
"""In so many hours it takes one percent at least. Less ends memory in weeks, of which there are others to tell; ten
random rises of a cache that fills for days look alike."""
_NEXT_TOOTH = 1.5
"""How many times any fall before it must have grown: teeth differ in height."""
_AT_WORK_H, _LONGEST_AT_WORK_H, _LEFT_AT_WORK_H = 1.5, 5.0, 10.0
"""Where something comes and goes: for so long it must have grown, at least and at most, and have so long to go, since a
board at work fills caches, and what would end memory within hours is soon full, or told by others."""
_STARTED_H, _DAY_H = 1.0, 24.0
"""Growth begins with the boot where it does so within so many hours of it; and a day is so long. A first tooth of hours
and a cache of days rise with the boot as evenly as a leak does: of boards in the field, which are many, one is soon."""
_MARGIN, _HEARD_PART = 0.25, 0.75
"""By which part of its growth it must be above all before; the part of the time since it was heard that growth took
where nobody saw it begin."""
_POINTS = 31
_LOOKS_AFTER_MS = STARTING_MS, HOUR_MS // 2
"""Programs have started so long after the boot; and again, since some take longer."""
_STAYS = VIEWS.index((3, False))


class Growth(NamedTuple):
    """How each row grew: `grown` bytes in `hours` since it began, `since` of them from its first rise on, in so many
    `rises`; whether those are `even`, and it was seen to begin; hours of the longest wait between two rises, and
    since the last one (`stands`); `at` and `held`: hours and bytes of points at even distances from the first rise to
    the last, rows x points.
    """

    grown: Numbers
    since: Numbers
    hours: Numbers
    rises: Rows
    even: Truths
    begun: Truths
    longest_wait: Numbers
    stands: Numbers
    at: Numbers
    held: Numbers


class Rises(NamedTuple):
    """The rises of each row, rows x points, NaN at points that are none: by how many bytes, `at` which hour, and the
    hour of the point before, `after` which it was."""

    by: Numbers
    at: Numbers
    after: Numbers


class Look(NamedTuple):
    """What one look at each row finds, whatever it is, and all that must hold for it to be told."""

    growth: Growth
    leaks: Leaks
    asked: list[Asked]


def find_quiet_leaks(trace: Trace, ground: Ground) -> Leaks:
    """Judge each row."""
    told = Leaks(*np.full((len(Leaks._fields), len(trace.used)), np.nan))
    for look in look_at(trace, ground):
        held = all_held(look.asked) & np.isnan(told.rate)
        told = Leaks(*(np.where(held, new, old) for new, old in zip(look.leaks, told, strict=True)))
    return told


def look_at(trace: Trace, ground: Ground) -> list[Look]:
    """What was since the last fall, and since the boot has started; and the same of what is held."""
    with np.errstate(all="ignore"):
        looks = [_found(trace, ground, growth) for growth in _growths(trace)]
        flickers = trace.held_hours > trace.quiet_hours
        if flickers.any():
            came = np.fmax(_fell(trace), np.nan_to_num(ground.peaks))
            held = _held(trace)
            for look in (_found(held, ground, growth) for growth in _growths(held)):
                looks.append(look._replace(asked=[*_asked_at_work(look, held, flickers, came), *look.asked]))
        return looks


def _growths(trace: Trace) -> list[Growth]:
    growths = [_growth_since(trace, trace.quiet_hours, is_begin=np.isnan(trace.used[:, 0]))]
    for after_ms in _LOOKS_AFTER_MS:
        hours = np.fmin(trace.quiet_hours, trace.up_hours - after_ms / HOUR_MS)
        growths.append(_growth_since(trace, hours, is_begin=np.zeros(len(hours), dtype=np.bool_)))
    return growths


def _held(trace: Trace) -> Trace:
    """The same without what came and went since what is held last fell, as of the beginning of the last minutes: their
    least is what was held then."""
    ago = trace.minutes / 60
    since_held = (trace.hours >= -trace.held_hours[:, None]) & (trace.hours <= -ago[:, None])
    used = np.where(trace.hours > -ago[:, None], np.nan, trace.used)
    used[:, -1], since_held[:, -1] = trace.held, True
    hours = trace.hours + ago[:, None]
    hours[:, -1] = 0
    return trace._replace(
        hours=hours,
        used=np.where(since_held, envelope(used), used),
        up_hours=trace.up_hours - ago,
        quiet_hours=trace.held_hours - ago,
        apart_s=trace.period_s,
        peak=np.full(len(used), np.nan),  # it was of what came and went
    )


def view_that_holds(hours: Numbers) -> Rows:
    """In which view to look whether growth that was told of so many hours goes on."""
    views: Rows = np.where(hours > (BUCKETS - 1) * HOURS_OF[_STAYS], _STAYS + 1, _STAYS)
    return views


def _growth_since(trace: Trace, hours: Numbers, *, is_begin: Truths) -> Growth:
    """The growth within so many hours; `is_begin` says whether these begin with it."""
    rows, places = np.arange(len(trace.used)), np.arange(trace.used.shape[1])
    known = np.isfinite(trace.used) & (trace.hours >= -np.fmax(0, hours)[:, None])
    heard = known.argmax(axis=1)
    found = _rises(trace, known)
    after_wait, waited = _longest_wait(trace.hours, np.isfinite(found.by) | (places == heard[:, None]))
    counts = np.isfinite(found.by) & (places >= np.where(waited, after_wait, 0)[:, None])
    by, at, after = (np.where(counts, column, np.nan) for column in found)
    rises, first = counts.sum(axis=1), counts.argmax(axis=1)
    begin, end = np.fmin.reduce(at, axis=1), np.fmax.reduce(at, axis=1)
    waits = np.diff(np.fmax.accumulate(at, axis=1), axis=1)
    waits = np.where(counts[:, 1:], waits, np.nan)
    longest = np.fmax.reduce(waits, axis=1)
    stood = after[rows, first] - trace.hours[rows, heard]
    from_begin = is_begin & ~waited & (stood <= longest)
    since = trace.used[:, -1] - trace.used[rows, first]
    points = np.linspace(begin, end, _POINTS, axis=1)
    return Growth(
        np.where(from_begin, since / (end - begin) * hours, since + by[rows, first]),
        since,
        np.where(from_begin, hours, (end - begin) / (rises - 1) - begin),
        rises,
        _alike(by) & _alike(waits),
        waited | is_begin,
        longest,
        -end,
        points,
        np.array([_between(*row) for row in zip(points, at, trace.used, counts, strict=True)]),
    )


def _rises(trace: Trace, known: Truths) -> Rises:
    """The rises from each known point to the next.

    A rise by several times the least of all is as many rises, and the last of them came half of the wait between them
    before the later point, on average.
    """
    used = np.where(known, trace.used, -np.inf)
    before = _shifted(np.maximum.accumulate(used, axis=1))
    after = _shifted(np.maximum.accumulate(np.where(known, trace.hours, -np.inf), axis=1))
    by = np.where((used > before) & np.isfinite(before), used - before, np.nan)
    wait = (trace.hours - after) * np.fmin.reduce(by, axis=1)[:, None] / by
    return Rises(by, trace.hours - 0.5 * wait, after)


def _alike(values: Numbers) -> Truths:
    """Whether the known ones of each row differ by little."""
    alike: Truths = np.fmin.reduce(values, axis=1) >= _EVEN * np.fmax.reduce(values, axis=1)
    return alike


def _longest_wait(hours: Numbers, rose: Truths) -> tuple[Rows, Truths]:
    """The place of the rise after the longest wait, and whether that is one before the growth."""
    rows = np.arange(len(hours))
    before = _shifted(np.maximum.accumulate(np.where(rose, hours, -np.inf), axis=1))
    waits = np.where(rose & np.isfinite(before) & (hours <= -_WAITED_FROM_H), hours - before, 0)
    place = waits.argmax(axis=1)
    wait, since = waits[rows, place], -hours[rows, place]
    rises = (rose & (np.arange(hours.shape[1]) >= place[:, None])).sum(axis=1)
    return place, (wait > 0) & (wait >= _WAIT_PART * (wait + since)) & (wait >= _WAITS * since / rises)


def _shifted(values: Numbers) -> Numbers:
    """What stood one place before, minus infinity at the first."""
    return np.hstack([np.full((len(values), 1), -np.inf), values[:, :-1]])


def _between(points: Numbers, at: Numbers, used: Numbers, counts: Truths) -> Numbers:
    if not counts.any():
        return np.full(len(points), np.nan)
    values: Numbers = np.interp(points, at[counts], used[counts])
    return values


def _found(trace: Trace, ground: Ground, growth: Growth) -> Look:
    line, last = line_through(growth.at, growth.held), trace.used[:, -1]
    low, high = line.slope - Z * line.error, line.slope + Z * line.error
    thirds = np.diff(np.stack([at_part(growth.held, part) for part in (0, 1 / 3, 2 / 3, 1)]), axis=0)
    least_hours = np.fmax(LEAST_H, LEAST_SAMPLES * trace.apart_s / 3600)
    least_rises = np.where(growth.even, _LEAST_EVEN_RISES, _LEAST_RISES)
    sure = np.where(trace.apart_s * 1000 > CLOSE_MS, _SURE_AT_WORK, _SURE)
    asked = [
        at_most("how long the boot has run", "hours", trace.up_hours, YOUNG_H),
        at_most("how far samples stand apart", "seconds", trace.apart_s, OFTEN_S),
        at_least("for how long it never fell", "hours", trace.quiet_hours, least_hours),
        at_least("how long it grows", "hours", growth.hours, least_hours),
        at_least("growth, of all memory", "size", growth.grown, LEAST_PART * ground.limits),
        more_than("growth, in steps of the counter", "size", growth.grown, 2 * ground.resolutions),
        at_least("held for minutes: most of its growth stands", "size", trace.held, last - _NEWEST * growth.grown),
        at_least("times that it rose: no step", "number", growth.rises.astype(np.float64), least_rises),
        at_most("how long it has not risen: no plateau", "hours", growth.stands, _STANDS * growth.longest_wait),
        at_least("growth in its slowest third: no plateau", "size", thirds.min(axis=0), _THIRD * growth.since / 3),
        more_than("the slope at least, by its interval", "rate", low, sure * line.slope),
        at_least("growth in six hours, of all memory", "size", _SLOWEST_H * line.slope, LEAST_PART * ground.limits),
        _asked_of_end(line, growth, ground.limits - last),
        at_least("growth, beside what fell before", "size", growth.grown, _NEXT_TOOTH * _fell(trace)),
        at_least("used when first heard: all that went before", "size", *_unheard(trace, ground, growth, line)),
        _asked_of_level(trace, ground, growth),
    ]
    peaks = np.column_stack([last, ground.most])
    left = hours_left(peaks, np.zeros(peaks.shape), line.slope, ground.limits)
    width_hours = WIDTHS_MS[FINEST] / HOUR_MS
    soonest, latest = interval(left, course_of(line), np.full(len(last), width_hours / np.sqrt(12)))
    leaks = Leaks(line.slope, low, high, left, soonest, latest, growth.hours * 60, np.fmin(growth.grown, last))
    return Look(growth, leaks, asked)


def _asked_at_work(look: Look, held: Trace, flickers: Truths, came: Numbers) -> list[Asked]:
    """What more is asked where something comes and goes, of so many bytes at most: such a board is at work."""
    growth, leaks = look.growth, look.leaks
    heard = -held.hours[np.arange(len(held.used)), np.isfinite(held.used).argmax(axis=1)]
    with_boot = (growth.hours >= held.up_hours - _STARTED_H) & (held.apart_s * 1000 <= CLOSE_MS)
    no_start = with_boot | (heard - growth.hours >= _DAY_H)
    return [
        is_so("it began after a day that is known, or with the boot of a watched board: no morning", no_start),
        is_so("what comes and goes is given back within minutes", flickers),
        at_least("growth, beside what comes and goes", "size", growth.grown, _NEXT_TOOTH * came),
        at_least("how long it grows, at work", "hours", growth.hours, _AT_WORK_H),
        at_most("how long it grows without having been told, at work", "hours", growth.hours, _LONGEST_AT_WORK_H),
        at_least("hours left, at work", "hours", leaks.hours_left, _LEFT_AT_WORK_H),
        more_than("the slope at least, at work", "rate", leaks.low, _SURE_AT_WORK * leaks.rate),
    ]


def _fell(trace: Trace) -> Numbers:
    """How far memory fell before, in boots before too: what comes and goes may come again."""
    fell = np.fmax.reduce(np.fmax.accumulate(trace.used, axis=1) - trace.used, axis=1)
    return np.fmax(fell, np.fmax(np.nan_to_num(trace.fell), np.nan_to_num(trace.gave_back)))


def _unheard(trace: Trace, ground: Ground, growth: Growth, line: Line) -> tuple[Numbers, Numbers]:
    """What was used when it was first heard, and what growth that went on since the boot would have taken by then: more
    than there was where it is a tooth. Nothing where it was heard from the boot on, or seen to begin."""
    rows, first = np.arange(len(trace.used)), np.isfinite(trace.used).argmax(axis=1)
    heard = -trace.hours[rows, first]
    unheard = trace.up_hours - heard
    begins = np.isnan(trace.used[:, 0]) & (unheard > LEAST_H) & (growth.hours >= _HEARD_PART * heard)
    return trace.used[rows, first] + ground.hidden, line.slope * np.where(begins, unheard, 0)


def _asked_of_end(line: Line, growth: Growth, left: Numbers) -> Asked:
    slowed = line.ratio - _ERRORS * line.ratio_error
    at_worst = np.minimum(1, line.ratio) - line.ratio_error
    coming = to_come(growth.since, np.where(growth.begun, np.fmax(slowed, at_worst), at_worst))
    return at_least("what is to come, if it goes on slowing down so", "size", coming, left)


def _asked_of_level(trace: Trace, ground: Ground, growth: Growth) -> Asked:
    before = np.where(trace.hours < -trace.quiet_hours[:, None], trace.used, np.nan)
    last = trace.used[:, -1]
    peak = np.where(trace.peak > last, trace.peak, np.nan)
    highest = np.fmax.reduce([ground.ceilings, ground.held_before, peak, np.fmax.reduce(before, axis=1)])
    asked = more_than("level, to be above all before: no next tooth", "size", last, highest + _MARGIN * growth.grown)
    return asked.or_unknown()
