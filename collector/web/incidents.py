"""The routes about incidents; acknowledging and silencing them is done where it is for alerts, by their key."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, Response

from collector.series import incidents as stored
from collector.series.lines import Asked, LineRow, lines_around
from collector.web import answers
from collector.web.answering import Level, Limit, json_answer
from collector.web.services import Services

REACH_MS = 120_000
"""How far around an alert's beginning its log lines are looked for."""

_MOST_REACH_MS = 86_400_000
_MOST_DEVICES = 50

Key = Annotated[str, Query(max_length=1_000)]


def add_incidents(api: APIRouter, services: Services) -> None:
    """Serve them."""

    @api.get("/incidents", response_model=answers.Incidents)
    async def incidents(active: bool = True, limit: Limit = 1_000) -> Response:
        """Incidents, the worst open ones first: the open ones, or with `active=false` all."""
        return json_answer({"incidents": await incidents_of(services, active, limit)})

    @api.get("/incident", response_model=answers.IncidentWhole)
    async def incident(key: Key) -> Response:
        """One incident with the alerts that belong to it."""
        found = await incident_of(services, key)
        if found is None:
            raise HTTPException(404, f"there is no incident {key[:200]!r}")
        return json_answer(found)

    @api.get("/incident/lines", response_model=answers.Lines)
    async def said(
        key: Key,
        reach_ms: Annotated[int, Query(ge=0, le=_MOST_REACH_MS)] = REACH_MS,
        level: Level = "",
        text: str = "",
        limit: Limit = 500,
    ) -> Response:
        """What the devices of an incident said around the time at which each one's alert began, in order of time."""
        if await services.series.ask(stored.incident, key) is None:
            raise HTTPException(404, f"there is no incident {key[:200]!r}")
        asked = Asked(0, 0, None, level, text, limit)
        return json_answer({"lines": await services.slow_series.ask(lines_of, key, reach_ms, asked)})


async def incidents_of(services: Services, active: bool, limit: int) -> list[dict[str, Any]]:
    """The incidents as the API gives them."""
    return [_flat(row) for row in await services.series.ask(stored.incidents, active, limit)]


async def incident_of(services: Services, key: str) -> dict[str, Any] | None:
    """One incident with its members, as the API gives it."""
    row = await services.series.ask(stored.incident, key)
    return None if row is None else _flat(row) | {"members": await services.series.ask(stored.members, key)}


def lines_of(db: sqlite3.Connection, key: str, reach_ms: int, asked: Asked) -> list[LineRow]:
    """Lines around the beginning of each alert of an incident, of the first fifty devices; of `asked` counts the
    filter."""
    began: dict[str, int] = {}
    for member in stored.members(db, key):
        began[member["device"]] = min(member["since_ms"], began.get(member["device"], member["since_ms"]))
    moments = sorted(began.items(), key=lambda moment: moment[1])[:_MOST_DEVICES]
    return lines_around(db, moments, reach_ms, asked)


def _flat(row: stored.IncidentRow) -> dict[str, Any]:
    return msgspec.structs.asdict(row.incident) | {
        "lasted_ms": row.incident.at_ms - row.incident.since_ms,
        "acknowledged_ms": row.acknowledged_ms,
        "acknowledged_by": row.acknowledged_by,
        "silenced_until_ms": row.silenced_until_ms,
    }
