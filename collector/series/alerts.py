"""Findings, acknowledgements and silences into the `alerts` table, inside the caller's transaction.

Findings and the desk are two journals without an order between them, so an acknowledgement or a silence is remembered
and also applied to episodes that come to be known later.
"""

from __future__ import annotations

import sqlite3

import msgspec

from collector.records import Desk, Finding
from collector.series.incidents import acknowledge_incident, apply_silences, forget_incidents, silenced_until


def take_finding(db: sqlite3.Connection, finding: Finding) -> None:
    """Take in what the judge says of an episode: it opens, changes, or is resolved."""
    values = msgspec.structs.asdict(finding)
    if finding.incident:
        db.execute("INSERT OR REPLACE INTO incident_episodes VALUES(?, ?)", (finding.episode, finding.incident))
    for name in ("names", "numbers"):
        values[name] = msgspec.json.encode(values[name]).decode()
    db.execute(_UPSERT, values)
    values["silenced"] = max(silenced_until(db, finding.key), silenced_until(db, finding.incident))
    db.execute("UPDATE alerts SET silenced = :silenced WHERE episode = :episode", values)
    db.execute(_LATE_ACKNOWLEDGEMENT, values)


def take_desk(db: sqlite3.Connection, entry: Desk) -> bool:
    """Take in what a person asked for; False when it does not concern alerts."""
    if entry.action == "acknowledge":
        db.execute("INSERT OR REPLACE INTO acknowledgements VALUES(?, ?, ?)", (entry.key, entry.at_ms, entry.by))
        db.execute(_ACKNOWLEDGE, (entry.at_ms, entry.by, entry.key, entry.key))
        acknowledge_incident(db, entry)
        return True
    if entry.action == "silence":
        silence = (entry.key, entry.until_ms, entry.at_ms, entry.by)
        db.execute("INSERT OR REPLACE INTO silences VALUES(?, ?, ?, ?)", silence)
    elif entry.action == "unsilence":
        db.execute("DELETE FROM silences WHERE pattern = ?", (entry.key,))
    else:
        return False
    _apply_silences(db)
    apply_silences(db)
    return True


def forget(db: sqlite3.Connection, now_ms: int, before_ms: int) -> None:
    """Drop silences that are over, and what was resolved or acknowledged before `before_ms`."""
    db.execute("DELETE FROM silences WHERE until_ms < ?", (now_ms,))
    db.execute("DELETE FROM alerts WHERE status = 'resolved' AND at_ms < ?", (before_ms,))
    db.execute("DELETE FROM acknowledgements WHERE at_ms < ?", (before_ms,))
    forget_incidents(db, before_ms)


def _apply_silences(db: sqlite3.Connection) -> None:
    open_ones = db.execute(
        "SELECT episode, key, coalesce(incident, '') FROM alerts LEFT JOIN incident_episodes USING(episode)"
        " WHERE status = 'firing'"
    ).fetchall()
    rows = [
        (max(silenced_until(db, key), silenced_until(db, incident)), episode) for episode, key, incident in open_ones
    ]
    db.executemany("UPDATE alerts SET silenced = ? WHERE episode = ?", rows)


_UPSERT = """
INSERT INTO alerts(episode, key, status, rule, severity, device, platform, firmware, kind, names, since_ms, at_ms,
                   reason, numbers, boot)
VALUES(:episode, :key, :status, :rule, :severity, :device, :platform, :firmware, :kind, :names, :since_ms, :at_ms,
       :reason, :numbers, :boot)
ON CONFLICT(episode) DO UPDATE SET status = excluded.status, severity = excluded.severity, at_ms = excluded.at_ms,
    reason = excluded.reason, numbers = excluded.numbers, boot = excluded.boot
"""

_ACKNOWLEDGE = """
UPDATE alerts SET acknowledged_ms = ?, acknowledged_by = ? WHERE status = 'firing' AND acknowledged_ms = 0
  AND (key = ? OR episode IN (SELECT episode FROM incident_episodes WHERE incident = ?))
"""

_LATE_ACKNOWLEDGEMENT = """
UPDATE alerts SET (acknowledged_ms, acknowledged_by) = (SELECT at_ms, by FROM acknowledgements WHERE key = :key)
WHERE episode = :episode AND acknowledged_ms = 0
  AND EXISTS (SELECT 1 FROM acknowledgements WHERE key = :key AND at_ms >= :since_ms)
"""
