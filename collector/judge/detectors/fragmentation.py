"""Fragmentation: the largest free block shrinks while free memory does not. Pure, by column.

Looked at are two envelopes over the same buckets: of used memory, and of what lies outside of the largest free block
(limit - largest). Told when the second grew by a large part of the largest block, in most thirds of the time and still
in the last, while the first grew by little of that; most of what is free is no longer in one piece; and even slowing
down as it did it will be less: every allocator's largest block shrinks after a boot, and then stays where it is.

One block that lies badly halves the largest one and may be gone in an hour: within a day it must have been halved
twice. A lone low value is no end of it, and what was as small before and came back is not shrinking.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.conditions import Asked, all_held, at_least, at_most
from collector.judge.detectors.shape import at_part, bend, envelope, first_and_last, to_come
from collector.judge.detectors.views import HOURS_OF, is_daily, watched
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

_LEAST_KNOWN, _DAILY_KNOWN, _LEAST_RISES = 10, 5, 4
_LEAST_H = 1.0
_PART, _EARLY_PART, _EARLY_H = 0.4, 0.75, 24.0
"""By which part of the largest block it must have shrunk; within hours more: load comes and goes."""
_USED_PART = 0.3
_IN_ONE_PIECE, _SOON_IN_ONE_PIECE, _SETTLES_H, _AT_LAST = 0.5, 0.35, 48.0, 0.4
"""Parts of the free memory: the largest block at most, now, within as many hours as a heap takes to settle, and when it
has slowed down for ever."""
_LATELY = 0.9
"""The end of a window is what stood from that part of it on: a lone value is not."""
_NEW = 0.3
"""Of what it shrank by: so much smaller it must be than it ever was before the window."""
_THIRD, _MOST_OF_IT = 0.15, 0.8
"""Of what it shrank by: what counts in a third of the time, and what one third may have of it."""


class Fragmentation(NamedTuple):
    """One value a row, NaN where none is told: largest free block then and now, bytes, and hours between; what was free
    then and is now, bytes, at best: as their envelopes say it, so the block is never more."""

    before: Numbers
    now: Numbers
    hours: Numbers
    free_before: Numbers
    free_now: Numbers


def may_have_shrunk(outside: Numbers, limits: Numbers) -> Truths:
    """The cheapest part, for all that is `watched`: the newest of the bytes outside above the least by what is worth a
    look."""
    least = np.fmin.reduce(outside, axis=1)
    grown = outside[np.arange(len(outside)), first_and_last(outside)[1]] - least
    with np.errstate(all="ignore"):
        may_have: Truths = grown >= _PART * np.fmax(0, limits - least)
    return may_have


def find_fragmentation(
    used: Numbers, outside: Numbers, views: int | Rows, limits: Numbers, before: Numbers | float = np.nan
) -> Fragmentation:
    """Judge windows of least used bytes and of least bytes outside of the largest free block; all in bytes. `before` is
    the most that stood outside before each window, NaN where that is not known."""
    views = np.broadcast_to(np.asarray(views), len(used))
    found, asked = asked_of_fragmentation(used, outside, views, limits, before)
    told = all_held(asked)
    return Fragmentation(*(np.where(told, column, np.nan) for column in found))


def asked_of_fragmentation(
    used: Numbers, outside: Numbers, views: Rows, limits: Numbers, before: Numbers | float = np.nan
) -> tuple[Fragmentation, list[Asked]]:
    """What is found in each window, whatever it is, and all that must hold lest it be nothing."""
    daily = is_daily(views)
    with np.errstate(all="ignore"):
        used, outside = envelope(watched(used, views)), watched(outside, views)
        held = envelope(outside)
        first, last = first_and_last(outside)
        begin, third, two_thirds, end = (at_part(held, part) for part in (0, 1 / 3, 2 / 3, _LATELY))
        used_before, used_now = at_part(used, 0), at_part(used, 1)
        grown, used_grown = end - begin, used_now - used_before
        gave_back = outside - held >= _NEW * grown[:, None]
        before = np.fmax(before, np.fmax.reduce(np.where(gave_back, outside, np.nan), axis=1))
        hours = (last - first) * HOURS_OF[views]
        thirds = np.stack([third - begin, two_thirds - third, end - two_thirds])
        part = np.where(hours < _EARLY_H, _EARLY_PART, _PART)
        free_before, free = limits - used_before, limits - used_now
        one_piece = np.where(hours < _SETTLES_H, _SOON_IN_ONE_PIECE, _IN_ONE_PIECE)
        at_last = np.clip(limits - end - to_come(grown, bend(held, np.zeros(len(held))).ratio), 0, limits)
        known, rises = np.isfinite(outside).sum(axis=1), np.sum(np.diff(held, axis=1) > 0, axis=1)
        least_known = np.where(daily, _DAILY_KNOWN, _LEAST_KNOWN)
        asked = [
            at_least("buckets in which the largest free block is known", "number", known, least_known),
            at_least("hours from the first of them to the last", "hours", hours, _LEAST_H),
            at_least("times that the largest free block shrank for good", "number", rises, _LEAST_RISES),
            at_least("by how much it shrank", "size", grown, part * (limits - begin)),
            at_least(
                "what lies outside of it now, above all that did before", "size", end - before, _NEW * grown
            ).or_unknown(),
            at_most("growth of used memory meanwhile", "size", used_grown, _USED_PART * grown),
            at_least("thirds of the time in which it shrank", "number", np.sum(thirds >= _THIRD * grown, axis=0), 2),
            at_least("by how much in the last of them: it has not settled", "size", thirds[-1], _THIRD * grown),
            at_most("by how much in the worst third: no step", "size", thirds.max(axis=0), _MOST_OF_IT * grown),
            at_most("the largest free block now", "size", limits - end, one_piece * free),
            at_most("the largest free block at last, slowing down as it does", "size", at_last, _AT_LAST * free),
        ]
    return Fragmentation(limits - begin, limits - end, hours, free_before, free), asked
