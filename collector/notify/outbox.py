"""Messages on disk before they leave, and what each channel still has to deliver."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from collector.notify.messages import Message
from telemetry.journal import add_counts

FILE = "notify.db"
TABLES = """
CREATE TABLE IF NOT EXISTS messages(
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
    level TEXT NOT NULL, rule TEXT NOT NULL, made_ms INTEGER NOT NULL, picture BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries(
    message INTEGER NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    next_ms INTEGER NOT NULL, error TEXT NOT NULL, PRIMARY KEY(message, channel)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

WAITS, SENT, SHADOW, GIVEN_UP = "waits", "sent", "shadow", "given_up"


class Delivery(NamedTuple):
    """A message that a channel has to deliver, and how often it tried."""

    message: Message
    number: int
    attempts: int


class Outbox:
    """The tables of notify.db. Methods that write stand inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        db.executescript(TABLES)
        self._db = db

    def put(self, message: Message, channels: Iterable[str], state: str = WAITS) -> None:
        """Keep a message for these channels."""
        m = message
        row = (m.key, m.title, m.body, m.level, m.rule, m.made_ms, m.picture)
        added = self._db.execute(
            "INSERT OR IGNORE INTO messages(key, title, body, level, rule, made_ms, picture)"
            " VALUES(?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        if added.rowcount:
            self._db.executemany(
                "INSERT INTO deliveries VALUES(?, ?, ?, 0, 0, '')",
                [(added.lastrowid, channel, state) for channel in channels],
            )

    def next_due(self, channel: str, now_ms: int) -> Delivery | None:
        """The oldest message of the channel that may be tried now; None when none is due."""
        row = self._db.execute(
            "SELECT key, title, body, level, rule, made_ms, picture, number, attempts FROM deliveries"
            " JOIN messages ON number = message WHERE channel = ? AND state = ? AND next_ms <= ?"
            " ORDER BY number LIMIT 1",
            (channel, WAITS, now_ms),
        ).fetchone()
        return None if row is None else Delivery(Message(*row[:7]), row[7], row[8])

    def settle(self, delivery: Delivery, channel: str, state: str, *, next_ms: int = 0, error: str = "") -> None:
        """Note the outcome of a try."""
        self._db.execute(
            "UPDATE deliveries SET state = ?, attempts = attempts + 1, next_ms = ?, error = ?"
            " WHERE message = ? AND channel = ?",
            (state, next_ms, error, delivery.number, channel),
        )
        outcome = "retried" if state == WAITS else state
        add_counts(self._db, {f"deliveries_{outcome}": 1})

    def abandon_others(self, channels: Sequence[str]) -> None:
        """Give up what waits for channels that are no longer configured, counted."""
        marks = ", ".join("?" * len(channels))
        given_up = self._db.execute(
            f"UPDATE deliveries SET state = ?, error = ? WHERE state = ? AND channel NOT IN ({marks})",  # noqa: S608 - question marks
            (GIVEN_UP, "the channel is no longer configured", WAITS, *channels),
        )
        add_counts(self._db, {f"deliveries_{GIVEN_UP}": given_up.rowcount})

    def forget_before(self, made_ms: int) -> None:
        """Drop settled messages made before that time."""
        self._db.execute(
            "DELETE FROM deliveries WHERE state != ? AND message IN (SELECT number FROM messages WHERE made_ms < ?)",
            (WAITS, made_ms),
        )
        self._db.execute(
            "DELETE FROM messages WHERE made_ms < ? AND number NOT IN (SELECT message FROM deliveries)", (made_ms,)
        )
