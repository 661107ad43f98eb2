"""The HTTP API, JSON under /api/v1. Page, commands and programs of others read the fleet here and act on it.

Times are milliseconds since 1970, sizes bytes. A fault is answered with {"error": one sentence}: 400 wrong request,
401 no token, 403 not allowed, 404 no such thing, 503 not there yet.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from collector.series import reader
from collector.series.rows import DeviceRow
from collector.web.compare import add_compare
from collector.web.export import add_export
from collector.web.gateways import add_gateways
from collector.web.incidents import add_incidents
from collector.web.quarantine import quarantined, quarantined_body
from collector.web.report import add_report
from collector.web.services import Services
from telemetry.errors import UsageError
from telemetry.readings import KINDS

HOUR_MS = 3_600_000

Limit = Annotated[int, Query(ge=1, le=10_000)]
Ids = Annotated[list[int], Field(min_length=1, max_length=10_000)]
Key = Annotated[str, Field(min_length=1, max_length=1_000)]


class Acknowledgement(BaseModel):
    """Somebody has seen the finding of that key."""

    key: Key
    by: str = ""


class Silence(BaseModel):
    """Keep quiet about findings whose keys match `pattern` until `until_ms`."""

    pattern: Key
    until_ms: int
    by: str = ""


class Bodies(BaseModel):
    """Quarantined bodies."""

    ids: Ids
    by: str = ""


class Range(BaseModel):
    """From `start` to `end`; by default the hour that ends now."""

    start: int | None = None
    end: int | None = None

    def resolve(self, now_ms: int) -> tuple[int, int]:
        """Both ends; UsageError when they are the wrong way round."""
        end = now_ms if self.end is None else self.end
        start = end - HOUR_MS if self.start is None else self.start
        if start > end:
            raise UsageError(f"start {start} is after end {end}")
        return start, end


def build_api(services: Services) -> APIRouter:
    """All routes under /api/v1."""
    api = APIRouter(prefix="/api/v1")
    _device_routes(api, services)
    _record_routes(api, services)
    _quarantine_routes(api, services)
    _action_routes(api, services)
    add_export(api, services)
    add_gateways(api, services)
    add_incidents(api, services)
    add_compare(api, services)
    add_report(api, services)

    @api.get("/status")
    async def status() -> Response:
        """Each process of the collector: counters, journal depth, lag; and what keeps it from its work."""
        found, reasons = await services.health.look()
        return _json({"fleet": services.config.fleet, "ready": not reasons, "reasons": reasons, "processes": found})

    @api.get("/{path:path}", include_in_schema=False)
    async def nothing(path: str) -> Response:
        raise HTTPException(404, f"the API has no /api/v1/{path[:80]}")

    return api


def _device_routes(api: APIRouter, services: Services) -> None:
    @api.get("/devices")
    async def devices(
        text: str = "",
        state: Annotated[list[str] | None, Query()] = None,
        platform: str = "",
        limit: Limit = 1_000,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> Response:
        """Devices, worst first: those that hold every word of `text`, in one of the states, of the platform."""
        fleet = await services.fleet.look()
        found = fleet.select(text, state or (), platform)
        return _json({"devices": found[offset : offset + limit], "total": len(found), "states": fleet.counts()})

    @api.get("/devices/{device}")
    async def device(device: str) -> Response:
        """One device, with its open alerts."""
        row = await _device(services, device)
        alerts = await services.series.ask(reader.alerts, active_only=True, device=device, limit=1_000)
        return _json(msgspec.to_builtins(row) | {"open_alerts": alerts})

    @api.get("/devices/{device}/series")
    async def series(device: str) -> Response:
        """What is read of a device, each with its last values."""
        await _device(services, device)
        return _json({"series": await services.series.ask(reader.series_of, device)})

    @api.get("/points")
    async def points(
        device: str,
        kind: str,
        when: Annotated[Range, Query()],
        name: Annotated[list[str] | None, Query()] = None,
        max_points: Annotated[int, Query(ge=2, le=100_000)] = 1_000,
    ) -> Response:
        """One series as columns; thinned to `max_points`, keeping the least and the most."""
        _known_kind(kind, name or [])
        start, end = when.resolve(services.now_ms())
        return _json(await services.series.ask(reader.points, device, kind, tuple(name or ()), start, end, max_points))


def _record_routes(api: APIRouter, services: Services) -> None:
    @api.get("/alerts")
    async def alerts(active: bool = True, device: str | None = None, limit: Limit = 1_000) -> Response:
        """Alerts, the worst open ones first: the open ones, or with `active=false` all."""
        return _json(
            {"alerts": await services.series.ask(reader.alerts, active_only=active, device=device, limit=limit)}
        )

    @api.get("/logs")
    async def logs(device: str, when: Annotated[Range, Query()], limit: Limit = 200) -> Response:
        """A device's log lines of that time: the newest, in order."""
        start, end = when.resolve(services.now_ms())
        return _json({"logs": await services.series.ask(reader.logs, device, start, end, limit)})

    @api.get("/events")
    async def events(device: str, when: Annotated[Range, Query()], limit: Limit = 200) -> Response:
        """A device's events of that time: the newest, in order."""
        start, end = when.resolve(services.now_ms())
        return _json({"events": await services.series.ask(reader.events, device, start, end, limit)})


def _quarantine_routes(api: APIRouter, services: Services) -> None:
    @api.get("/quarantine")
    async def quarantine(agent: str = "", reason: str = "", limit: Limit = 100) -> Response:
        """What intake refused, newest first."""
        return _json({"quarantine": await services.quarantine.ask(quarantined, limit, agent, reason)})

    @api.get("/quarantine/{id}/body")
    async def body(id: int) -> Response:  # noqa: A002 - the name in the address
        """The very bytes that were refused."""
        found = await services.quarantine.ask(quarantined_body, id)
        if found is None:
            raise HTTPException(404, f"nothing in quarantine has the number {id}")
        return Response(found, media_type="application/octet-stream")

    @api.post("/quarantine/retry", status_code=202)
    async def retry(bodies: Bodies, request: Request) -> Response:
        """Take refused bodies in again."""
        services.desk.retry_quarantine(bodies.ids, bodies.by or _caller(request))
        return _json({"accepted": len(bodies.ids)}, 202)

    @api.post("/quarantine/purge", status_code=202)
    async def purge(bodies: Bodies, request: Request) -> Response:
        """Throw refused bodies away."""
        services.desk.purge_quarantine(bodies.ids, bodies.by or _caller(request))
        return _json({"accepted": len(bodies.ids)}, 202)


def _action_routes(api: APIRouter, services: Services) -> None:
    @api.post("/alerts/acknowledge", status_code=202)
    async def acknowledge(seen: Acknowledgement, request: Request) -> Response:
        """Mark an alert as seen: it stays open and stops to page."""
        services.desk.acknowledge(seen.key, seen.by or _caller(request))
        return _json({"accepted": seen.key}, 202)

    @api.post("/silences", status_code=202)
    async def silence(silence: Silence, request: Request) -> Response:
        """Keep quiet about some findings for a while."""
        services.desk.silence(silence.pattern, silence.until_ms, silence.by or _caller(request))
        return _json({"accepted": silence.pattern}, 202)


async def _device(services: Services, name: str) -> DeviceRow:
    row = await services.fleet.device(name)
    if row is None:
        raise HTTPException(404, f"no device named {name[:80]!r} has reported")
    return row


def _known_kind(kind: str, names: list[str]) -> None:
    if kind not in KINDS:
        raise UsageError(f"kind: {kind[:80]!r} is none of {', '.join(KINDS)}")
    tags = KINDS[kind].tags
    if len(names) != len(tags):
        wanted = " and ".join(f"the {tag}" for tag in tags) or "none"
        raise UsageError(f"name: {kind} takes {len(tags)} ({wanted}), {len(names)} given")


def _caller(request: Request) -> str:
    return request.client.host if request.client else ""


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
