"""Blocks of the same fields as columns: one line a sample, those of a block together and in their order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from collector.judge.expression import Numbers
from collector.judge.series import Rows as RowNumbers
from telemetry.wire import Rows


class Cells:
    """Samples of many blocks.

    `of` says which block each sample is of; `first` and `last` which sample is each block's first, and its latest.
    `times` are wall ms, `uptimes` ms, `values` a column a field; NaN where a thing is not told.
    """

    def __init__(self, blocks: Sequence[Rows]) -> None:
        rows = list(chain.from_iterable([block.rows for block in blocks]))
        lines = np.fromiter(chain.from_iterable(rows), np.float64).reshape(len(rows), len(rows[0]))
        offsets, up_ms, *values = lines.T.copy()
        self.several = len(rows) > len(blocks)
        self.of = self.first = np.arange(len(blocks))
        if self.several:
            counts = np.fromiter([len(block.rows) for block in blocks], np.int64)
            self.of, self.first = np.repeat(self.of, counts), np.cumsum(counts) - counts
        starts_ms = np.fromiter([block.t0 for block in blocks], np.int64)
        booted_ms = np.fromiter([block.u0 for block in blocks], np.float64)  # None becomes NaN
        self.times: RowNumbers = starts_ms[self.of] + offsets.astype(np.int64)
        self.uptimes: Numbers = booted_ms[self.of] + up_ms
        self.values: list[Numbers] = values
        self.last = self._latest() if self.several else self.of

    def newest(self, place: int) -> Numbers:
        """What each block last says of a field: its latest sample, or the last of the others that says anything."""
        column = self.values[place]
        newest = column[self.last] if self.several else column
        missing = np.isnan(newest)
        if self.several and missing.any():
            places = np.maximum.reduceat(np.where(np.isnan(column), -1, np.arange(len(column))), self.first)
            return np.where(missing & (places >= 0), column[places], newest)
        return newest

    def _latest(self) -> RowNumbers:
        """The first of a block's samples that none of its others is later than."""
        latest = np.maximum.reduceat(self.times, self.first)[self.of]
        places = np.where(self.times == latest, np.arange(len(latest)), len(latest))
        found: RowNumbers = np.minimum.reduceat(places, self.first)
        return found
