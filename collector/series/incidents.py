"""Incidents in `series.db`: how each stands, who knows of it, which alerts belong to it.

Writing stands inside the caller's transaction; the journals of findings and of the desk have no order between them, so
what people asked for is remembered and also applied to what comes to be known later.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import msgspec

from collector.records import Desk, Incident, is_silenced
from collector.series.restarts import SINCE_TOLD, before

_decode = msgspec.json.Decoder(Incident).decode


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident and what people did about it; times are wall ms, 0 for what nobody did."""

    incident: Incident
    acknowledged_ms: int
    acknowledged_by: str
    silenced_until_ms: int


def take_incident(db: sqlite3.Connection, incident: Incident) -> None:
    """Take in how an incident stands."""
    body = msgspec.json.encode(incident).decode()
    row = (incident.key, incident.status, incident.severity, incident.since_ms, incident.at_ms, body)
    db.execute(_UPSERT, (*row, silenced_until(db, incident.key)))
    db.execute(_LATE_ACKNOWLEDGEMENT, {"key": incident.key})


def acknowledge_incident(db: sqlite3.Connection, entry: Desk) -> None:
    """Somebody knows of it, if the entry's key is that of an incident."""
    db.execute(_ACKNOWLEDGE, (entry.at_ms, entry.by, entry.key))


def apply_silences(db: sqlite3.Connection) -> None:
    """Silences have changed: note them at the open incidents."""
    keys = [key for (key,) in db.execute("SELECT key FROM incidents WHERE status = 'firing'").fetchall()]
    rows = [(silenced_until(db, key), key) for key in keys]
    db.executemany("UPDATE incidents SET silenced = ? WHERE key = ?", rows)


def silenced_until(db: sqlite3.Connection, key: str) -> int:
    """Until when the longest silence on the key of an alert or incident lasts, wall ms; 0 when there is none."""
    silences: list[tuple[str, int]] = db.execute("SELECT pattern, until_ms FROM silences").fetchall()
    return max((until for pattern, until in silences if is_silenced(key, pattern)), default=0)


def forget_incidents(db: sqlite3.Connection, before_ms: int) -> None:
    """Drop what was over before that time."""
    db.execute("DELETE FROM incidents WHERE status = 'resolved' AND at_ms < ?", (before_ms,))
    db.execute("DELETE FROM incident_episodes WHERE episode NOT IN (SELECT episode FROM alerts)")


# -- reading -----------------------------------------------------------------------------------------------------------


def incidents(db: sqlite3.Connection, active_only: bool = True, limit: int = 1000) -> list[IncidentRow]:
    """Incidents, the worst open ones first, then the newest; `active_only` leaves out what is over."""
    found = db.execute(_LIST, {"status": "firing" if active_only else None, "limit": limit}).fetchall()
    return [_row(*columns) for columns in found]


def incident(db: sqlite3.Connection, key: str) -> IncidentRow | None:
    """One incident, None when there is none of that key."""
    row = db.execute(f"SELECT {_COLUMNS} FROM incidents WHERE key = ?", (key,)).fetchone()  # noqa: S608 - ours
    return None if row is None else _row(*row)


def is_known(db: sqlite3.Connection, key: str) -> bool:
    """Whether there is an incident or an alert of that key, open or over."""
    (known,) = db.execute(_IS_KNOWN, {"key": key}).fetchone()
    return bool(known)


def members(db: sqlite3.Connection, key: str, limit: int = 1000) -> list[dict[str, Any]]:
    """The alerts of an incident, those that fire first, in the order in which they began."""
    found = db.execute(_MEMBERS, (key, limit))
    names = [column[0] for column in found.description]
    listed = [dict(zip(names, row, strict=True)) for row in found]
    return [member | {"reason": before(member["restarts"]) + member["reason"]} for member in listed]


def _row(body: str, restarts: int | None, *desk: Any) -> IncidentRow:
    incident = _decode(body)
    return IncidentRow(msgspec.structs.replace(incident, reason=before(restarts or 0) + incident.reason), *desk)


_IS_KNOWN = """
SELECT EXISTS(SELECT 1 FROM incidents WHERE key = :key) OR EXISTS(SELECT 1 FROM alerts WHERE key = :key)
"""

# By the alert in whose words it is told.
_RESTARTS = f"""
(SELECT {SINCE_TOLD} FROM alerts JOIN devices USING(device)
 WHERE device = json_extract(body, '$.worst') AND alerts.status = 'firing' AND reason = json_extract(body, '$.reason'))
"""  # noqa: S608 - a column of ours

_COLUMNS = f"body, {_RESTARTS}, acknowledged_ms, acknowledged_by, silenced"

_LIST = f"""
SELECT {_COLUMNS} FROM incidents WHERE (:status IS NULL OR status = :status)
ORDER BY status, CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, at_ms DESC, key LIMIT :limit
"""  # noqa: S608 - columns of ours

_MEMBERS = f"""
SELECT device, status, severity, since_ms, at_ms, reason, alerts.key AS alert, {SINCE_TOLD} AS restarts
FROM incident_episodes JOIN alerts USING(episode) LEFT JOIN devices USING(device)
WHERE incident = ? ORDER BY status, since_ms, episode LIMIT ?
"""  # noqa: S608 - a column of ours

_UPSERT = """
INSERT INTO incidents(key, status, severity, since_ms, at_ms, body, silenced) VALUES(?, ?, ?, ?, ?, ?, ?)
ON CONFLICT(key) DO UPDATE SET status = excluded.status, severity = excluded.severity, at_ms = excluded.at_ms,
    body = excluded.body, silenced = excluded.silenced
"""

_ACKNOWLEDGE = """
UPDATE incidents SET acknowledged_ms = ?, acknowledged_by = ?
WHERE key = ? AND status = 'firing' AND acknowledged_ms = 0
"""

_LATE_ACKNOWLEDGEMENT = """
UPDATE incidents SET (acknowledged_ms, acknowledged_by) = (SELECT at_ms, by FROM acknowledgements WHERE key = :key)
WHERE key = :key AND acknowledged_ms = 0 AND EXISTS (SELECT 1 FROM acknowledgements WHERE key = :key)
"""
