"""Long teeth of a saw in a night's blocks (`blocks.py`), and where each begins: at its foot. Pure, one series a row.

Memory that is collected at last, or sent, or rotated, rises and falls back; whether more is kept each time is told by
the feet. The least block of a tooth lies above its foot by chance, and by where in it the fall was. A line through all
of the tooth leads back to its foot far more exactly; if teeth bend, they bend alike.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from collector.judge.detectors.line import fit
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

MOST_FEET = 24

_FALL_ERRORS, _FALL_PART = 8.0, 0.3
"""A tooth ends where the mean falls by so many errors of a block, and by this part of its moves about a line."""
_LEAST_OF_TOOTH, _STARTING = 4, 5
"""Blocks that tell the line of a tooth; blocks of starting up over which the first tooth may lead back."""
_NEEDS_BOOT = 4
"""So many feet or fewer need that of the boot among them."""
_BACK = 0.5
"""A fall of which that part is back before a tooth could be told is a dip: what was closed is opened anew."""
_MIDDLE = 0.5
"""Where in its block a mean stands."""


class Feet(NamedTuple):
    """Where teeth begin: hours, bytes, and standard errors of these, series x feet, NaN where there is none; and the
    median height of each series' teeth, bytes."""

    hours: Numbers
    used: Numbers
    errors: Numbers
    heights: Numbers


class Tooth(NamedTuple):
    """The one long tooth of a night, one value a row, NaN where there are more or none: bytes at the boot, at its
    height, and at its foot; the standard error of foot less boot; bytes/hour of its rise and of that after it; hours
    from the boot to the foot."""

    boot: Numbers
    height: Numbers
    foot: Numbers
    error: Numbers
    rise: Numbers
    rise_after: Numbers
    hours: Numbers


class _Piece(NamedTuple):
    """The line through one tooth: so many points, the place and the bytes of their middle, bytes a block, and the sums
    of squares of what is left of the points and of their places."""

    points: int
    middle: float
    level: float
    slope: float
    rest: float
    apart: float

    def at(self, place: float) -> float:
        """Bytes there."""
        return self.level + self.slope * (place - self.middle)

    def error_at(self, place: float) -> float:
        """Standard error of that, where points err by 1."""
        return float(np.sqrt(1 / self.points + (place - self.middle) ** 2 / self.apart))


class _Saw(NamedTuple):
    """The teeth of one series: their lines (None where too little is known), the place where each begins (NaN: not to
    be seen), and the error of a block."""

    pieces: list[_Piece | None]
    begins: list[float]
    error: float


Saws = dict[int, _Saw]


def error_of(used: Numbers) -> Numbers:
    """By how much each block errs for itself: the median of second differences, in which lines and teeth vanish."""
    rough = np.abs(used[:, 2:] - 2 * used[:, 1:-1] + used[:, :-2])
    error: Numbers = 1.4826 / np.sqrt(6) * np.nanmedian(rough, axis=1)
    return error


def saws(mean: Numbers, boots_at: Numbers) -> Saws:
    """Those of the series that have long teeth."""
    falls = np.zeros_like(mean)
    falls[:, 1:-1] = np.nan_to_num(mean[:, :-2] - mean[:, 2:])
    about = fit(np.broadcast_to(np.linspace(-1, 1, mean.shape[1]), mean.shape), mean, 1).rest  # a leak may move more
    swing = np.fmax.reduce(about, axis=1) - np.fmin.reduce(about, axis=1)
    large = falls > np.fmax(_FALL_ERRORS * error_of(mean), _FALL_PART * swing)[:, None]
    large &= ~_are_dips(mean, falls)
    rows = np.flatnonzero(large.any(axis=1)).tolist()
    return {row: _saw(mean[row], _places(falls[row], large[row]), float(boots_at[row])) for row in rows}


def _are_dips(mean: Numbers, falls: Numbers) -> Truths:
    """Whether what falls at each block is mostly back soon."""
    before = np.full_like(mean, np.nan)
    before[:, 1:] = mean[:, :-1]
    soon = np.full((_LEAST_OF_TOOTH - 1, *mean.shape), np.nan)
    for later, ahead in enumerate(soon, start=1):
        ahead[:, :-later] = mean[:, later:]
    dips: Truths = np.fmax.reduce(soon, axis=0) >= before - _BACK * falls
    return dips


def feet(found: Saws, series: int, block_hours: float) -> Feet:
    """The newest feet of so many series; that of the boot only where there are few others, since the first tooth may
    begin some time after it."""
    at, used, errors = np.full((3, series, MOST_FEET), np.nan)
    heights = np.full(series, np.nan)
    for row, saw in found.items():
        seen = [
            (begin * block_hours, piece.at(begin), saw.error * piece.error_at(begin))
            for begin, piece in zip(saw.begins, saw.pieces, strict=True)
            if piece is not None and begin == begin
        ]
        seen = seen[-MOST_FEET:] if len(seen) <= _NEEDS_BOOT or np.isnan(saw.begins[0]) else seen[1:][-MOST_FEET:]
        if seen:
            at[row, : len(seen)], used[row, : len(seen)], errors[row, : len(seen)] = np.transpose(seen)
        rises = [
            piece.slope * (end - begin)
            for (begin, end), piece in zip(pairwise(saw.begins), saw.pieces, strict=False)
            if piece is not None and begin == begin and end == end
        ]
        heights[row] = np.median(rises) if rises else np.nan
    return Feet(at, used, errors, heights)


def only_tooth(found: Saws, series: int, block_hours: float) -> Tooth:
    """Of the series that have one since their boot."""
    tooth = Tooth(*np.full((len(Tooth._fields), series), np.nan))
    for row, saw in found.items():
        before, after = saw.pieces[0], saw.pieces[-1]
        if len(saw.pieces) != 2 or before is None or after is None or np.isnan(saw.begins).any():
            continue
        boot, end = saw.begins
        error = saw.error * float(np.hypot(before.error_at(boot), after.error_at(end)))
        values = (
            before.at(boot), before.at(end), after.at(end), error,
            before.slope / block_hours, after.slope / block_hours, (end - boot) * block_hours,
        )  # fmt: skip
        for column, value in zip(tooth, values, strict=True):
            column[row] = value
    return tooth


def _places(falls: Numbers, large: Truths) -> Rows:
    """The blocks in which large falls are; falls that touch are one."""
    begins = np.flatnonzero(large & ~np.append(False, large[:-1]))
    lasts = np.flatnonzero(large & ~np.append(large[1:], False))
    found = [begin + int(np.argmax(falls[begin : last + 1])) for begin, last in zip(begins, lasts, strict=True)]
    return np.array(found, dtype=np.int64)


def _saw(mean: Numbers, places: Rows, boot_at: float) -> _Saw:
    """The teeth between falls."""
    edges = [-1, *places.tolist(), len(mean)]
    pieces = [_piece(mean, first + 1, end) for first, end in pairwise(edges)]
    known = np.flatnonzero(np.isfinite(mean))
    seen = known[0] - _STARTING <= boot_at <= known[0] + 1
    falls = [_fall(mean, place, *around) for place, around in zip(places.tolist(), pairwise(pieces), strict=True)]
    whole = [piece for piece in pieces if piece is not None]
    freedom = sum(piece.points - 2 for piece in whole)
    error = np.sqrt(sum(piece.rest for piece in whole) / freedom) if freedom else np.nan
    return _Saw(pieces, [boot_at if seen else np.nan, *falls], float(error))


def _piece(mean: Numbers, first: int, end: int) -> _Piece | None:
    known = first + np.flatnonzero(np.isfinite(mean[first:end]))
    if len(known) < _LEAST_OF_TOOTH:
        return None
    at, used = known + _MIDDLE, mean[known]
    apart = at - at.mean()
    slope = float((apart * used).sum() / (apart**2).sum())
    rest = used - used.mean() - slope * apart
    return _Piece(len(at), at.mean(), used.mean(), slope, float((rest**2).sum()), float((apart**2).sum()))


def _fall(mean: Numbers, place: int, before: _Piece | None, after: _Piece | None) -> float:
    """When in its block memory fell: so much of the mean of that is of the tooth before."""
    if before is None or after is None:
        return np.nan
    part = 0.5
    for _ in range(3 if np.isfinite(mean[place]) else 0):
        high, low = before.at(place + part / 2), after.at(place + (1 + part) / 2)
        part = float(np.clip((mean[place] - low) / (high - low), 0, 1)) if high > low else 0.5
    return place + part
