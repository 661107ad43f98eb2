"""Which agents stamp their readings by a wall clock that is known to be wrong, and by how much.

One word of an agent may have lain at the broker while we were away; of two that were made half a minute apart both are
late by the same only where the clock is off. One that is right is believed at once.
"""

from __future__ import annotations

import sqlite3

from msgspec.structs import replace

from collector.agentclock import BEHIND_MS, NEWEST_MS, OLDEST_MS, WRONG_S, behind_s
from telemetry.wire import Rows

TABLES = """
CREATE TABLE IF NOT EXISTS wrong_clocks(agent TEXT PRIMARY KEY, behind_ms INTEGER NOT NULL) WITHOUT ROWID;
"""

_SAME_MS = 10_000
"""Two words of a clock that is off differ by less; those that lay at the broker by what lies between them."""


class WallClocks:
    """By how much each wrong clock is behind ours, ms. Changes wait for `write`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._wrong: dict[str, int] = dict(db.execute("SELECT agent, behind_ms FROM wrong_clocks"))
        self._doubted = dict(self._wrong)
        self._changed: set[str] = set()

    def is_wrong(self, agent: str) -> bool:
        """Whether the readings that this agent stamps have times that are off."""
        return agent in self._wrong

    def hear(self, agent: str, block: Rows, received_ms: int) -> Rows:
        """Take in what an agent says of itself; the same, with by how much its clock is off where that is known, and
        with 0 once where it is no more.

        Where nobody would take it in by its stamp, it was said when it came: who is to tell of that clock?
        """
        row = max(block.rows, key=lambda row: row[0])
        waits_ms = dict(zip(block.fields, row[2:], strict=True)).get("oldest_age_ms")
        behind = behind_s(block.t0 + row[0], received_ms, waits_ms)
        if behind is None:
            return block
        was_wrong = agent in self._wrong
        self._learn(agent, round(behind * 1000))
        behind_ms = self._wrong.get(agent, 0)
        if not (behind_ms or was_wrong) or BEHIND_MS in block.fields:
            return block
        t0 = block.t0 if -NEWEST_MS <= behind_ms <= OLDEST_MS else block.t0 + behind_ms
        told = [[*row, behind_ms] for row in block.rows]
        return replace(block, t0=t0, fields=(*block.fields, BEHIND_MS), rows=told)

    def _learn(self, agent: str, behind_ms: int) -> None:
        if abs(behind_ms) <= WRONG_S * 1000:
            self._doubted.pop(agent, None)
            if self._wrong.pop(agent, None) is not None:
                self._changed.add(agent)
            return
        if abs(self._doubted.get(agent, 0) - behind_ms) < _SAME_MS:
            self._wrong[agent] = behind_ms
            self._changed.add(agent)
        self._doubted[agent] = behind_ms

    def write(self, db: sqlite3.Connection) -> None:
        """Put what has changed into the transaction."""
        db.executemany("DELETE FROM wrong_clocks WHERE agent = ?", [(agent,) for agent in self._changed])
        wrong = [(agent, self._wrong[agent]) for agent in self._changed if agent in self._wrong]
        db.executemany("INSERT INTO wrong_clocks VALUES(?, ?)", wrong)

    def committed(self) -> None:
        """The transaction is on disk."""
        self._changed.clear()
