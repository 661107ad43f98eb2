"""How many rows of each agent were refused within the last hour. It stands beside what the agent says of itself: so
rules can tell of a gateway that looks well and is not heard."""

from __future__ import annotations

import sqlite3
from collections import Counter

from msgspec.structs import replace

from telemetry.wire import Rows

REFUSED_ROWS, REFUSED_WHY = "refused_rows", "refused_why"
"""The fields that intake adds: rows, and the reason of most of them."""
_HOUR, _MINUTE_MS = 60, 60_000


class Refusals:
    """Refused rows by agent, minute and reason. What has left quarantine by now counts until the next start."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._rows: dict[str, Counter[tuple[int, str]]] = {}
        self._told: dict[str, int] = {}
        for agent, minute, reason, rows in db.execute(_LAST_HOUR, (_MINUTE_MS, _HOUR * _MINUTE_MS)):
            self.note(agent, minute * _MINUTE_MS, reason, rows)

    def note(self, agent: str, received_ms: int, reason: str, rows: int) -> None:
        """So many rows of that agent were refused."""
        self._of(agent, received_ms)[received_ms // _MINUTE_MS, reason] += rows

    def put_beside(self, agent: str, block: Rows, received_ms: int) -> Rows:
        """What an agent says of itself, with what was refused of it. Once that is nothing it is said once more, and
        after a start of ours, which may not know what was said before."""
        by_reason: Counter[str] = Counter()
        for (_, reason), rows in self._of(agent, received_ms).items():
            by_reason[reason] += rows
        refused = by_reason.total()
        if REFUSED_ROWS in block.fields or not (refused or self._told.get(agent, 1)):
            return block
        self._told[agent] = refused
        told = {REFUSED_ROWS: refused} | ({REFUSED_WHY: by_reason.most_common(1)[0][0]} if refused else {})
        return replace(block, fields=(*block.fields, *told), rows=[[*row, *told.values()] for row in block.rows])

    def _of(self, agent: str, now_ms: int) -> Counter[tuple[int, str]]:
        """What is known of the agent, without what is older than an hour."""
        known = self._rows.setdefault(agent, Counter())
        for old in [key for key in known if key[0] <= now_ms // _MINUTE_MS - _HOUR]:
            del known[old]
        return known


_LAST_HOUR = """
SELECT agent, received_ms / ?1 AS minute, reason, sum(rows) FROM quarantine
WHERE received_ms >= (SELECT max(received_ms) FROM quarantine) - ?2 GROUP BY agent, minute, reason ORDER BY minute
"""
