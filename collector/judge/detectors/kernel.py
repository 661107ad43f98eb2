"""Kernel memory that is never given back: sockets that are not closed. By column, one window a row.

What the kernel holds for an application (`total` less `user_mode` on an MT3620) falls when a socket closes, and nobody
documents a limit. Connections come in bursts, wait through outages and follow the day, and pools of them fill after a
boot. So the least of whole days is looked at, and after all that is asked of any rise of such (`leak.py`) it must

* have lasted for 60 hours, in eight rises of a page each at least, with a slope whose interval lies above half of it;
* be twice what came and went above it within the window, and above all that stood before: no next tooth;
* go on: its second half brought 60 % of what its first did, by a standard error less.

A fast leak ends a boot before that. So the hours of the last day and a half are looked at as they are, too: a day at
least, since a wave of a day falls within so long. Of them more is asked: growth by as much as an application may have
of user-mode memory, which doubles what was held, is four times what came and went, and came in so many small parts that
it is no pool. Parts of one size that come by chance scatter by that size: it is the variance of their sums over the
mean of these (the index of dispersion, Cox and Lewis 1966).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.columns import KERNEL_COLUMNS, KERNEL_LEVEL
from collector.judge.detectors.conditions import Asked, all_held, at_least, more_than
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.history import BUCKETS, History
from collector.judge.detectors.leak import Seen, asked_of_rise, rises_of, seen_in
from collector.judge.detectors.look import day_before, ground_of, stays_told
from collector.judge.detectors.shape import at_part, bend, first_and_last, slopes
from collector.judge.detectors.tell import tell
from collector.judge.detectors.views import HOURS_OF, LEVEL_OF, VIEWS, is_daily, views_of, watched
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows, Table
from collector.judge.used import KERNEL

_PAGE_BYTES, _DAY_H = 4096, 24.0
_HOURS, _PAGES, _ABOVE_NOISE = 24.0, 64, 4.0
_DAILY_HOURS, _DAILY_PAGES, _DAILY_ABOVE_NOISE = 60.0, 8, 2.0
"""What is asked of growth at least: how long it lasts, how large it is, and how many times what came and went."""
_LEAST_RISES, _LEAST_PARTS = 8, 32
"""How often it rises at least; and of how many parts the growth of hours is."""
_LONG = [view for view in range(len(VIEWS)) if (BUCKETS - 2) * HOURS_OF[view] >= _HOURS]
_LONG_DAILY = [view for view in _LONG if VIEWS[view][1] and (BUCKETS - 2) * HOURS_OF[view] >= _DAY_H + _DAILY_HOURS]
KERNEL_VIEWS = _LONG[0], *_LONG_DAILY
"""The shortest view whose window is long enough, and those of the least of whole days whose windows are."""
_SHORTEST_LEVEL = min(VIEWS[view][0] for view in KERNEL_VIEWS)
_MARGIN = 0.25
"""By which part of its growth it must be above what stood before."""
_RATIO, _ERRORS = 0.6, 1.0


class Growth(NamedTuple):
    """One value a row: bytes/hour with interval; minutes seen, bytes grown."""

    rate: Numbers
    low: Numbers
    high: Numbers
    minutes: Numbers
    grown: Numbers


def asked_of_kernel(seen: Seen, ground: Ground) -> tuple[Growth, list[Asked]]:
    """What is found in one view of each row, whatever it is, and all that must hold for it to be told."""
    with np.errstate(all="ignore"):
        held = np.where(np.isfinite(seen.looked_at), seen.held, np.nan)
        first, last = first_and_last(held)
        bucket_hours = HOURS_OF[seen.views]
        rate, low, high = (slope / bucket_hours for slope in slopes(held))
        begin, end, hours = at_part(held, 0), at_part(held, 1), (last - first) * bucket_hours
        grown, bent = end - begin, bend(held, ground.resolutions)
        noise, before = np.fmax.reduce(seen.over, axis=1), ground.held_before + _MARGIN * grown
        daily, parts = is_daily(seen.views), _parts_of(held, ground.resolutions)
        times = np.where(daily, _DAILY_ABOVE_NOISE, _ABOVE_NOISE)
        goes_on_by = np.minimum(1, bent.ratio) - _ERRORS * bent.ratio_error
        asked = [
            *asked_of_rise(seen, ground),
            more_than("the slope at least, by its interval", "rate", low, 0.5 * rate),
            at_least("how long it lasts", "hours", hours, np.where(daily, _DAILY_HOURS, _HOURS)),
            at_least("times that what is held for good rose", "number", rises_of(held), _LEAST_RISES),
            at_least("growth, to be no few connections", "size", grown, _least_growth(seen.views)),
            at_least("growth, beside all that came and went", "size", grown, times * noise),
            at_least("growth, where hours tell it: it doubles what was held", "size", grown, begin).unless(daily),
            at_least("parts of one size that would scatter so: no pool", "number", parts, _LEAST_PARTS).unless(daily),
            more_than("level, to be above all before: no next tooth", "size", end, before).or_unknown(),
            at_least("its second half to its first, by an error less", "ratio", goes_on_by, _RATIO),
        ]
    return Growth(rate, low, high, hours * 60, grown), asked


def _parts_of(held: Numbers, resolutions: Numbers) -> Numbers:
    """Of how many parts of one size each growth would be, had they come by chance."""
    rises = np.diff(held, axis=1)
    count, grown = np.isfinite(rises).sum(axis=1), np.nansum(rises, axis=1)
    mean = grown / count
    variance = (np.nansum(rises**2, axis=1) - grown * mean) / (count - 1) + resolutions**2 / 12
    parts: Numbers = grown * mean / variance
    return parts


def look_at_kernel(table: Table, history: History, closed: Rows, levels: Rows) -> None:
    """Look at those rows that closed a bucket of a level of `KERNEL_VIEWS`."""
    if not table.has(KERNEL_LEVEL):
        return
    long = levels >= _SHORTEST_LEVEL
    rows, views = views_of(closed[long], levels[long])
    looked_at = np.flatnonzero(np.isin(views, KERNEL_VIEWS))
    rows, views = rows[looked_at], views[looked_at]
    windows = history.windows(rows, LEVEL_OF[views], KERNEL)
    chosen = np.flatnonzero(_may_have_grown(windows, views) | (table.column(KERNEL_LEVEL)[rows] == views))
    if not len(chosen):
        return
    rows, views, windows = rows[chosen], views[chosen], windows[chosen]
    growth, asked = asked_of_kernel(seen_in(windows, views), kernel_ground_of(table, history, views, rows))
    columns, values = (KERNEL_LEVEL, *KERNEL_COLUMNS), (views.astype(np.float64), *growth)
    tell(table, rows, columns, values, all_held(asked), stays_told(history, rows, views, windows, layer=KERNEL))


def kernel_ground_of(table: Table, history: History, views: Rows, rows: Rows) -> Ground:
    """What is known of the kernel's memory beside its windows: there are no marks of it, and no limit."""
    unknown = np.full(len(rows), np.nan)
    return ground_of(table, history, views, rows)._replace(
        limits=unknown,
        ceilings=unknown,
        foot=unknown,
        held_before=history.highest_before(rows, LEVEL_OF[views], layer=KERNEL),
        peaks=unknown,
        given_back=history.given_back(rows, LEVEL_OF[views], layer=KERNEL),
        ratchets=np.zeros(len(rows)),
        newest=history.least[rows, KERNEL, 0, history.newest[rows, 0] % BUCKETS].astype(np.float64),
        day_before=day_before(history, views, rows, layer=KERNEL),
    )


def _may_have_grown(windows: Numbers, views: Rows) -> Truths:
    """The cheapest part: what most rows do not have."""
    of_views = watched(windows, views)
    moved = np.fmax.reduce(of_views, axis=1) - np.fmin.reduce(of_views, axis=1)
    may_have: Truths = moved >= _least_growth(views)
    return may_have


def _least_growth(views: Rows) -> Numbers:
    """What each view must have grown at least, bytes."""
    return np.where(is_daily(views), _DAILY_PAGES, _PAGES) * float(_PAGE_BYTES)
