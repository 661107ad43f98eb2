"""The routes about what happened: alerts, log lines, events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from collector.series import reader
from collector.series.lines import Asked, lines
from collector.web import answers
from collector.web.answering import Day, Hour, Level, Limit, json_answer
from collector.web.services import Services


def add_history(api: APIRouter, services: Services) -> None:
    """Serve them."""

    @api.get("/alerts", response_model=answers.Alerts)
    async def alerts(active: bool = True, device: str | None = None, limit: Limit = 1_000) -> Response:
        """Alerts, the worst open ones first: the open ones, or with `active=false` all."""
        found = await services.series.ask(reader.alerts, active_only=active, device=device, limit=limit)
        return json_answer({"alerts": found})

    @api.get("/logs", response_model=answers.Logs)
    async def logs(device: str, span: Annotated[Hour, Depends()], limit: Limit = 200) -> Response:
        """A device's log lines of that time: the newest, in order."""
        start, end = span.resolve(services.now_ms())
        return json_answer({"logs": await services.series.ask(reader.logs, device, start, end, limit)})

    @api.get("/events", response_model=answers.Events)
    async def events(device: str, span: Annotated[Hour, Depends()], limit: Limit = 200) -> Response:
        """A device's events of that time: the newest, in order."""
        start, end = span.resolve(services.now_ms())
        return json_answer({"events": await services.series.ask(reader.events, device, start, end, limit)})

    @api.get("/lines", response_model=answers.Lines)
    async def everything(
        span: Annotated[Day, Depends()],
        device: str | None = None,
        level: Level = "",
        text: str = "",
        limit: Limit = 500,
    ) -> Response:
        """Log lines and events of the fleet or of one device: the newest that hold every word of `text`, in order.

        `level`: at least so bad; events have none and are left in. By default of the last day.
        """
        start, end = span.resolve(services.now_ms())
        found = await services.slow_series.ask(lines, Asked(start, end, device, level, text, limit))
        return json_answer({"lines": found})
