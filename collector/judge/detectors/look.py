"""The detectors on the rows of a table: windows out of the history, verdicts into the table's columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collector.judge.columns import (
    FRAGMENT_COLUMNS,
    FRAGMENT_LEVEL,
    LEAK_BOOTS,
    LEAK_COLUMNS,
    LEAK_LEVEL,
    RATCHETS,
    STEP_COLUMNS,
    STEP_LEVEL,
)
from collector.judge.detectors.boots import find_leaks_across_boots
from collector.judge.detectors.fragmentation import find_fragmentation
from collector.judge.detectors.history import (
    BORN_MS,
    CEILING,
    LAST_MS,
    PEAKS,
    QUIET_MS,
    QUIET_SAMPLES,
    WIDTHS_MS,
    History,
)
from collector.judge.detectors.leak import LEAST_KNOWN, Ground, find_leaks, goes_on
from collector.judge.detectors.step import find_steps
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows, Table

ACROSS_BOOTS = len(WIDTHS_MS)
"""Stands for a level where boots tell the leak."""


def ground_of(table: Table, history: History, level: int, rows: Rows) -> Ground:
    """What the leak detector has to know of these rows beside their windows."""
    quiet_ms = history.mark(rows, LAST_MS) - history.mark(rows, QUIET_MS)
    return Ground(
        table.view(rows)["limit"],
        history.mark(rows, CEILING),
        history.highest_before(rows, level),
        history.mark(rows, PEAKS),
        table.resolution[rows].astype(np.float64),
        np.zeros(len(rows)) if table.kind in RATCHETS else quiet_ms,
        history.mark(rows, QUIET_SAMPLES),
        history.mark(rows, LAST_MS) - history.mark(rows, BORN_MS),
    )


def look(table: Table, history: History, level: int, rows: Rows) -> None:
    """Look at rows that closed a bucket of that level."""
    windows = history.windows(rows, level)
    enough = np.isfinite(windows).sum(axis=1) >= LEAST_KNOWN
    if not enough.any():
        return
    rows, windows = rows[enough], windows[enough]
    ground = ground_of(table, history, level, rows)
    leaks = find_leaks(windows, level, ground)
    told = ~np.isnan(leaks.rate)
    here, never = np.full(len(rows), float(level)), np.zeros(len(rows), dtype=np.bool_)
    _write(table, rows, (LEAK_LEVEL, *LEAK_COLUMNS), (here, *leaks), told, goes_on(windows, level))
    table.column(LEAK_BOOTS)[rows[told]] = np.nan
    if not table.has(STEP_LEVEL):
        return
    steps = find_steps(windows, level, ground.limits, ratchet=table.kind in RATCHETS)
    _write(table, rows, (STEP_LEVEL, *STEP_COLUMNS), (here, *steps), ~np.isnan(steps.size), never)
    if table.has(FRAGMENT_LEVEL):
        outside = history.windows(rows, level, layer=1)
        fragments = find_fragmentation(windows, outside, level, ground.limits)
        stays = _still(outside, level)
        _write(table, rows, (FRAGMENT_LEVEL, *FRAGMENT_COLUMNS), (here, *fragments), ~np.isnan(fragments.now), stays)


def look_across_boots(table: Table, history: History, rows: Rows) -> None:
    """Look at rows whose device has just begun a new boot."""
    leaks, boots = find_leaks_across_boots(history.boots(rows), table.view(rows)["limit"])
    here, never = np.full(len(rows), float(ACROSS_BOOTS)), np.zeros(len(rows), dtype=np.bool_)
    columns = (LEAK_LEVEL, *LEAK_COLUMNS, LEAK_BOOTS)
    _write(table, rows, columns, (here, *leaks, boots), ~np.isnan(leaks.rate), never)


def _still(outside: Numbers, level: int) -> Truths:
    """Fragmentation that was told stays told while the largest block does not come back."""
    return goes_on(outside, level, flat=True)


def _write(
    table: Table, rows: Rows, names: Sequence[str], values: Sequence[Numbers], told: Truths, stays: Truths
) -> None:
    """Put verdicts into columns, the first being the level: it takes back only what it has told, unless that stays."""
    level = float(values[0][0]) if len(rows) else 0.0
    takes_back = ~told & ~stays & (table.column(names[0])[rows] == level)
    for name, column in zip(names, values, strict=True):
        own = table.column(name)
        own[rows[told]] = column[told]
        own[rows[takes_back]] = np.nan
    news = rows[told | takes_back].tolist()
    table.touched.update(news)
    table.changed.update(news)
