"""What intake refused, as it stands in the readings journal. The page only looks; intake acts on the desk journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """One refused body or group of rows. `reason` is the fixed word that counters use; `size` is its bytes."""

    id: int
    received_ms: int
    agent: str
    reason: str
    detail: str
    rows: int
    size: int


def quarantined(db: sqlite3.Connection, limit: int, agent: str = "", reason: str = "") -> list[QuarantineRow]:
    """The newest refused bodies, newest first."""
    found = db.execute(
        "SELECT id, received_ms, agent, reason, detail, rows, coalesce(length(body), 0) FROM quarantine "
        "WHERE (?1 = '' OR agent = ?1) AND (?2 = '' OR reason = ?2) ORDER BY id DESC LIMIT ?3",
        (agent, reason, limit),
    )
    return [QuarantineRow(*row) for row in found]


def quarantined_rows(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """How many rows of each agent wait, by reason."""
    found: dict[str, dict[str, int]] = {}
    for agent, reason, rows in db.execute("SELECT agent, reason, sum(rows) FROM quarantine GROUP BY agent, reason"):
        found.setdefault(agent, {})[reason] = rows
    return found


def quarantined_body(db: sqlite3.Connection, id_: int) -> bytes | None:
    """The very bytes that were refused; None when there is no such entry."""
    row = db.execute("SELECT body FROM quarantine WHERE id = ?", (id_,)).fetchone()
    return None if row is None else bytes(row[0] or b"")


def in_quarantine(db: sqlite3.Connection, ids: Iterable[int]) -> list[int]:
    """Those of the numbers that an entry has."""
    return sorted(set(ids) & {id_ for (id_,) in db.execute("SELECT id FROM quarantine")})
