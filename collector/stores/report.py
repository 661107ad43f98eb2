"""How a store is, for page, metrics and command line: read from its file, which its process keeps."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StoreReport:
    """`state`: starting, ok, waiting (tried again by itself) or held (`reason` says what somebody must do).

    `warning` is a wrong setting of the server. `counters`: accepted_rows = stored_rows + refused_rows + evicted_rows
    + `pending` always; evicted_frames counts those lost unread, by the quota or by damage.
    """

    name: str
    state: str
    reason: str
    warning: str
    since_ms: int
    pending: int
    counters: Mapping[str, int]


def report(path: Path) -> StoreReport | None:
    """The report in a `store-<name>.db`; None while its process has not made it."""
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        with contextlib.closing(db):
            db.execute("BEGIN")
            status = dict(db.execute("SELECT key, value FROM status"))
            counters = dict(db.execute("SELECT name, value FROM counters"))
            pending: int = db.execute("SELECT coalesce(sum(pending), 0) FROM sights").fetchone()[0]
    except sqlite3.OperationalError:
        return None
    name = path.stem.removeprefix("store-")
    said = {key: status.get(key, "") for key in ("state", "reason", "warning")}
    return StoreReport(name, **said, since_ms=int(status.get("since_ms", 0)), pending=pending, counters=counters)


def held(path: Path) -> int:
    """Rows that wait for the store and are in the journals still: of those pending, the others are gone. Walks through
    all that waits."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
        waiting = db.execute(_WAITING).fetchall()
    found = 0
    for journal, generation, position, horizon in waiting:
        file = path.with_name(f"{journal}.journal")
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as db:
            found += db.execute(_HELD, (position, horizon, generation)).fetchone()[0]
    return found


_WAITING = """
SELECT sights.journal, sights.generation, CASE WHEN cursors.generation = sights.generation THEN id ELSE 0 END, horizon
FROM sights LEFT JOIN cursors USING(journal)
"""
_HELD = """
SELECT coalesce(sum(rows), 0) FROM frames WHERE id > ? AND id <= ?
AND EXISTS (SELECT 1 FROM meta WHERE key = 'generation' AND value = ?)
"""


def refused(path: Path, limit: int = 100) -> list[tuple[int, str, str]]:
    """The newest refused lines: when (wall ms), the line, the server's reason."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
        return db.execute("SELECT at_ms, line, reason FROM refused ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
