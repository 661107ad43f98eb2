"""What people know of each incident, and when they are to be told next: tables of notify.db.

new -> due after a short wait for others -> told -> due again when it is worse, has twice the devices, is repeated
over -> told if its beginning was; forgotten
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from collector.notify.routes import SEVERITIES
from collector.records import Finding, Incident, decode_finding, encode_finding

TABLES = """
CREATE TABLE IF NOT EXISTS incidents(
    key TEXT PRIMARY KEY, incident BLOB NOT NULL, due_ms INTEGER NOT NULL, held INTEGER NOT NULL DEFAULT 0,
    told_ms INTEGER NOT NULL DEFAULT 0, told_devices INTEGER NOT NULL DEFAULT 0,
    told_severity TEXT NOT NULL DEFAULT '', tells INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS incidents_due ON incidents(due_ms);
CREATE TABLE IF NOT EXISTS members(
    number INTEGER PRIMARY KEY, incident TEXT NOT NULL, member TEXT NOT NULL, firing INTEGER NOT NULL,
    finding BLOB NOT NULL, UNIQUE(incident, member));
CREATE TABLE IF NOT EXISTS pace(only INTEGER PRIMARY KEY, last_ms INTEGER NOT NULL);
"""

NEVER_MS = 2**62
GROWTH = 2
"""An incident with so many times the devices that people were told of is told again."""


class Known(NamedTuple):
    """An incident and what people were told of it: when last (0: never), of how many devices, how severe, how often."""

    incident: Incident
    told_ms: int
    told_devices: int
    told_severity: str
    tells: int

    @property
    def news(self) -> str:
        """What there is to tell: began, over, worse, grown or still (nothing new)."""
        if self.incident.status == "resolved":
            return "over"
        if not self.told_ms:
            return "began"
        if is_worse(self.incident.severity, self.told_severity):
            return "worse"
        return "grown" if self.incident.devices >= GROWTH * self.told_devices else "still"


def is_worse(severity: str, than: str) -> bool:
    """Whether the one is more severe than the other."""
    return SEVERITIES.index(severity) > SEVERITIES.index(than)


class Ledger:
    """The incidents of notify.db. Methods that write stand inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        db.executescript(TABLES)
        self._db = db

    def take_finding(self, finding: Finding) -> None:
        """Note an alert of an incident."""
        firing = finding.status == "firing"
        if firing:
            self._db.execute(_PUT_MEMBER, (finding.incident, finding.key, encode_finding(finding)))
        else:
            row = (finding.incident, finding.key)
            self._db.execute("UPDATE members SET firing = 0 WHERE incident = ? AND member = ?", row)

    def take_incident(self, incident: Incident, soon_ms: int) -> bool:
        """Note how an incident stands; when there is news it is due at `soon_ms`. False when it is over untold."""
        known = self.get(incident.key)
        if known is None:
            if incident.status == "firing":
                row = (incident.key, encode_finding(incident), soon_ms)
                self._db.execute("INSERT INTO incidents(key, incident, due_ms) VALUES(?, ?, ?)", row)
            return incident.status == "firing"
        if incident.status == "resolved" and not known.told_ms:
            self.forget(incident.key)
            return False
        self._db.execute("UPDATE incidents SET incident = ? WHERE key = ?", (encode_finding(incident), incident.key))
        news = known._replace(incident=incident).news
        if news == "over" or (news != "still" and incident.firing):
            hasten = "UPDATE incidents SET due_ms = min(due_ms, ?) WHERE key = ? AND held = 0"
            self._db.execute(hasten, (soon_ms, incident.key))
        return True

    def due(self, now_ms: int) -> list[Known]:
        """Incidents that people are to be told of now, the longest due first."""
        found = self._db.execute(_DUE, (now_ms,)).fetchall()
        return [_known(row) for row in found]

    def has_due(self, now_ms: int) -> bool:
        """Whether there is any."""
        return self._db.execute("SELECT 1 FROM incidents WHERE due_ms <= ? LIMIT 1", (now_ms,)).fetchone() is not None

    def get(self, key: str) -> Known | None:
        """One incident."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM incidents WHERE key = ?", (key,)).fetchone()  # noqa: S608 - ours
        return None if row is None else _known(row)

    def members(self, key: str) -> list[Finding]:
        """The alerts of an incident in the order in which they joined: those that fire, or all when none does."""
        rows = self._db.execute("SELECT firing, finding FROM members WHERE incident = ? ORDER BY number", (key,))
        found = [(firing, decode_finding(data)) for firing, data in rows.fetchall()]
        some_fire = any(firing for firing, _ in found)
        return [one for firing, one in found if isinstance(one, Finding) and (firing or not some_fire)]

    def note_told(self, known: Known, now_ms: int, next_ms: int) -> None:
        """People are told how it stands; they hear of it again at `next_ms`."""
        incident = known.incident
        row = (now_ms, incident.devices, incident.severity, next_ms, incident.key)
        self._db.execute(
            "UPDATE incidents SET told_ms = ?, told_devices = ?, told_severity = ?, tells = tells + 1, held = 0,"
            " due_ms = ? WHERE key = ?",
            row,
        )

    def put_off(self, key: str, until_ms: int, *, held: bool) -> None:
        """Nobody is told before then; `held` ones are looked at again when silences change."""
        self._db.execute("UPDATE incidents SET due_ms = ?, held = ? WHERE key = ?", (until_ms, held, key))

    def release(self, now_ms: int) -> None:
        """Silences have changed: look again at all that is held."""
        self._db.execute("UPDATE incidents SET due_ms = ? WHERE held", (now_ms,))

    def forget(self, key: str) -> None:
        """It is over, and whoever knew of it knows that."""
        self._db.execute("DELETE FROM incidents WHERE key = ?", (key,))
        self._db.execute("DELETE FROM members WHERE incident = ?", (key,))

    def last_ms(self) -> int:
        """When the newest message was made, 0 before the first."""
        row = self._db.execute("SELECT last_ms FROM pace").fetchone()
        return row[0] if row else 0

    def note_message(self, now_ms: int) -> None:
        """A message was made."""
        self._db.execute("INSERT OR REPLACE INTO pace VALUES(0, ?)", (now_ms,))


def _known(row: tuple[bytes, int, int, str, int]) -> Known:
    incident = decode_finding(row[0])
    if not isinstance(incident, Incident):
        raise TypeError("notify.db holds a finding where an incident belongs")
    return Known(incident, *row[1:])


_COLUMNS = "incident, told_ms, told_devices, told_severity, tells"
_DUE = f"SELECT {_COLUMNS} FROM incidents WHERE due_ms <= ? ORDER BY due_ms, key"  # noqa: S608 - columns of ours

_PUT_MEMBER = """
INSERT INTO members(incident, member, firing, finding) VALUES(?, ?, 1, ?)
ON CONFLICT(incident, member) DO UPDATE SET firing = 1, finding = excluded.finding
"""
