"""Telling: verdicts into the columns of a table. By column.

A column of levels says who told a thing, so that nobody takes back what another one has told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from collector.judge.columns import BLOCK_HOURS, LEAK_BOOTS, LEAK_COLUMNS, LEAK_ENDED, LEAK_LEVEL
from collector.judge.detectors.leak import Leaks
from collector.judge.detectors.views import VIEWS
from collector.judge.expression import Numbers, Truths
from collector.judge.series import Rows, Table

ACROSS_BOOTS = len(VIEWS)
"""Stands for a view where boots tell the leak."""
A_NIGHT = ACROSS_BOOTS + 1
"""Stands for a view where one night tells it."""
QUIET = A_NIGHT + 1
"""Stands for a view where a series tells it that never falls."""

_BESIDE = (LEAK_BOOTS, LEAK_ENDED, BLOCK_HOURS)
"""What only some leaks have: it is unknown of all others."""


def never(rows: Rows) -> Truths:
    """What is not told any more is taken back."""
    return np.zeros(len(rows), dtype=np.bool_)


def tell(
    table: Table,
    rows: Rows,
    names: Sequence[str],
    values: Sequence[Numbers],
    told: Truths,
    stays: Callable[[Rows], Truths],
) -> None:
    """Put verdicts into columns, the first being the level: it takes back only what it has told, unless that stays,
    which is asked of those alone.

    Where several views tell a thing of one row, the longest is kept.
    """
    takes_back = ~told & (table.column(names[0])[rows] == values[0])
    doubtful = np.flatnonzero(takes_back)
    if len(doubtful):
        takes_back[doubtful] = ~stays(doubtful)
    news = rows[told | takes_back]
    if not len(news):
        return
    order = np.flatnonzero(told)[np.argsort(values[0][told], kind="stable")]
    for name, column in zip(names, values, strict=True):
        own = table.column(name)
        own[rows[takes_back]] = np.nan
        own[rows[order]] = column[order]
    table.touched.update(news)
    table.changed.update(news)


def leak_names(table: Table) -> tuple[str, ...]:
    """All columns of that table that tell a leak, the level first."""
    return (LEAK_LEVEL, *LEAK_COLUMNS, *(name for name in _BESIDE if table.has(name)))


def tell_leaks(
    table: Table,
    rows: Rows,
    views: Rows | int,
    leaks: Leaks,
    stays: Callable[[Rows], Truths] = never,
    beside: Mapping[str, Numbers] | None = None,
) -> None:
    """Put leaks into their columns, by these views or by what stands for one; `beside` are columns of some of them."""
    here, unknown = np.broadcast_to(views, len(rows)).astype(np.float64), np.full(len(rows), np.nan)
    names = leak_names(table)
    others = ((beside or {}).get(name, unknown) for name in names[1 + len(LEAK_COLUMNS) :])
    tell(table, rows, names, (here, *leaks, *others), ~np.isnan(leaks.rate), stays)
