"""The routes about agents, holes, and what people say of devices: list, retire, move."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from collector.intake.inventory import OWN_TEXTS
from collector.series import gateways
from collector.web import answers
from collector.web.agents import agents_of
from collector.web.answering import By, Day, Limit, caller, devices_asked, json_answer
from collector.web.desk import Listing
from collector.web.services import Services
from telemetry.errors import UsageError
from telemetry.readings import RESERVED
from telemetry.topics import is_name, require_name

_LABEL = re.compile(r"[a-z][a-z0-9_]{0,31}").fullmatch
_MOST_TEXT = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]").search


class Listed(BaseModel):
    """A device as the inventory knows it; `agent` empty: whichever speaks first."""

    device: str
    agent: str = ""
    labels: dict[str, str] = {}


class Import(BaseModel):
    """Devices of the inventory; the labels replace those that they had."""

    devices: Annotated[list[Listed], Field(min_length=1, max_length=100_000)]
    by: By = ""


class Retirement(BaseModel):
    """A device is out of service."""

    device: str
    by: By = ""


class Move(BaseModel):
    """Another agent speaks for a device from now on."""

    device: str
    agent: str
    by: By = ""


def add_gateways(api: APIRouter, services: Services) -> None:
    """Serve them."""

    @api.get("/agents", response_model=answers.Agents)
    async def agents() -> Response:
        """Agents: connected or not, version, devices, outbox, disk, clock, ports."""
        return json_answer({"agents": await agents_of(services)})

    @api.get("/holes", response_model=answers.Holes)
    async def holes(span: Annotated[Day, Depends()], device: str | None = None, limit: Limit = 1_000) -> Response:
        """Stretches without readings that touch the time from start to end (the last 24 hours), newest first."""
        now_ms = services.now_ms()
        silent_since_ms = now_ms - services.config.silent_after_s * 1000
        found = await services.series.ask(gateways.holes, span.resolve(now_ms), silent_since_ms, device, limit)
        return json_answer({"holes": found})

    @api.post("/devices/import", status_code=202, response_model=answers.Accepted)
    async def enlist(wanted: Import, request: Request) -> Response:
        """List devices with labels and, if known, the agent that speaks for each."""
        faults = [fault for one in wanted.devices for fault in _faults(one)]
        if faults:
            raise UsageError("; ".join(faults[:20]))
        listings = [Listing(one.device, one.agent, one.labels) for one in wanted.devices]
        services.desk.enlist(listings, wanted.by or caller(request))
        return json_answer({"accepted": len(listings)}, 202)

    @api.post("/devices/retire", status_code=202, response_model=answers.Accepted)
    async def retire(wanted: Retirement, request: Request) -> Response:
        """Take a device out of service: it is no longer listed or judged, until it speaks again."""
        (device,) = await services.series.ask(devices_asked, [require_name(wanted.device, "device")])
        services.desk.retire(device, wanted.by or caller(request))
        return json_answer({"accepted": wanted.device}, 202)

    @api.post("/devices/move", status_code=202, response_model=answers.Accepted)
    async def move(wanted: Move, request: Request) -> Response:
        """Let another agent speak for a device."""
        agent = require_name(wanted.agent, "agent")
        (device,) = await services.series.ask(devices_asked, [require_name(wanted.device, "device")])
        services.desk.move(device, agent, wanted.by or caller(request))
        return json_answer({"accepted": wanted.device}, 202)


def _faults(one: Listed) -> list[str]:
    faults = []
    if not is_name(one.device):
        faults.append(f"{one.device!r:.80} cannot name a device: letters, digits, '_', '.', '-', at most 64")
    if one.agent and not is_name(one.agent):
        faults.append(f"{one.device}: {one.agent!r:.80} cannot name an agent")
    for label, text in one.labels.items():
        if not _LABEL(label) or label in OWN_TEXTS or label in RESERVED:
            faults.append(
                f"{one.device}: {label!r:.80} cannot name a label: a-z, 0-9, '_', and no name of memfleet's own"
            )
        elif len(text) > _MOST_TEXT or _CONTROL(text):
            faults.append(f"{one.device}: {label}: at most {_MOST_TEXT} characters, no control characters")
    return faults
