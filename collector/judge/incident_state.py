"""Open incidents on disk, in tables of the findings journal: committed with the findings that changed them."""

from __future__ import annotations

import sqlite3

from collector.judge.incidents import Incidents, Member, Open
from collector.records import UNDECODABLE, Finding, decode_finding, encode_finding

TABLES = """
CREATE TABLE IF NOT EXISTS incidents(
    key TEXT PRIMARY KEY, fault TEXT NOT NULL, since_ms INTEGER NOT NULL, joined_ms INTEGER NOT NULL,
    calm_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS incident_members(
    number INTEGER PRIMARY KEY, incident TEXT NOT NULL, member TEXT NOT NULL, firing INTEGER NOT NULL,
    finding BLOB NOT NULL, ended TEXT NOT NULL DEFAULT '', settle_ms INTEGER NOT NULL DEFAULT 0,
    UNIQUE(incident, member));
CREATE TABLE IF NOT EXISTS incident_calm(fault TEXT PRIMARY KEY, calm_ms INTEGER NOT NULL) WITHOUT ROWID;
"""


def save(db: sqlite3.Connection, incidents: Incidents) -> None:
    """Write what differs from the disk, inside the judge's transaction."""
    for key in sorted(incidents.closed):
        db.execute("DELETE FROM incidents WHERE key = ?", (key,))
        db.execute("DELETE FROM incident_members WHERE incident = ?", (key,))
    found = [incidents.open[key] for key in sorted({key for key, _ in incidents.changed} & incidents.open.keys())]
    heads = [(one.key, one.fault, one.since_ms, one.joined_ms, one.calm_ms) for one in found]
    db.executemany("INSERT OR REPLACE INTO incidents VALUES(?, ?, ?, ?, ?)", heads)
    changed = {one.key: [name for name in one.members if (one.key, name) in incidents.changed] for one in found}
    rows = [_row(one.key, name, one.members[name]) for one in found for name in changed[one.key]]
    db.executemany(_PUT, rows)
    calm = [(key, incidents.calm.get(key)) for key in sorted(incidents.calmed)]
    db.executemany("DELETE FROM incident_calm WHERE fault = ?", [(key,) for key, since_ms in calm if since_ms is None])
    db.executemany("INSERT OR REPLACE INTO incident_calm VALUES(?, ?)", [one for one in calm if one[1] is not None])
    incidents.changed.clear()
    incidents.closed.clear()
    incidents.calmed.clear()


def restore(db: sqlite3.Connection, incidents: Incidents) -> None:
    """Give new incidents the state of the last commit; a member that another version wrote is left out."""
    heads = db.execute("SELECT key, fault, since_ms, joined_ms, calm_ms FROM incidents ORDER BY joined_ms, key")
    for head in heads.fetchall():
        incident = Open(*head)
        members = "SELECT finding, firing, ended, settle_ms FROM incident_members WHERE incident = ? ORDER BY number"
        for data, firing, ended, settle_ms in db.execute(members, (incident.key,)).fetchall():
            finding = _decoded(data)
            if finding is not None:
                incident.put(Member(finding, bool(firing), ended, settle_ms))
        if incident.members:
            incidents.restore(incident)
    incidents.calm.update(db.execute("SELECT fault, calm_ms FROM incident_calm").fetchall())


def _row(incident: str, name: str, member: Member) -> tuple[str, str, bool, bytes, str, int]:
    return incident, name, member.firing, encode_finding(member.finding), member.ended, member.settle_ms


def _decoded(data: bytes) -> Finding | None:
    try:
        found = decode_finding(data)
    except UNDECODABLE:
        return None
    return found if isinstance(found, Finding) else None


_PUT = """
INSERT INTO incident_members(incident, member, firing, finding, ended, settle_ms) VALUES(?, ?, ?, ?, ?, ?)
ON CONFLICT(incident, member) DO UPDATE SET firing = excluded.firing, finding = excluded.finding,
    ended = excluded.ended, settle_ms = excluded.settle_ms
"""
