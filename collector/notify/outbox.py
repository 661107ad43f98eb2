"""Messages on disk before they leave: what waits to be grouped, what each channel still has to deliver."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from collector.notify.messages import Message
from collector.records import Finding, decode_finding, encode_finding
from telemetry.journal import add_counts

TABLES = """
CREATE TABLE IF NOT EXISTS waiting(
    number INTEGER PRIMARY KEY, topic TEXT NOT NULL, episode TEXT NOT NULL, status TEXT NOT NULL,
    ripe_ms INTEGER NOT NULL, held INTEGER NOT NULL, finding BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS messages(
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
    level TEXT NOT NULL, rule TEXT NOT NULL, made_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries(
    message INTEGER NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    next_ms INTEGER NOT NULL, error TEXT NOT NULL, PRIMARY KEY(message, channel)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told(episode TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
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

    # -- grouping ------------------------------------------------------------------------------------------------------

    def wait(self, finding: Finding, ripe_ms: int) -> None:
        """Let a finding wait until then for others of its rule and status."""
        row = (f"{finding.rule}|{finding.status}", finding.episode, finding.status, ripe_ms, encode_finding(finding))
        self._db.execute(
            "INSERT INTO waiting(topic, episode, status, ripe_ms, held, finding) VALUES(?, ?, ?, ?, 0, ?)", row
        )

    def withdraw(self, episode: str) -> bool:
        """Take back a beginning that nobody was told of yet; whether there was one."""
        taken = self._db.execute("DELETE FROM waiting WHERE episode = ? AND status = 'firing'", (episode,))
        return taken.rowcount > 0

    def hold(self, finding: Finding, until_ms: int) -> None:
        """It is silenced: it waits on its own until the silence is over."""
        self.wait(finding, until_ms)
        self._db.execute(
            "UPDATE waiting SET held = 1 WHERE episode = ? AND status = ?", (finding.episode, finding.status)
        )

    def release(self, now_ms: int) -> None:
        """Silences have changed: look again at all that is held."""
        self._db.execute("UPDATE waiting SET ripe_ms = ? WHERE held", (now_ms,))

    def has_ripe(self, now_ms: int) -> bool:
        """Whether a group is complete."""
        return self._db.execute("SELECT 1 FROM waiting WHERE ripe_ms <= ? LIMIT 1", (now_ms,)).fetchone() is not None

    def take_ripe(self, now_ms: int) -> list[list[Finding]]:
        """The groups of which one finding has waited long enough, with all that belong to them; they wait no more."""
        topics = self._db.execute(
            "SELECT topic FROM waiting WHERE ripe_ms <= ? GROUP BY topic ORDER BY min(number)", (now_ms,)
        ).fetchall()
        groups = []
        for (topic,) in topics:
            members = "FROM waiting WHERE topic = ? AND (held = 0 OR ripe_ms <= ?)"
            found = self._db.execute(f"SELECT finding {members} ORDER BY number", (topic, now_ms))
            groups.append([decode_finding(row[0]) for row in found])
            self._db.execute(f"DELETE {members}", (topic, now_ms))
        return groups

    # -- delivering ----------------------------------------------------------------------------------------------------

    def put(self, message: Message, channels: Iterable[str], state: str = WAITS) -> None:
        """Keep a message for these channels."""
        row = (message.key, message.title, message.body, message.level, message.rule, message.made_ms)
        added = self._db.execute(
            "INSERT OR IGNORE INTO messages(key, title, body, level, rule, made_ms) VALUES(?, ?, ?, ?, ?, ?)", row
        )
        if added.rowcount:
            self._db.executemany(
                "INSERT INTO deliveries VALUES(?, ?, ?, 0, 0, '')",
                [(added.lastrowid, channel, state) for channel in channels],
            )

    def next_due(self, channel: str, now_ms: int) -> Delivery | None:
        """The oldest message of the channel that may be tried now; None when none is due."""
        row = self._db.execute(
            "SELECT key, title, body, level, rule, made_ms, number, attempts FROM deliveries"
            " JOIN messages ON number = message WHERE channel = ? AND state = ? AND next_ms <= ?"
            " ORDER BY number LIMIT 1",
            (channel, WAITS, now_ms),
        ).fetchone()
        return None if row is None else Delivery(Message(*row[:6]), row[6], row[7])

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
            f"UPDATE deliveries SET state = ?, error = ? WHERE state = ? AND channel NOT IN ({marks})",  # noqa: S608
            (GIVEN_UP, "the channel is no longer configured", WAITS, *channels),
        )
        add_counts(self._db, {f"deliveries_{GIVEN_UP}": given_up.rowcount})

    def forget_before(self, made_ms: int) -> None:
        """Drop settled messages made before that time."""
        old = "SELECT number FROM messages WHERE made_ms < ?"
        self._db.execute(f"DELETE FROM deliveries WHERE state != ? AND message IN ({old})", (WAITS, made_ms))  # noqa: S608
        self._db.execute(
            "DELETE FROM messages WHERE made_ms < ? AND number NOT IN (SELECT message FROM deliveries)", (made_ms,)
        )
        self._db.execute("DELETE FROM told WHERE at_ms < ?", (made_ms,))

    # -- what people know ----------------------------------------------------------------------------------------------

    def note_told(self, findings: Sequence[Finding], now_ms: int) -> None:
        """People are told of these."""
        rows = [(finding.episode, now_ms) for finding in findings]
        self._db.executemany("INSERT OR REPLACE INTO told VALUES(?, ?)", rows)

    def was_told(self, episode: str) -> bool:
        """Whether people were told that it began."""
        return self._db.execute("SELECT 1 FROM told WHERE episode = ?", (episode,)).fetchone() is not None
