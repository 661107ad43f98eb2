"""The histories on disk: pages of them as they were some time ago, and all samples since.

A history is nothing but what its samples made of it, and a sample is a fiftieth of what it changes. So a commit writes
the samples; and of the histories the pages that were written longest ago, a few times as many bytes. What all pages
hold is deleted: so the samples never come to more than a part of the histories, and nor does what `restore` has to take
in once more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import numpy as np

from collector.judge.detectors.history import History
from collector.judge.pages import ROWS, packed, pages_of, rows_of, unpack
from collector.judge.samples import Samples, replay
from collector.judge.series import Rows

TABLES = """
CREATE TABLE IF NOT EXISTS judge_histories(
    kind TEXT, page INTEGER, holds INTEGER NOT NULL, buckets BLOB NOT NULL, blocks BLOB NOT NULL,
    PRIMARY KEY(kind, page)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judge_samples(
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, boots BLOB NOT NULL, samples BLOB NOT NULL);
"""

_PAGES_A_SAMPLE = 8
"""How many bytes of histories are written with each byte of samples."""

_Page = tuple[str, int]


class Archive:
    """Keeps the histories of a judge. Samples are numbered; a page holds all up to a number."""

    def __init__(self, histories: Mapping[str, History]) -> None:
        self._histories = histories
        self._last = 0
        self._owed = 0
        self._holds: dict[_Page, int] = {}  # what was written longest ago comes first
        self._changed: set[_Page] = set()

    def save(self, db: sqlite3.Connection, unsaved: list[tuple[str, Samples]]) -> None:
        """Write what was taken in since the last commit, inside the judge's transaction."""
        for kind, samples in unsaved:
            self._last += 1
            self._note(kind, samples)
            written = samples.packed()
            db.execute("INSERT INTO judge_samples VALUES(?, ?, ?, ?)", (self._last, kind, *written))
            self._owed += _PAGES_A_SAMPLE * sum(map(len, written))
        while self._owed > 0 and self._oldest() < self._last:
            self._owed -= self._write(db, next(iter(self._holds)))
        self._owed = min(self._owed, 0)
        if unsaved:
            db.execute("DELETE FROM judge_samples WHERE number <= ?", (self._oldest(),))

    def restore(self, db: sqlite3.Connection) -> None:
        """Put the histories back as they were at the last commit."""
        for kind, page, holds, buckets, blocks in db.execute("SELECT * FROM judge_histories ORDER BY holds").fetchall():
            history = self._histories[kind]
            if unpack(buckets, (history.least, history.newest, history.peaks), page):
                history.blocks.restore(rows_of(page), blocks)
            self._holds[kind, page] = holds
        held = {kind: self._held(kind) for kind in self._histories}
        self._last = max(self._holds.values(), default=0)
        for number, kind, boots, samples in db.execute("SELECT * FROM judge_samples ORDER BY number").fetchall():
            self._last = number
            taken_in = Samples.unpacked(boots, samples, self._histories[kind].least.shape[1])
            missing = taken_in.of_rows(held[kind] < number)
            self._note(kind, missing)
            replay(self._histories[kind], missing)
        self._holds = dict(sorted(self._holds.items(), key=lambda page: page[1]))

    def _note(self, kind: str, samples: Samples) -> None:
        """These samples, the last by now, change histories."""
        rows = np.array([*samples.boots, *np.unique(samples.columns()[1])], dtype=np.int64)
        for page in pages_of(rows):
            self._holds.setdefault((kind, page), self._last - 1)
            self._changed.add((kind, page))

    def _oldest(self) -> int:
        """Up to which sample all pages hold everything."""
        return next(iter(self._holds.values()), self._last)

    def _write(self, db: sqlite3.Connection, page: _Page) -> int:
        """Bring a page up to now; the bytes that took, none where it was the same."""
        del self._holds[page]
        self._holds[page] = self._last
        if page not in self._changed:
            return 0
        self._changed.discard(page)
        kind, number = page
        history = self._histories[kind]
        buckets = packed((history.least, history.newest, history.peaks), number)
        blocks = history.blocks.saved(rows_of(number))
        db.execute("INSERT OR REPLACE INTO judge_histories VALUES(?, ?, ?, ?, ?)", (*page, self._last, buckets, blocks))
        return len(buckets) + len(blocks)

    def _held(self, kind: str) -> Rows:
        """Up to which number each row's page holds all samples."""
        held = np.zeros(len(self._histories[kind].newest), dtype=np.int64)
        for (of_kind, page), number in self._holds.items():
            if of_kind == kind:
                held[page * ROWS : (page + 1) * ROWS] = number
        return held
