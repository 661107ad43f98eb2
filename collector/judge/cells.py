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
        counts = np.array([len(block.rows) for block in blocks], dtype=np.int64)
        self.several = bool((counts != 1).any())
        self.of = np.repeat(np.arange(len(blocks)), counts) if self.several else np.arange(len(blocks))
        self.first: RowNumbers = np.cumsum(counts) - counts if self.several else self.of
        rows = chain.from_iterable([block.rows for block in blocks])
        offsets, up, *values = zip(*rows, strict=True)
        starts_ms = np.array([block.t0 for block in blocks], dtype=np.int64)
        up_ms = np.array([block.u0 for block in blocks], dtype=np.float64)
        self.times: RowNumbers = starts_ms[self.of] + np.array(offsets, dtype=np.int64)
        self.uptimes: Numbers = up_ms[self.of] + np.array(up, dtype=np.float64)
        self.values: list[Numbers] = [np.array(column, dtype=np.float64) for column in values]
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
