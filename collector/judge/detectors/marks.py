"""Marks of a boot that are followed from sample to sample, beside its buckets (`history.py`), and those of the boots
before it. By column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

BOOTS, POINTS = 6, 4
"""How many boots are remembered, and by how many points each."""

_FELL_TO = 0.9
"""A fall of used memory to less than this part of its last peak ends a rise."""
_APART = 2.0**34
"""More than any device's memory: keeps the rows of one running maximum apart."""
_PERIOD_KEPT = 0.9

RISE, CEILING, LAST, LAST_MS, QUIET_MS, QUIET_SAMPLES, PEAKS, BORN_MS, PERIOD_MS, CEILING_MS, HELD_MS, FELL = range(12)
"""Marks: the peak since the last fall; the highest peak from which memory fell; the newest value and its time; since
when it never fell, and for how many samples; the largest fall from one sample to the next, of late; when the boot
began; how far its samples stand apart, over about the last ten; when memory fell from its highest peak; since when
what is held (`History.held`) never fell, and the largest fall of it then, within half an hour. One sample stands apart
from none: unknown."""
MARKS = 12
_ONE_FALL_MS = 1_800_000
"""What falls within that time is one fall: the end of a tooth may take some samples."""
BOOTS_END = MARKS + 2 * BOOTS * POINTS
REACHED, KNOWN_MS, KNOWN_TO, GAVE_BACK = range(BOOTS_END, BOOTS_END + 4)
"""Marks of the boots before: the highest that those reached that had settled; for how long those were heard that had
settled or breathed, and the highest that these reached; the largest fall within a night, of late."""


def follow(
    marks: Numbers,
    starts: Rows,
    times: npt.NDArray[np.int64],
    used: Numbers,
    uptimes: Numbers | None,
    held: npt.NDArray[np.float32],
) -> None:
    """Follow rises and falls from sample to sample, in place: `marks` has a line a mark and a column a row, whose
    samples begin at `starts`; `uptimes` are milliseconds, NaN where unknown; `held` is what each row held before.
    """
    ends = np.append(starts[1:], len(used)) - 1
    counts = ends - starts + 1
    before = np.append(0.0, used[:-1])
    before[starts] = marks[LAST]
    places = np.arange(len(used))
    last_fall = np.maximum.reduceat(np.where(used < before, places, -1), starts)
    quiet_for = or_0(marks[QUIET_SAMPLES]) + counts
    marks[QUIET_SAMPLES] = np.where(last_fall >= 0, ends - last_fall, quiet_for)
    since = np.where(np.isnan(marks[QUIET_MS]), times[starts], marks[QUIET_MS])
    marks[QUIET_MS] = np.where(last_fall >= 0, times[last_fall], since)
    _note_what_is_held(marks, starts, times, before - used, used.astype(np.float32) >= np.repeat(held, counts))
    largest_fall = np.fmax.reduceat(np.fmax(0, before - used), starts)
    marks[PEAKS] = np.fmax(marks[PEAKS], largest_fall)
    _note_ceilings(marks, starts, ends, times, used)
    is_first = np.isnan(marks[LAST_MS])
    waits = counts - is_first
    waited = times[ends] - np.where(is_first, times[starts], marks[LAST_MS])
    gaps = np.where(waits > 0, waited / np.fmax(1, waits), np.nan)
    period = np.where(np.isnan(marks[PERIOD_MS]), gaps, marks[PERIOD_MS])
    marks[PERIOD_MS] = period + (1 - _PERIOD_KEPT**counts) * (gaps - period)
    marks[LAST], marks[LAST_MS] = used[ends], times[ends]
    up = np.zeros(len(used)) if uptimes is None else or_0(uptimes)
    marks[BORN_MS] = np.where(np.isnan(marks[BORN_MS]), times[starts] - up[starts], marks[BORN_MS])


def _note_what_is_held(
    marks: Numbers, starts: Rows, times: npt.NDArray[np.int64], falls: Numbers, is_held: Truths
) -> None:
    """Note the falls to below what was held: the others are of what came and went."""
    last = np.maximum.reduceat(np.where((falls > 0) & ~is_held, np.arange(len(falls)), -1), starts)
    fell = np.fmax.reduceat(np.where(is_held, 0.0, falls), starts)
    since = np.where(np.isnan(marks[HELD_MS]), times[starts], marks[HELD_MS])
    of_this_fall = np.where(times[starts] - since < _ONE_FALL_MS, or_0(marks[FELL]), 0.0)
    marks[FELL] = np.where(last >= 0, np.fmax(fell, of_this_fall), marks[FELL])
    marks[HELD_MS] = np.where(last >= 0, times[last], since)


def _note_ceilings(marks: Numbers, starts: Rows, ends: Rows, times: npt.NDArray[np.int64], used: Numbers) -> None:
    """Note the peaks from which memory fell; most rows only rise, and one look at their highest value is enough."""
    rise = marks[RISE]
    apart = np.repeat(np.arange(len(starts)) * _APART, ends - starts + 1)
    highest = np.maximum.accumulate(used + apart) - apart
    highest = np.fmax(highest, np.repeat(rise, ends - starts + 1))
    fell = np.logical_or.reduceat(used < _FELL_TO * highest, starts)
    for row in np.flatnonzero(fell):
        own = slice(starts[row], ends[row] + 1)
        peak = rise[row]
        for time, one in zip(times[own].tolist(), used[own].tolist(), strict=True):
            if one < _FELL_TO * peak:
                if not peak <= marks[CEILING, row]:
                    marks[CEILING, row], marks[CEILING_MS, row] = peak, time
                peak = one
            peak = np.fmax(peak, one)
        marks[RISE, row] = peak
    marks[RISE, ~fell] = highest[ends[~fell]]


def or_0(values: Numbers) -> Numbers:
    """0 for what is unknown."""
    return np.where(np.isnan(values), 0.0, values)
