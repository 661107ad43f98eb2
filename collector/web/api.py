"""The HTTP API, JSON under /api/v1. Page, commands and programs of others read the fleet here and act on it.

Times are milliseconds since 1970, sizes bytes. A fault is answered with {"error": one sentence}: 400 wrong request,
401 no token, 403 not allowed, 404 no such thing, 405 not asked so, 503 not there yet.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match

from collector.series import reader, runs
from collector.series.rows import DeviceRow, Points
from collector.web import answers
from collector.web.acting import add_acting
from collector.web.answering import Day, Hour, Limit, State, json_answer
from collector.web.compare import add_compare
from collector.web.export import add_export
from collector.web.fleet import ORDERS
from collector.web.gateways import add_gateways
from collector.web.history import add_history
from collector.web.incidents import add_incidents
from collector.web.refused import add_quarantine
from collector.web.report import add_report
from collector.web.services import Services
from telemetry.errors import UsageError
from telemetry.readings import KINDS

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def build_api(services: Services) -> APIRouter:
    """All routes under /api/v1."""
    api = APIRouter(prefix="/api/v1", responses={"4XX": {"model": answers.Fault}, "5XX": {"model": answers.Fault}})
    _add_devices(api, services)
    for add in (
        add_history, add_incidents, add_compare, add_report, add_export, add_gateways, add_quarantine, add_acting,
    ):  # fmt: skip
        add(api, services)

    @api.get("/status", response_model=answers.Status)
    async def status() -> Response:
        """Each process of the collector: counters, journal depth, lag; and what keeps it from its work."""
        found, reasons = await services.health.look()
        return json_answer(
            {"fleet": services.config.fleet, "ready": not reasons, "reasons": reasons, "processes": found}
        )

    _add_nothing(api)
    return api


def _add_nothing(api: APIRouter) -> None:
    """What is asked and is not there. Without it the page, which stands behind the API, would answer."""
    routes = [route for route in api.routes if isinstance(route, APIRoute)]

    @api.api_route("/{path:path}", methods=_METHODS, include_in_schema=False)
    async def nothing(request: Request, path: str) -> Response:
        known = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
        ways = sorted({method for route in known for method in route.methods or ()})
        if not ways:
            raise HTTPException(404, f"the API has no /api/v1/{path[:80]}")
        allowed = ", ".join(ways)
        raise HTTPException(
            405, f"/api/v1/{path[:80]} is asked with {allowed}, not {request.method}", {"Allow": allowed}
        )


def _add_devices(api: APIRouter, services: Services) -> None:
    @api.get("/devices", response_model=answers.Devices)
    async def devices(
        text: str = "",
        state: Annotated[list[State] | None, Query()] = None,
        platform: str = "",
        order: Annotated[str, Query(pattern=f"^-?({'|'.join(ORDERS)})$")] = "worst",
        limit: Limit = 1_000,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> Response:
        """Devices: those that hold every word of `text`, in one of the states, of the platform.

        In the order of the worst, or another; with a `-` before it the other way round.
        """
        fleet = await services.fleet.look()
        found = fleet.select(text, state or (), platform, order)
        return json_answer({"devices": found[offset : offset + limit], "total": len(found), "states": fleet.counts()})

    @api.get("/devices/{device}", response_model=answers.Device)
    async def device(device: str) -> Response:
        """One device, with its open alerts."""
        row = await _device(services, device)
        alerts = await services.series.ask(reader.alerts, active_only=True, device=device, limit=1_000)
        return json_answer(msgspec.to_builtins(row) | {"open_alerts": alerts})

    @api.get("/devices/{device}/series", response_model=answers.Series)
    async def series(device: str) -> Response:
        """What is read of a device, each with its last values."""
        await _device(services, device)
        return json_answer({"series": await services.series.ask(reader.series_of, device)})

    @api.get("/devices/{device}/boots", response_model=answers.Runs)
    async def boots(device: str, span: Annotated[Day, Depends()]) -> Response:
        """The boots of a device that were seen in that time (by default the last day), in order."""
        await _device(services, device)
        found = await services.series.ask(runs.runs, device, span.resolve(services.now_ms()))
        return json_answer({"boots": found})

    @api.get("/points", response_model=Points)
    async def points(
        device: str,
        kind: str,
        span: Annotated[Hour, Depends()],
        name: Annotated[list[str] | None, Query()] = None,
        max_points: Annotated[int, Query(ge=2, le=100_000)] = 1_000,
    ) -> Response:
        """One series as columns; thinned to `max_points`, keeping the least and the most."""
        if fault := _fault_of_names(kind, name or []):
            known = await services.series.ask(reader.series_of, device)
            there = [" ".join(map(repr, row.names)) for row in known if row.kind == kind and row.names]
            raise UsageError(f"{fault}; {device[:80]} has {', '.join(there)}" if there else fault)
        start, end = span.resolve(services.now_ms())
        found = await services.series.ask(reader.points, device, kind, tuple(name or ()), start, end, max_points)
        return json_answer(found)


async def _device(services: Services, name: str) -> DeviceRow:
    row = await services.fleet.device(name)
    if row is None:
        raise HTTPException(404, f"no device named {name[:80]!r} has reported")
    return row


def _fault_of_names(kind: str, names: list[str]) -> str:
    """What is wrong with so many names for a kind, if anything; UsageError when there is no such kind."""
    if kind not in KINDS:
        raise UsageError(f"kind: {kind[:80]!r} is none of {', '.join(KINDS)}")
    tags = KINDS[kind].tags
    if len(names) != len(tags):
        wanted = " and ".join(f"the {tag}" for tag in tags) or "none"
        return f"name: {kind} takes {len(tags)} ({wanted}), {len(names)} given"
    return ""
