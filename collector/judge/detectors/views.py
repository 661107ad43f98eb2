"""How windows are looked at: a level of the history as it is, or the least of each 24 hours of it. Pure, by column.

A daily cycle is flat in the least of 24 hours, but that is known only after a whole day.
"""

from __future__ import annotations

import numpy as np

from collector.judge.detectors.history import DAY_MS, HOUR_MS, WIDTHS_MS
from collector.judge.detectors.shape import least_of_day
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows

VIEWS = (
    (0, False), (1, False), (2, False), (3, False), (4, False), (5, False), (5, True), (6, False), (6, True), (7, True),
)  # fmt: skip
"""Each view's level of the history, and whether it is of the least of 24 hours; from the shortest to the longest."""

LEVEL_OF = np.array([level for level, _ in VIEWS])
HOURS_OF = np.array([WIDTHS_MS[level] for level, _ in VIEWS]) / HOUR_MS
"""How long a bucket of each view is."""

_DAILY = np.array([daily for _, daily in VIEWS])
_DAILY_VIEWS = np.flatnonzero(_DAILY).tolist()
_VIEWS_OF = [[view for view, (one, _) in enumerate(VIEWS) if one == level] for level in range(len(WIDTHS_MS))]


def views_of(rows: Rows, levels: Rows) -> tuple[Rows, Rows]:
    """All views of rows that closed a bucket of those levels: the rows, and the view of each."""
    both = [(rows[levels == level], views) for level, views in enumerate(_VIEWS_OF)]
    pairs = [(chosen, np.full(len(chosen), view)) for chosen, views in both for view in views]
    return np.concatenate([chosen for chosen, _ in pairs]), np.concatenate([view for _, view in pairs])


def is_daily(views: Rows) -> Truths:
    """Whether these views are of the least of 24 hours."""
    daily: Truths = _DAILY[views]
    return daily


def watched(windows: Numbers, views: Rows) -> Numbers:
    """What is looked at: the buckets, or the least of 24 hours up to each, unknown before a whole day is known."""
    looked_at = windows
    for view in _DAILY_VIEWS:
        rows = np.flatnonzero(views == view)
        if not len(rows):
            continue
        if looked_at is windows:
            looked_at = windows.copy()
        of_days = least_of_day(windows[rows], round(DAY_MS / WIDTHS_MS[LEVEL_OF[view]]))
        looked_at[rows] = np.nan
        looked_at[rows, -of_days.shape[1] :] = of_days
    return looked_at
