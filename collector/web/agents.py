"""Agents as the API and the page show them: what intake knows of their connections, and what they say of themselves."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from collector.agentclock import BEHIND_MS
from collector.judge.reasons import span
from collector.series import gateways
from collector.series.rows import AgentReading
from collector.web.quarantine import quarantined_rows
from collector.web.services import Services
from telemetry.topics import shard_of


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent: whether it is connected, how many devices it speaks for, and what it last said of itself.

    `clock` is what it says of its clock, or by how much that is wrong; `quarantined` how many of its rows wait in
    quarantine, by reason.
    """

    agent: str
    online: bool
    version: str
    seen_ms: int
    devices: int
    boot: int
    uptime_ms: int | None
    clock: str
    values: dict[str, Any]
    quarantined: dict[str, int]


async def agents_of(services: Services) -> list[AgentRow]:
    """Every agent that ever connected or spoke, by name; those whose shards have moved are another collector's."""
    shards = services.config.shards
    connected = {row[0]: row for row in await services.quarantine.ask(_connections)}
    refused = await services.quarantine.ask(quarantined_rows)
    told = await services.series.ask(gateways.agent_readings)
    devices = await services.series.ask(gateways.devices_by_agent)
    rows = []
    for name in sorted({*connected, *told} - {""}):
        if shards is not None and shard_of(name) not in shards:
            continue
        _, online, version, status_ms = connected.get(name, (name, 0, "", 0))
        reading = told.get(name)
        rows.append(
            AgentRow(
                name,
                bool(online),
                version,
                max(status_ms, reading.received_ms if reading else 0),
                devices.get(name, 0),
                reading.boot if reading else 0,
                reading.uptime_ms if reading else None,
                _clock(reading) if reading else "",
                dict(reading.values) if reading else {},
                refused.get(name, {}),
            )
        )
    return rows


def _clock(reading: AgentReading) -> str:
    behind_ms = reading.values.get(BEHIND_MS)
    if not isinstance(behind_ms, int) or not behind_ms:  # 0: it is right again
        return str(reading.values.get("clock", ""))
    return f"{span(abs(behind_ms) / 1000)} {'behind' if behind_ms > 0 else 'ahead'}"


def _connections(db: sqlite3.Connection) -> list[tuple[str, int, str, int]]:
    return db.execute("SELECT agent, online, version, seen_ms FROM agents").fetchall()
