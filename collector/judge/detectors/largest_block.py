"""A leak that takes the largest free block, and when that is gone: larger requests fail then, whatever is free. Pure,
by column.

A leak leaves holes between what it keeps, so the largest free block may shrink faster than free memory does. What lies
outside of it grows to the limit as used memory does, and its end is told alike (`leak.forecast_of`): from where used
memory began to grow, at the pace of its own envelope.

How much of the free memory the largest block has at one moment is chance in any heap. So that end is told only where it
comes well before that of the last byte.

Growth of used memory that is no leak as yet by what is free may be one by what the largest block had: requests fail
when half is still free. A largest block shrinks in steps, and after any boot. So all that is asked of the shape of a
leak (`leak.asked_of_rise`) is asked of used memory, in its own right; and of the block that it shrank with it for good,
by as much of itself as a leak takes of what is free (`evidence.py`), bent as used memory is.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.conditions import Asked, all_held, at_least
from collector.judge.detectors.evidence import asked_of_size
from collector.judge.detectors.forecast import Forecast
from collector.judge.detectors.ground import Ground
from collector.judge.detectors.leak import (
    Leaks,
    Seen,
    asked_of_rise,
    asked_of_teeth,
    forecast_of,
    growth_in,
    put_told,
    seen_in,
)
from collector.judge.detectors.shape import at_part, envelope, first_and_last, since, slopes
from collector.judge.detectors.views import HOURS_OF, is_daily, watched
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

_LEAST_KNOWN = 5
_WELL_BEFORE = 0.7
_PART, _OWN_PART = 0.45, 1 / 3
"""By which part of it the block must have shrunk, and by which of what was free used memory must have grown: teeth and
days take less of that, but may leave a small block."""
_SETTLED = 0.3
"""The part of what it lost that must have gone after the first third: after a boot it shrinks, and stays."""
_LATELY = 0.9
"""What lies outside stood there from that part of the window on: the block is lower for a moment where one request is
large."""


def may_take_largest_block(of_views: Numbers, limits: Numbers) -> Truths:
    """The cheapest part, for all that is `watched`: whether used memory may have grown by the part that is asked."""
    least, most = np.fmin.reduce(of_views, axis=1), np.fmax.reduce(of_views, axis=1)
    with np.errstate(all="ignore"):
        may_take: Truths = most - least >= _OWN_PART * (limits - least)
    return may_take


def leaks_of_largest_block(used: Numbers, outside: Numbers, views: Rows, ground: Ground, of_block: Ground) -> Leaks:
    """Growth of used memory that takes the largest free block, by windows of least used bytes and of least bytes
    outside of it, of which `of_block` is known: NaN where it is none."""
    found = Leaks(*np.full((len(Leaks._fields), len(used)), np.nan))
    with np.errstate(all="ignore"):
        seen = seen_in(used, views)
        chosen = np.flatnonzero(all_held(asked_of_rise(seen, ground)) & np.isfinite(outside).any(axis=1))
        if len(chosen):
            of_used = seen.of(chosen), ground.of(chosen)
            grown, asked = asked_of_largest_block(*of_used, outside[chosen], of_block.of(chosen))
            put_told(found, chosen, grown, asked, seen, ground)
    return found


def asked_of_largest_block(seen: Seen, ground: Ground, outside: Numbers, of_block: Ground) -> tuple[Leaks, list[Asked]]:
    """What used memory grew in each window, whatever it is, without a forecast; and all that must hold beside
    `asked_of_rise`."""
    with np.errstate(all="ignore"):
        grown, rise, steady = growth_in(seen, ground)
        beyond = _seen_outside(seen, outside)
        begin, third = at_part(beyond.held, 0), at_part(beyond.held, 1 / 3)
        end = np.fmin(at_part(beyond.held, _LATELY), of_block.newest)
        lost, had = end - begin, of_block.limits - begin
        asked = [
            steady,
            at_least("what the largest free block lost, of what it had", "percent", lost / had, _PART),
            at_least("growth, of what was free", "percent", rise.grown / (ground.limits - rise.begin), _OWN_PART),
            at_least("what it lost after the first third: it has not settled", "size", end - third, _SETTLED * lost),
            *(one.unless(is_daily(seen.views)) for one in asked_of_teeth(beyond, of_block)),
            *asked_of_size(rise._replace(grown=lost, begin=begin), seen.views, of_block),
        ]
    return grown, asked


def end_of_largest_block(used: Numbers, outside: Numbers, views: Rows, of_block: Ground) -> Forecast:
    """When it is gone, by windows of least used bytes and of least bytes outside of it: NaN where that is not known,
    infinite where it does not shrink."""
    with np.errstate(all="ignore"):
        beyond = _seen_outside(seen_in(used, views), outside)
        ends = forecast_of(beyond, of_block, slopes(beyond.held)[0] / HOURS_OF[views])
        known = np.isfinite(beyond.looked_at).sum(axis=1) >= _LEAST_KNOWN
    return Forecast(*(np.where(known, one, np.nan) for one in ends))


def _seen_outside(seen: Seen, outside: Numbers) -> Seen:
    """What lies outside of the largest free block, since used memory began to grow."""
    begin, _ = first_and_last(seen.looked_at)
    looked_at = np.where(since(begin, outside), watched(outside, seen.views), np.nan)
    held = np.where(np.isfinite(looked_at), envelope(looked_at), np.nan)
    return seen._replace(windows=outside, over=outside - held, looked_at=looked_at, held=held)


def is_well_before(block: Forecast, leaks: Leaks, used: Numbers, views: Rows, ground: Ground) -> Truths:
    """Whether the block is gone well before the last byte, as its samples tell that, and before these leaks end memory:
    peaks between samples may end it first."""
    unknown = np.full(len(used), np.nan)
    by_samples = forecast_of(seen_in(used, views), ground._replace(most=unknown), leaks.rate).left
    before: Truths = block.left < np.fmin(leaks.hours_left, _WELL_BEFORE * np.fmax(by_samples, leaks.hours_left))
    return before & ~np.isnan(leaks.rate)


def ended_by(leaks: Leaks, sooner: Truths, block: Forecast) -> Leaks:
    """These leaks, some of them with that end."""
    ends = leaks.hours_left, leaks.hours_low, leaks.hours_high
    left, low, high = (np.where(sooner, one, end) for one, end in zip(block, ends, strict=True))
    return leaks._replace(hours_left=left, hours_low=low, hours_high=high)
