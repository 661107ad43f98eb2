"""The routes by which people act on alerts and incidents: acknowledge, silence. Both go by keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from collector.series import incidents, reader
from collector.web import answers
from collector.web.answering import MOST, By, caller, json_answer
from collector.web.services import Services

Key = Annotated[str, Field(min_length=1, max_length=1_000)]


class Acknowledgement(BaseModel):
    """Somebody has seen the alert or incident of that key."""

    key: Key
    by: By = ""


class Silence(BaseModel):
    """Keep quiet about what has a key that matches `pattern` until `until_ms`."""

    pattern: Key
    until_ms: Annotated[int, Field(ge=0, le=MOST)]
    by: By = ""


class Unsilence(BaseModel):
    """End the silence with that very pattern."""

    pattern: Key
    by: By = ""


def add_acting(api: APIRouter, services: Services) -> None:
    """Serve them."""

    @api.post("/alerts/acknowledge", status_code=202, response_model=answers.Accepted)
    async def acknowledge(seen: Acknowledgement, request: Request) -> Response:
        """Mark an alert or an incident as seen: it stays open, and nobody is told of it again."""
        if not await services.series.ask(incidents.is_known, seen.key):
            raise HTTPException(404, f"there is no incident and no alert {seen.key[:200]!r}")
        services.desk.acknowledge(seen.key, seen.by or caller(request))
        return json_answer({"accepted": seen.key}, 202)

    @api.get("/silences", response_model=answers.Silences)
    async def silences() -> Response:
        """The silences in force."""
        found = await services.series.ask(reader.silences, services.now_ms())
        return json_answer({"silences": [{"pattern": p, "until_ms": until, "by": by} for p, until, by in found]})

    @api.post("/silences", status_code=202, response_model=answers.Accepted)
    async def silence(silence: Silence, request: Request) -> Response:
        """Keep quiet about some alerts or incidents for a while."""
        services.desk.silence(silence.pattern, silence.until_ms, silence.by or caller(request))
        return json_answer({"accepted": silence.pattern}, 202)

    @api.post("/silences/end", status_code=202, response_model=answers.Accepted)
    async def unsilence(silence: Unsilence, request: Request) -> Response:
        """End a silence before its time."""
        in_force = [pattern for pattern, *_ in await services.series.ask(reader.silences, services.now_ms())]
        if silence.pattern not in in_force:
            there = f"there are {', '.join(in_force)}" if in_force else "there is none at all"
            raise HTTPException(404, f"no silence of {silence.pattern[:200]!r} is in force; {there[:800]}")
        services.desk.unsilence(silence.pattern, silence.by or caller(request))
        return json_answer({"accepted": silence.pattern}, 202)
