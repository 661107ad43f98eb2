"""The routes about the quarantine: what intake refused, taking it in again, throwing it away."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request, Response
from pydantic import BaseModel, Field

from collector.web import answers
from collector.web.answering import MOST, By, Limit, caller, json_answer
from collector.web.quarantine import in_quarantine, quarantined, quarantined_body
from collector.web.services import Services

_BYTES: Any = {200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}


class Bodies(BaseModel):
    """Quarantined bodies."""

    ids: Annotated[list[Annotated[int, Field(ge=0, le=MOST)]], Field(min_length=1, max_length=10_000)]
    by: By = ""


def add_quarantine(api: APIRouter, services: Services) -> None:
    """Serve them."""

    async def there(bodies: Bodies) -> list[int]:
        """Those that are there: some may have been retried, purged or evicted meanwhile."""
        found = await services.quarantine.ask(in_quarantine, bodies.ids)
        if not found:
            raise HTTPException(404, f"nothing in quarantine has the number {bodies.ids[0]}")
        return found

    @api.get("/quarantine", response_model=answers.Quarantine)
    async def quarantine(agent: str = "", reason: str = "", limit: Limit = 100) -> Response:
        """What intake refused, newest first."""
        return json_answer({"quarantine": await services.quarantine.ask(quarantined, limit, agent, reason)})

    @api.get("/quarantine/{id}/body", response_class=Response, responses=_BYTES)
    async def body(id: Annotated[int, Path(ge=0, le=MOST)]) -> Response:  # noqa: A002 - the name in the address
        """The very bytes that were refused."""
        found = await services.quarantine.ask(quarantined_body, id)
        if found is None:
            raise HTTPException(404, f"nothing in quarantine has the number {id}")
        return Response(found, media_type="application/octet-stream")

    @api.post("/quarantine/retry", status_code=202, response_model=answers.Accepted)
    async def retry(bodies: Bodies, request: Request) -> Response:
        """Take refused bodies in again; how many of them are there."""
        ids = await there(bodies)
        services.desk.retry_quarantine(ids, bodies.by or caller(request))
        return json_answer({"accepted": len(ids)}, 202)

    @api.post("/quarantine/purge", status_code=202, response_model=answers.Accepted)
    async def purge(bodies: Bodies, request: Request) -> Response:
        """Throw refused bodies away; how many of them are there."""
        ids = await there(bodies)
        services.desk.purge_quarantine(ids, bodies.by or caller(request))
        return json_answer({"accepted": len(ids)}, 202)
