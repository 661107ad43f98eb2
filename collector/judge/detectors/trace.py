"""Traces: what the history still knows of the last two days of each row, the finer the newer. By column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.detectors.history import BUCKETS, HOUR_MS, WIDTHS_MS, History
from collector.judge.detectors.marks import (
    BORN_MS,
    FELL,
    GAVE_BACK,
    HELD_MS,
    LAST,
    LAST_MS,
    PERIOD_MS,
    QUIET_MS,
    QUIET_SAMPLES,
    RISE,
    or_0,
)
from collector.judge.detectors.views import VIEWS
from collector.judge.expression import Numbers
from collector.judge.series import Rows

FINEST, COARSEST = 2, 5
"""Levels of the history: of these a trace is made."""
TRACED = VIEWS.index((COARSEST, False))
"""The view that begins as a trace does."""


class Trace(NamedTuple):
    """`hours` from the newest sample, which is the last and at 0, and `used` bytes, NaN where unknown: rows x points,
    oldest first. Then one value a row: for how many hours its boot has run (`up_hours`), memory never fell
    (`quiet_hours`), and what is held never did (`held_hours`); how far samples stood apart since it fell (`apart_s`),
    and of late (`period_s`); what is `held` since so many `minutes`, the highest used bytes since memory last fell far
    (`peak`), by how much what is held last fell (`fell`), and the most that memory did within a night of boots before
    (`gave_back`), bytes, NaN: unknown.

    Of a bucket the least used bytes are known, which is its first sample where memory never falls.
    """

    hours: Numbers
    used: Numbers
    up_hours: Numbers
    quiet_hours: Numbers
    held_hours: Numbers
    apart_s: Numbers
    period_s: Numbers
    held: Numbers
    minutes: Numbers
    peak: Numbers
    fell: Numbers
    gave_back: Numbers


def trace_of(history: History, rows: Rows) -> Trace:
    """The trace of each row. The bucket that a boot begins in is left out: programs take memory while they start."""
    last_ms, born_ms = history.mark(rows, LAST_MS), history.mark(rows, BORN_MS)
    first_sample_ms = or_0(history.mark(rows, PERIOD_MS)) / 2
    times, values = [last_ms[:, None]], [history.mark(rows, LAST)[:, None]]
    finer_from_ms: Numbers = last_ms
    for level in range(FINEST, COARSEST + 1):
        numbers = history.newest[rows, level, None] - np.arange(BUCKETS - 1, -1, -1)
        begins_ms = (numbers * WIDTHS_MS[level]).astype(np.float64)
        counts = (begins_ms < finer_from_ms[:, None]) & (begins_ms >= born_ms[:, None] + WIDTHS_MS[FINEST])
        at_ms = begins_ms + first_sample_ms[:, None]
        counts &= at_ms < last_ms[:, None]
        times.insert(0, at_ms)
        values.insert(0, np.where(counts, history.samples(rows, np.full(len(rows), level)), np.nan))
        finer_from_ms = begins_ms[:, 0]
    quiet_ms = last_ms - history.mark(rows, QUIET_MS)
    return Trace(
        (np.hstack(times) - last_ms[:, None]) / HOUR_MS,
        np.hstack(values),
        (last_ms - born_ms) / HOUR_MS,
        quiet_ms / HOUR_MS,
        (last_ms - history.mark(rows, HELD_MS)) / HOUR_MS,
        quiet_ms / 1000 / np.maximum(1, history.mark(rows, QUIET_SAMPLES)),
        history.mark(rows, PERIOD_MS) / 1000,
        history.held(rows).astype(np.float64),
        (last_ms - history.held_from_ms(rows)) / 60_000,
        history.mark(rows, RISE),
        history.mark(rows, FELL),
        history.mark(rows, GAVE_BACK),
    )
