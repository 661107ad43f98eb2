"""A leak across boots is taken back by a boot that does not leak: one that has lasted as long, and grew by far less."""

from __future__ import annotations

import numpy as np

from collector.judge.columns import LEAK_LEVEL
from collector.judge.detectors.history import History
from collector.judge.detectors.marks import BORN_MS, LAST, LAST_MS
from collector.judge.detectors.tell import ACROSS_BOOTS, leak_names
from collector.judge.series import Rows, Table

_ALIKE = 0.5
"""The part of the growth of earlier boots that a boot must have, to be one of them."""


def forget_outlived(table: Table, history: History, rows: Rows) -> None:
    """Look at these rows for leaks that earlier boots told, and that the present one has outlived."""
    rows = np.unique(rows[table.column(LEAK_LEVEL)[rows] == ACROSS_BOOTS])
    if not len(rows):
        return
    minutes, grown = (table.column(name)[rows] for name in ("leak_minutes", "leak_grown"))
    up_ms = history.mark(rows, LAST_MS) - history.mark(rows, BORN_MS)
    least = np.fmin.reduce(history.least[rows, 0], axis=(1, 2))
    calm = (up_ms >= minutes * 60_000) & (history.mark(rows, LAST) - least < _ALIKE * grown)
    outlived = rows[calm]
    for name in leak_names(table):
        table.column(name)[outlived] = np.nan
    table.touched.update(outlived)
    table.changed.update(outlived)
