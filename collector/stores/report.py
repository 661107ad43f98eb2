"""How a store is, for page, metrics and command line: read from its file, which its process keeps."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from telemetry.files import open_read_only


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
        db = open_read_only(path)
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


def gone(path: Path) -> int:
    """Rows that the store waits for and no journal holds any more, but for a batch that its process may have in hand; 0
    while it takes rows, when nobody can tell. Walks through all that waits."""
    before = _waiting(path)
    held = sum(_held(path.with_name(f"{one.journal}.journal"), one) for one in before)
    if [one[:3] for one in _waiting(path)] != [one[:3] for one in before]:
        return 0
    return sum(one.pending for one in before) - held


class _Waiting(NamedTuple):
    """What of a journal a store has not taken: from behind `position` up to `horizon`, so many rows when it came."""

    journal: str
    generation: int
    position: int
    horizon: int
    pending: int


def _waiting(path: Path) -> list[_Waiting]:
    with contextlib.closing(open_read_only(path)) as db:
        return [_Waiting(*row) for row in db.execute(_WAITING)]


def _held(journal: Path, waiting: _Waiting) -> int:
    with contextlib.closing(open_read_only(journal)) as db:
        rows: int = db.execute(_HELD, (waiting.position, waiting.horizon, waiting.generation)).fetchone()[0]
    return rows


_WAITING = """
SELECT journal, sights.generation, CASE WHEN cursors.generation = sights.generation THEN id ELSE 0 END, horizon, pending
FROM sights LEFT JOIN cursors USING(journal) ORDER BY journal
"""
_HELD = """
SELECT coalesce(sum(rows), 0) FROM frames WHERE id > ? AND id <= ?
AND EXISTS (SELECT 1 FROM meta WHERE key = 'generation' AND value = ?)
"""


def refused(path: Path, limit: int = 100) -> list[tuple[int, str, str]]:
    """The newest refused lines: when (wall ms), the line, the server's reason."""
    with contextlib.closing(open_read_only(path)) as db:
        return db.execute("SELECT at_ms, line, reason FROM refused ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
