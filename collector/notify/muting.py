"""Silences and acknowledgements, as the desk journal tells them: kept in the notifier's own file."""

from __future__ import annotations

import sqlite3

from collector.records import Desk, is_silenced

TABLES = """
CREATE TABLE IF NOT EXISTS silences(pattern TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acknowledged(key TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
"""


class Muting:
    """Who need not be told of what: silences hold alerts back while they last, what is acknowledged is known."""

    def __init__(self, db: sqlite3.Connection) -> None:
        db.executescript(TABLES)
        self._db = db

    def take(self, entry: Desk) -> None:
        """Follow what a person asked for, inside the consumer's transaction."""
        if entry.action == "silence":
            self._db.execute("INSERT OR REPLACE INTO silences VALUES(?, ?)", (entry.key, entry.until_ms))
        elif entry.action == "unsilence":
            self._db.execute("DELETE FROM silences WHERE pattern = ?", (entry.key,))
        elif entry.action == "acknowledge":
            self._db.execute("INSERT OR REPLACE INTO acknowledged VALUES(?, ?)", (entry.key, entry.at_ms))

    def silenced_until(self, key: str, now_ms: int) -> int:
        """Until when the longest silence on this key lasts, wall ms; 0 when none does."""
        silences = self._db.execute("SELECT pattern, until_ms FROM silences WHERE until_ms > ?", (now_ms,))
        return max((until_ms for pattern, until_ms in silences if is_silenced(key, pattern)), default=0)

    def is_acknowledged(self, key: str, since_ms: int) -> bool:
        """Whether somebody has said since then that they know of the incident or alert of this key."""
        row = self._db.execute("SELECT at_ms FROM acknowledged WHERE key = ?", (key,)).fetchone()
        return row is not None and row[0] >= since_ms
