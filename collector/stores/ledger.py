"""A store's own file, `store-<name>.db`: how far it has come, what it counted, what was refused, how it is.

cursors(journal, generation, id)            everything up to here is stored, refused or known lost
sights(journal, generation, horizon, pending)   see `collector.stores.lanes`
counters(name, value)                       accepted_rows = stored_rows + refused_rows + evicted_rows + pending
refused(id, at_ms, line, reason)            the newest lines that the server would not take
status(key, value)                          state (starting, ok, waiting, held), reason, warning, since_ms
abouts(...)                                 see `collector.devices`
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collector.devices import DeviceBook
from collector.ownfile import open_own
from collector.stores.lanes import Lane, Sight
from telemetry.files import add_counts, disk_fault, inode_of, require_same
from telemetry.journal import Cursor, load_cursor, save_cursor
from telemetry.readings import About

REFUSED_KEPT = 10_000

_TABLES = """
CREATE TABLE IF NOT EXISTS sights(
    journal TEXT PRIMARY KEY, generation INTEGER NOT NULL, horizon INTEGER NOT NULL, pending INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused(
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, line TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS status(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Done:
    """What became of a stretch of the journals, up to and including `cursors`. Rows, by journal, in `passed`."""

    cursors: dict[str, Cursor] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    stored: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    evicted_frames: int = 0
    evicted_rows: int = 0
    abouts: list[About] = field(default_factory=list)


class Ledger:
    """The file, for the one process that writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = open_own(path, _TABLES)
        self._inode = inode_of(path)
        self.book = DeviceBook(self._db)

    def lane(self, journal: str, path: Path) -> Lane:
        """The journal from where this store has come to."""
        query = "SELECT generation, horizon, pending FROM sights WHERE journal = ?"
        row = self._db.execute(query, (journal,)).fetchone()
        return Lane(path, load_cursor(self._db, journal), Sight(*row) if row else Sight())

    def commit(self, done: Done, lanes: Mapping[str, Lane], now_ms: int) -> None:
        """Make it final, in one transaction with what came in sight of the lanes."""
        counts = {
            "stored_rows": done.stored,
            "refused_rows": len(done.refused),
            "evicted_rows": done.evicted_rows,
            "evicted_frames": done.evicted_frames,
        }
        with self._transaction(lanes):
            for journal, cursor in done.cursors.items():
                save_cursor(self._db, journal, cursor)
            passed = [(rows, journal) for journal, rows in done.passed.items()]
            self._db.executemany("UPDATE sights SET pending = pending - ? WHERE journal = ?", passed)
            for about in done.abouts:
                self.book.learn(about)
            self._refuse(done.refused, now_ms)
            add_counts(self._db, counts)

    def save_sights(self, lanes: Mapping[str, Lane]) -> None:
        """Take over what came in sight of the lanes."""
        if any(lane.came_in_sight for lane in lanes.values()):
            with self._transaction(lanes):
                pass

    def save_status(self, **status: str) -> None:
        """Say how the store is."""
        with self._transaction({}):
            self._db.executemany("INSERT OR REPLACE INTO status VALUES(?, ?)", status.items())

    def _refuse(self, refused: Sequence[tuple[str, str]], now_ms: int) -> None:
        if not refused:
            return
        rows = [(now_ms, line, reason) for line, reason in refused[-REFUSED_KEPT:]]
        self._db.executemany("INSERT INTO refused(at_ms, line, reason) VALUES(?, ?, ?)", rows)
        self._db.execute("DELETE FROM refused WHERE id <= (SELECT max(id) FROM refused) - ?", (REFUSED_KEPT,))

    @contextlib.contextmanager
    def _transaction(self, lanes: Mapping[str, Lane]) -> Iterator[None]:
        require_same(self._path, self._inode)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for journal, lane in lanes.items():
                row = (journal, lane.sight.generation, lane.sight.horizon, lane.came_in_sight)
                self._db.execute(_SIGHT, row)
            accepted = sum(lane.came_in_sight for lane in lanes.values())
            restarts = sum(lane.restarts for lane in lanes.values())
            add_counts(self._db, {"accepted_rows": accepted, "journal_restarts": restarts})
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise disk_fault(self._path, error, retry=True) from None
            raise
        for lane in lanes.values():
            lane.came_in_sight = lane.restarts = 0

    def close(self) -> None:
        """Close the file."""
        self._db.close()


_SIGHT = """
INSERT INTO sights VALUES(?, ?, ?, ?) ON CONFLICT(journal) DO UPDATE SET
    generation = excluded.generation, horizon = excluded.horizon, pending = pending + excluded.pending
"""
