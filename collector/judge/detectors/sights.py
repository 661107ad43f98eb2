"""Points out of a night's blocks (`blocks.py`) of which a line may tell that memory grows. Pure, one series a row.

Traffic rises from a floor, clients come and go, teeth of a saw return to their feet: what rises steadily beneath is
seen best in

* `mixed`: of each block that mixture of its least value and its mean which scatters least around a parabola;
* `floors`: the least of so many blocks, and where it was: one of each tooth that is not longer;
* `feet`: the least values at which long teeth ended, and that of the boot, to which the first tooth leads back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.line import fit
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

MOST_FEET = 24

_FALL_ERRORS, _FALL_PART = 8.0, 0.3
"""A tooth ends where the mean falls by so many errors of a block, and by this part of all that it ever moved."""
_LEAST_OF_TOOTH, _STARTING = 4, 5
"""Blocks that tell the slope of a tooth; blocks of starting up over which the first tooth may lead back."""


class Points(NamedTuple):
    """Hours and bytes: series x points, NaN where there is none."""

    hours: Numbers
    used: Numbers


class Tooth(NamedTuple):
    """The one long tooth of a night, one value a row, NaN where there are more or none: bytes at the boot, at its
    height, and at its foot; the bytes/hour of its rise and of that after it; hours from the boot to the foot."""

    boot: Numbers
    height: Numbers
    foot: Numbers
    rise: Numbers
    rise_after: Numbers
    hours: Numbers


def mixed(hours: Numbers, least: Numbers, mean: Numbers) -> Points:
    """The mixture that scatters least."""
    x = np.broadcast_to(np.linspace(-1, 1, least.shape[1]), least.shape)
    low, middle = (fit(x, one, 2).rest for one in (least, mean))
    apart = low - middle
    part = np.clip(-(middle * apart).sum(axis=1) / ((apart**2).sum(axis=1) + 1e-9), 0, 1)[:, None]
    return Points(hours, part * least + (1 - part) * mean)


def floors(hours: Numbers, least: Numbers, blocks: int) -> Points:
    """The least of each so many blocks; those of which half is unknown are left out."""
    count = least.shape[1] // blocks
    shape = (len(least), count, blocks)
    grouped = least[:, -count * blocks :].reshape(shape)
    filled = np.where(np.isfinite(grouped), grouped, np.inf)
    where = filled.argmin(axis=2)[:, :, None]
    used = np.take_along_axis(filled, where, axis=2)[:, :, 0]
    at = np.take_along_axis(hours[:, -count * blocks :].reshape(shape), where, axis=2)[:, :, 0]
    known = np.isfinite(grouped).sum(axis=2) > blocks / 2
    return Points(at, np.where(known, used, np.nan))


def error_of(used: Numbers) -> Numbers:
    """By how much each block errs for itself: the median of second differences, in which lines and teeth vanish."""
    rough = np.abs(used[:, 2:] - 2 * used[:, 1:-1] + used[:, :-2])
    error: Numbers = 1.4826 / np.sqrt(6) * np.nanmedian(rough, axis=1)
    return error


def teeth(least: Numbers, mean: Numbers) -> dict[int, Rows]:
    """Of each series that has long teeth: the blocks in which they ended, where the least value is."""
    falls = np.zeros_like(mean)
    falls[:, 1:-1] = np.nan_to_num(mean[:, :-2] - mean[:, 2:])
    swing = np.fmax.reduce(mean, axis=1) - np.fmin.reduce(mean, axis=1)
    errors = np.fmax(error_of(least), error_of(mean))
    large = falls > np.fmax(_FALL_ERRORS * errors, _FALL_PART * swing)[:, None]
    return {row: _ends(falls[row], large[row], least[row]) for row in np.flatnonzero(large.any(axis=1)).tolist()}


def feet(hours: Numbers, least: Numbers, boots_at: Numbers, ends: dict[int, Rows]) -> Points:
    """What was used where teeth ended; before them when the boot began, at block `boots_at`, if that is to be seen."""
    at, used = np.full((2, len(least), MOST_FEET), np.nan)
    for row, places in ends.items():
        begin, _ = _leads_back(least[row, : places[0] - 1], boots_at[row])
        boot_h = hours[row, 0] + boots_at[row] * (hours[row, 1] - hours[row, 0])
        here = np.append(boot_h, hours[row, places])[-MOST_FEET:]
        at[row, : len(here)], used[row, : len(here)] = here, np.append(begin, least[row, places])[-MOST_FEET:]
    return Points(at, used)


def only_tooth(hours: Numbers, least: Numbers, mean: Numbers, boots_at: Numbers, ends: dict[int, Rows]) -> Tooth:
    """Of the series that have one since their boot."""
    tooth = Tooth(*np.full((len(Tooth._fields), len(least)), np.nan))
    for row, places in ends.items():
        end, block_h = int(places[0]), hours[row, 1] - hours[row, 0]
        begin, rise = _leads_back(least[row, : end - 1], boots_at[row])
        after = least[row, end + 1 :]
        if len(places) > 1 or np.isnan(begin) or np.isfinite(after).sum() < _LEAST_OF_TOOTH:
            continue
        _, rise_after = _leads_back(after, 0)
        values = (begin, np.nanmax(mean[row, :end]), least[row, end], rise / block_h, rise_after / block_h)
        for column, value in zip(tooth, (*values, (end - boots_at[row]) * block_h), strict=True):
            column[row] = value
    return tooth


def _ends(falls: Numbers, large: Truths, least: Numbers) -> Rows:
    """Where the least value beside each large fall is; falls that touch are one."""
    begins = np.flatnonzero(large & ~np.append(False, large[:-1]))
    lasts = np.flatnonzero(large & ~np.append(large[1:], False))
    found = []
    for begin, last in zip(begins.tolist(), lasts.tolist(), strict=True):
        first = begin + int(np.argmax(falls[begin : last + 1])) - 1  # known, else it would be no fall
        found.append(first + int(np.nanargmin(least[first : first + 4])))
    return np.array(found, dtype=np.int64)


def _leads_back(tooth: Numbers, place: float) -> tuple[float, float]:
    """Where the line through the blocks of a tooth was at a place shortly before them, and its rise a block."""
    known = np.flatnonzero(np.isfinite(tooth))
    if len(known) < _LEAST_OF_TOOTH or not place >= known[0] - _STARTING:
        return np.nan, np.nan
    rise, at_first = np.polyfit(known - place, tooth[known], 1)
    return float(at_first), float(rise)
