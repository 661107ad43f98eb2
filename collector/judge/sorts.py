"""Which things may be compared with each other: peers, kept as numbers beside the tables; told every ten minutes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from collector.judge.columns import PEER_COLUMNS, PEER_KINDS
from collector.judge.detectors.history import History
from collector.judge.detectors.peers import EVERY_MS, find_unlike
from collector.judge.series import Rows, Table, grown
from telemetry.readings import About

_FRESH_MS = 1_800_000
_TEXTS = ("platform", "board", "firmware")


class Sorts:
    """The sort of each row of the tables whose devices have peers."""

    def __init__(self, tables: Mapping[str, Table], histories: Mapping[str, History]) -> None:
        self._tables = tables
        self._histories = histories
        self._numbers: dict[tuple[str, ...], int] = {}
        self._of: dict[str, Rows] = {kind: np.zeros(0, dtype=np.int64) for kind in PEER_KINDS}

    def describe(self, kind: str, row: int, about: About) -> None:
        """What that row's device is, as its description says."""
        if kind not in PEER_KINDS:
            return
        table = self._tables[kind]
        if len(self._of[kind]) < table.capacity:
            self._of[kind] = grown(self._of[kind], table.capacity, -1)
        sort = (*(about.texts.get(text, "") for text in _TEXTS), *table.names[row])
        self._of[kind][row] = self._numbers.setdefault(sort, len(self._numbers))

    def compare(self, before_ms: int, now_ms: int) -> None:
        """Compare all peers, once in each ten minutes; what is told stands in the tables' columns until then."""
        if before_ms // EVERY_MS == now_ms // EVERY_MS:
            return
        for kind in PEER_KINDS:
            table = self._tables[kind]
            heard = now_ms - table.heard_ms[: len(table)] <= _FRESH_MS
            rows = np.flatnonzero(heard & ~table.outdated[: len(table)])
            if not len(rows):
                continue
            limits = table.view(rows)["limit"]
            found = find_unlike(self._histories[kind], rows, self._of[kind][rows], limits, now_ms)
            for name, column in zip(PEER_COLUMNS, found, strict=True):
                table.column(name)[rows] = column
            table.changed.update(rows.tolist())
