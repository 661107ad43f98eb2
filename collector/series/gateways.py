"""What is known of agents and of holes, out of `series.db`: functions over a read-only connection."""

from __future__ import annotations

import sqlite3

import msgspec

from collector.series.rows import AgentReading, HoleRow


def agent_readings(db: sqlite3.Connection) -> dict[str, AgentReading]:
    """The newest reading that each agent sent of itself, by its name."""
    found = db.execute(
        "SELECT device, t, received, uptime, boot, body FROM series "
        "JOIN last ON last.series = series.id WHERE kind = 'agent'"
    )
    return {
        agent: AgentReading(agent, t, received, uptime, boot, msgspec.json.decode(body))
        for agent, t, received, uptime, boot, body in found
    }


def devices_by_agent(db: sqlite3.Connection) -> dict[str, int]:
    """How many devices each agent speaks for."""
    return dict(db.execute("SELECT agent, count(*) FROM devices WHERE device != agent GROUP BY agent"))


def holes(
    db: sqlite3.Connection, span_ms: tuple[int, int], silent_since_ms: int, device: str | None = None, limit: int = 1000
) -> list[HoleRow]:
    """Holes that touch the span (wall ms), the newest first: those recorded, and the silence that lasts now.

    One that began nobody knows when has its end for its time. A device silent since before `silent_since_ms` has a hole
    that is not over. Retired devices have none.
    """
    start, end = span_ms
    wanted = {"start": start, "end": end, "silent": silent_since_ms, "device": device, "limit": limit}
    return [HoleRow(*row) for row in db.execute(_HOLES, wanted)]


_HOLES = """
SELECT * FROM (
SELECT device, agent, from_ms, to_ms, cause, frames FROM holes JOIN devices USING(device)
WHERE from_ms <= :end AND coalesce(to_ms, :end) >= :start AND (:device IS NULL OR device = :device)
UNION ALL
SELECT device, agent, last_t, NULL, 'silence', 0 FROM devices LEFT JOIN abouts USING(device)
WHERE last_t > 0 AND last_t < :silent AND (:device IS NULL OR device = :device)
  AND last_t + 1000 * coalesce(json_extract(limits, '$.silent_after_s'), 0) <= :end
  AND NOT EXISTS (SELECT 1 FROM holes WHERE holes.device = devices.device AND to_ms IS NULL)
  AND json_extract(coalesce(texts, '{}'), '$.retired') IS NULL
) ORDER BY CASE WHEN from_ms > 0 THEN from_ms ELSE to_ms END DESC LIMIT :limit
"""
