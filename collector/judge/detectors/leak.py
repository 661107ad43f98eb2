"""Leak: memory that is taken steadily and never given back. Pure, by column.

Looked at is the envelope of used memory: at each instant the least value from then on, so what was never given back.
A leak is told when, over the closed buckets of one level,
* the envelope grew by a part of what was free at first, the smaller the longer was looked: 30 % within two minutes,
  9 % in ten, 2.3 % in an hour, never less than 1 %; and in at least eight rises;
* it grew in every third of the time alike: no single step, no last tooth of a saw, no plateau;
* even slowing down as it did from the first half to the second (by q, so for ever by q + q^2 + ...) it would reach the
  limit: a cache that warms up would not. q is taken low by what the interval of the slope and the falls within the
  window leave open;
* a single rise without a fall is above the peaks from which memory fell before: else it is the next tooth;
* the slope, the median of the slopes of all pairs (Theil 1950, Sen 1968), has an interval (Sen's, by Kendall's
  variance, 95 %) that lies above half of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collector.judge.expression import Numbers, Truths

_LEAST_BUCKETS = 12
_LEAST_SAMPLES = 8
_LEAST_RISES = 8
_QUICK_SPAN_S, _QUICK_PART, _PART_EXPONENT, _LEAST_PART = 120.0, 0.30, 0.75, 0.01
_THIRD = 0.5
_FALL = 0.25
"""A fall by less than this part of what it grew is noise on a single rise."""
_UNLIMITED_PART, _UNLIMITED_RATIO = 0.25, 0.8
_RATIO_DOUBT = 2.0
"""By how many half-widths of the slope's interval q is taken lower: halves know their slopes less well."""
_Z = 1.96
_CHUNK = 2048


class Leaks(NamedTuple):
    """One value a row, NaN where no leak is told: bytes/hour with interval, hours left, minutes seen, bytes grown."""

    rate: Numbers
    low: Numbers
    high: Numbers
    hours_left: Numbers
    minutes: Numbers
    grown: Numbers


def find_leaks(windows: Numbers, width_ms: int, limits: Numbers, ceilings: Numbers, steps: Numbers) -> Leaks:
    """Judge one window a row (buckets, oldest first) of least used bytes, against limits in bytes (NaN: unknown)."""
    rows = len(windows)
    found = Leaks(*np.full((6, rows), np.nan))
    with np.errstate(all="ignore"):
        chosen = np.flatnonzero(_may_leak(windows, width_ms / 1000, limits, ceilings, steps))
        for start in range(0, len(chosen), _CHUNK):
            part = chosen[start : start + _CHUNK]
            _tell(found, part, windows[part], width_ms / 3_600_000, limits[part])
    return found


def envelope(windows: Numbers) -> Numbers:
    """What was never given back: from each bucket on, the least value to come."""
    held: Numbers = np.fmin.accumulate(windows[:, ::-1], axis=1)[:, ::-1]
    return held


def _may_leak(windows: Numbers, width_s: float, limits: Numbers, ceilings: Numbers, steps: Numbers) -> Truths:
    known = np.isfinite(windows)
    first = known.argmax(axis=1)
    last = windows.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    span = last - first
    held = envelope(windows)

    def level(part: float) -> Numbers:
        values: Numbers = held[np.arange(len(held)), first + np.rint(span * part).astype(np.int64)]
        return values

    begin, third, two_thirds, end = (level(part) for part in (0, 1 / 3, 2 / 3, 1))
    grown = end - begin
    part = np.clip((_QUICK_SPAN_S / (span * width_s)) ** _PART_EXPONENT * _QUICK_PART, _LEAST_PART, _QUICK_PART)
    enough = np.where(np.isnan(limits), _UNLIMITED_PART * begin, part * (limits - begin))
    alike = np.minimum.reduce([third - begin, two_thirds - third, end - two_thirds]) >= _THIRD * grown / 3
    may_leak: Truths = (
        (known.sum(axis=1) >= _LEAST_SAMPLES)
        & (span >= _LEAST_BUCKETS)
        & (grown > 0)
        & (grown >= enough)
        & (np.sum(np.diff(held, axis=1) > 0, axis=1) >= _LEAST_RISES)
        & alike
        & _is_no_tooth(windows, end, ceilings, np.maximum(_FALL * grown, 2 * steps))
    )
    return may_leak


def _is_no_tooth(windows: Numbers, end: Numbers, ceilings: Numbers, slack: Numbers) -> Truths:
    peaks = np.fmax.accumulate(windows, axis=1)
    fell: Truths = np.fmax.reduce(peaks - windows, axis=1) > slack
    return fell | np.isnan(ceilings) | (end > ceilings)


def _tell(found: Leaks, rows: npt.NDArray[np.int64], windows: Numbers, width_hours: float, limits: Numbers) -> None:
    held = np.where(np.isfinite(windows), envelope(windows), np.nan)
    rate, low, high = _slopes(held)
    now, begin = np.fmax.reduce(held, axis=1), np.fmin.reduce(held, axis=1)
    falls = np.fmax.reduce(np.fmax.accumulate(windows, axis=1) - windows, axis=1)
    doubt = np.minimum(1, _RATIO_DOUBT * (high - low) / 2 / rate + falls / (now - begin))
    told = (low > 0.5 * rate) & _will_end(held, doubt, now - begin, limits - now)
    known = np.isfinite(held)
    span = windows.shape[1] - 1 - known[:, ::-1].argmax(axis=1) - known.argmax(axis=1)
    values = Leaks(
        rate / width_hours,
        low / width_hours,
        high / width_hours,
        np.maximum(0, limits - now) / (rate / width_hours),
        span * width_hours * 60,
        now - begin,
    )
    for column, value in zip(found, values, strict=True):
        column[rows] = np.where(told, value, np.nan)


def _will_end(held: Numbers, doubt: Numbers, grown: Numbers, left: Numbers) -> Truths:
    """Whether what is left would be used up though growth slows down as it did within the window."""
    known = np.isfinite(held)
    places = np.cumsum(known, axis=1) / known.sum(axis=1)[:, None]
    earlier, _, _ = _slopes(np.where(places <= 0.5, held, np.nan))
    later, _, _ = _slopes(np.where(places > 0.5, held, np.nan))
    ratio = later / earlier * (1 - doubt)
    ratio = np.where(earlier > 0, ratio, 0)
    to_come = np.where(ratio < 1, grown * ratio / (1 + ratio) * ratio / (1 - ratio), np.inf)
    will_end: Truths = np.where(np.isnan(left), ratio >= _UNLIMITED_RATIO, to_come >= left)
    return will_end


def _slopes(held: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Median of the slopes of all pairs, and the ends of Sen's interval, per bucket."""
    left, right = np.triu_indices(held.shape[1], 1)
    slopes = np.sort((held[:, right] - held[:, left]) / (right - left), axis=1)  # NaN comes last
    pairs = np.isfinite(slopes).sum(axis=1)
    points = np.isfinite(held).sum(axis=1)
    half_width = _Z * np.sqrt(points * (points - 1) * (2 * points + 5) / 18)

    def ranked(rank: Numbers) -> Numbers:
        place = np.clip(np.rint(rank), 0, np.maximum(0, pairs - 1)).astype(np.int64)
        values: Numbers = slopes[np.arange(len(slopes)), place]
        return values

    middle = 0.5 * (ranked(np.floor((pairs - 1) / 2)) + ranked(np.ceil((pairs - 1) / 2)))
    return middle, ranked((pairs - half_width) / 2), ranked((pairs + half_width) / 2)
