"""Dips: memory that was given back and taken again at once, or a reading that was wrong. Pure, one window a row.

Of a window of least values one such sample would be all that is left: nothing before it would count as held.
"""

from __future__ import annotations

import numpy as np

from collector.judge.expression import Numbers

_FEW = 2
"""So many dips of a window are passed over at most: what dips more often is how the program works."""
_STANDS_OUT = 4.0
"""By how many times these are deeper than the next."""


def without_dips(windows: Numbers) -> Numbers:
    """The windows, oldest bucket first, NaN where unknown: the few buckets that are far lower than both their
    neighbours lifted to the lower of them."""
    between = np.minimum(windows[:, 2:], windows[:, :-2])
    depths = np.nan_to_num(between - windows[:, 1:-1])
    dipped = np.flatnonzero((depths > 0).any(axis=1))
    if not len(dipped):
        return windows
    of_dipped = depths[dipped]
    next_deepest = np.maximum(0, np.partition(of_dipped, -1 - _FEW, axis=1)[:, -1 - _FEW])
    places, buckets = np.nonzero(of_dipped > _STANDS_OUT * next_deepest[:, None])
    rows, lifted = dipped[places], windows.copy()
    lifted[rows, buckets + 1] = between[rows, buckets]
    return lifted


def without_dips_at_ends(windows: Numbers, after: Numbers) -> Numbers:
    """The same for the last bucket, by what came after it; where nothing did (NaN), it may be a dip yet. Of the first
    nobody knows what came before: it is blank."""
    before, last = windows[:, -2], windows[:, -1]
    lifted = windows.copy()
    lifted[:, 0] = np.nan
    lifted[:, -1] = np.fmax(last, np.minimum(before, np.where(np.isnan(after), before, after)))
    return lifted
