"""The routes about incidents; acknowledging and silencing them is done where it is for alerts, by their key."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, Response

from collector.series import incidents as stored
from collector.web.services import Services


def add_incidents(api: APIRouter, services: Services) -> None:
    """Serve them."""

    @api.get("/incidents")
    async def incidents(active: bool = True, limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000) -> Response:
        """Incidents, the worst open ones first: the open ones, or with `active=false` all."""
        found = await services.series.ask(stored.incidents, active, limit)
        return _json({"incidents": [_flat(row) for row in found]})

    @api.get("/incident")
    async def incident(key: Annotated[str, Query(max_length=1_000)]) -> Response:
        """One incident with the alerts that belong to it."""
        row = await services.series.ask(stored.incident, key)
        if row is None:
            raise HTTPException(404, f"there is no incident {key[:200]!r}")
        return _json(_flat(row) | {"members": await services.series.ask(stored.members, key)})


def _flat(row: stored.IncidentRow) -> dict[str, Any]:
    return msgspec.structs.asdict(row.incident) | {
        "lasted_ms": row.incident.at_ms - row.incident.since_ms,
        "acknowledged_ms": row.acknowledged_ms,
        "acknowledged_by": row.acknowledged_by,
        "silenced_until_ms": row.silenced_until_ms,
    }


def _json(content: Any) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
