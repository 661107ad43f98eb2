"""A consumer of journals: what it makes of the frames and how far it has read commit together, in its own file."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from telemetry.files import disk_fault, inode_of, require_same
from telemetry.journal import Cursor, Frame, JournalReader, load_cursor, save_cursor

Stop = threading.Event


class Consumer:
    """Reads named journals into one SQLite file, exactly once.

    `poll` gives the next frames of a journal; `transaction` commits what was made of them with the cursors. After a
    rollback (any exception inside) end the process: what it holds in memory is ahead of its file; started again, it
    goes on from its last commit.
    """

    def __init__(self, db: sqlite3.Connection, journals: Mapping[str, Path]) -> None:
        self.db = db
        self._path = Path(db.execute("PRAGMA database_list").fetchone()[2])
        self._inode = inode_of(self._path)
        self._readers = {name: JournalReader(path) for name, path in journals.items()}
        self._cursors = {name: load_cursor(db, name) for name in journals}

    def poll(self, journal: str, limit: int = 1000) -> list[Frame]:
        """The next frames of that journal, at most `limit`; empty when there is nothing new. EnvironmentFault when
        somebody has taken our own file away."""
        require_same(self._path, self._inode)
        frames, self._cursors[journal] = self._readers[journal].read(self._cursors[journal], limit)
        return frames

    def cursor(self, journal: str) -> Cursor:
        """How far this consumer has come in that journal."""
        return self._cursors[journal]

    @property
    def restarts(self) -> int:
        """How often a journal turned out to be another than before, and was read from its oldest frame."""
        return sum(reader.restarts for reader in self._readers.values())

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit the block's writes together with the cursors, or nothing; a full disk raises EnvironmentFault."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            yield self.db
            for name, cursor in self._cursors.items():
                save_cursor(self.db, name, cursor)
            self.db.execute("COMMIT")
        except BaseException as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise disk_fault(self._path, error, retry=True) from None
            raise

    def close(self) -> None:
        """Close every file."""
        for reader in self._readers.values():
            reader.close()
        self.db.close()


def run_steps(step: Callable[[], bool], stop: Stop, idle_s: float = 0.05) -> None:
    """Call `step` until stopped; it says whether it found work, and is left alone for `idle_s` when it did not."""
    while not stop.is_set():
        if not step():
            stop.wait(idle_s)
