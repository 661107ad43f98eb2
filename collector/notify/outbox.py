"""Messages on disk before they leave, and what each channel still has to deliver."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from collector.notify.messages import Message
from telemetry.files import add_counts

FILE = "notify.db"
TABLES = """
CREATE TABLE IF NOT EXISTS messages(
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
    level TEXT NOT NULL, rule TEXT NOT NULL, made_ms INTEGER NOT NULL, picture BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries(
    message INTEGER NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    next_ms INTEGER NOT NULL, error TEXT NOT NULL, PRIMARY KEY(message, channel)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS channels(
    channel TEXT PRIMARY KEY, failures INTEGER NOT NULL, paused_ms INTEGER NOT NULL, pause_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

WAITS, SENT, SHADOW, GIVEN_UP, LEFT_OUT = "waits", "sent", "shadow", "given_up", "left_out"


class Delivery(NamedTuple):
    """A message that a channel has to deliver, and how often it tried; the channel's last `failures` tries failed, of
    this message or others."""

    message: Message
    number: int
    attempts: int
    failures: int


class Waiting(NamedTuple):
    """What a channel has still to deliver: how many messages; when the oldest was made (wall ms), how often that was
    tried, and how its last try failed ("" where none has)."""

    channel: str
    messages: int
    since_ms: int
    tries: int
    error: str


def waiting(db: sqlite3.Connection) -> list[Waiting]:
    """The channels that have something to deliver, the one that waits longest first."""
    rows = db.execute(
        "SELECT channel, count(*), min(made_ms), attempts, error FROM deliveries JOIN messages ON number = message"
        " WHERE state = ? GROUP BY channel ORDER BY min(made_ms), channel",  # beside min() stand the oldest's columns
        (WAITS,),
    )
    return [Waiting(*row) for row in rows]


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

    def leave_out(self, key: str) -> None:
        """Keep a message that was only just put from the channels that have tried an older one in vain."""
        left_out = self._db.execute(_LEAVE_OUT, (LEFT_OUT, _BEHIND, WAITS, key, WAITS))
        add_counts(self._db, {f"deliveries_{LEFT_OUT}": left_out.rowcount})

    def next_due(self, channel: str, now_ms: int) -> Delivery | None:
        """The message to try now: the oldest that does not stand aside, else the oldest. None while the channel pauses
        or has none."""
        found = self._db.execute("SELECT failures, paused_ms, pause_ms FROM channels WHERE channel = ?", (channel,))
        failures, paused_ms, pause_ms = found.fetchone() or (0, 0, 0)
        if 0 <= now_ms - paused_ms < pause_ms:  # a pause that began in the future ends: the clock was set back
            return None
        row = self._db.execute(
            "SELECT key, title, body, level, rule, made_ms, picture, number, attempts FROM deliveries"
            " JOIN messages ON number = message WHERE channel = ? AND state = ?"
            " ORDER BY next_ms > ?, number LIMIT 1",
            (channel, WAITS, now_ms),
        ).fetchone()
        return None if row is None else Delivery(Message(*row[:7]), row[7], row[8], failures)

    def pause(self, channel: str, failures: int, now_ms: int, pause_ms: int) -> None:
        """Try nothing on the channel for so long from now on, after so many failures in a row."""
        self._db.execute("INSERT OR REPLACE INTO channels VALUES(?, ?, ?, ?)", (channel, failures, now_ms, pause_ms))

    def settle(self, delivery: Delivery, channel: str, state: str, *, aside_ms: int = 0, error: str = "") -> None:
        """Note the outcome of a try; one that failed stands aside until `aside_ms`, or until another is sent."""
        self._db.execute(
            "UPDATE deliveries SET state = ?, attempts = attempts + 1, next_ms = ?, error = ?"
            " WHERE message = ? AND channel = ?",
            (state, aside_ms, error, delivery.number, channel),
        )
        if state == SENT:
            self._db.execute("UPDATE deliveries SET next_ms = 0 WHERE channel = ? AND state = ?", (channel, WAITS))
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


_BEHIND = "it repeats what is known, and older news has not come through"
_LEAVE_OUT = """
UPDATE deliveries SET state = ?, error = ?
WHERE state = ? AND message = (SELECT number FROM messages WHERE key = ?)
  AND channel IN (SELECT channel FROM deliveries WHERE state = ? AND attempts > 0)
"""
