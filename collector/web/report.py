"""GET /report and /messages: what happened, and what people were told of it, or would have been in shadow mode."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from collector.notify.outbox import FILE, waiting
from collector.series.reader import open_reader
from collector.series.report import report
from collector.web import answers
from collector.web.answering import Fortnight, devices_asked, json_answer
from collector.web.services import Services
from telemetry.files import open_read_only

_MOST_MESSAGES = 1_000


def add_report(api: APIRouter, services: Services) -> None:
    """Serve them."""

    @api.get("/report", response_model=answers.Report)
    def lines(span: Annotated[Fortnight, Depends()], device: Annotated[list[str] | None, Query()] = None) -> Response:
        """A line for each thing of the devices named, or of all."""
        with closing(open_reader(services.series.path)) as db:
            return json_answer({"lines": report(db, devices_asked(db, device), span.resolve(services.now_ms()))})

    @api.get("/messages", response_model=answers.Messages)
    def messages(span: Annotated[Fortnight, Depends()]) -> Response:
        """Messages made in that time, newest first, with how each channel fared, and which channels wait by now."""
        path = services.directory / FILE
        if not path.exists():
            return json_answer({"messages": [], "waiting": []})
        with closing(open_read_only(path)) as db:
            found = _messages(db, span.resolve(services.now_ms()))
            return json_answer({"messages": found, "waiting": [one._asdict() for one in waiting(db)]})


def _messages(db: sqlite3.Connection, span_ms: tuple[int, int]) -> list[dict[str, Any]]:
    made = db.execute(
        "SELECT number, key, title, body, level, made_ms FROM messages WHERE made_ms BETWEEN ? AND ?"
        " ORDER BY number DESC LIMIT ?",
        (*span_ms, _MOST_MESSAGES),
    ).fetchall()
    channels: dict[int, dict[str, str]] = {}
    for number, channel, state in db.execute("SELECT message, channel, state FROM deliveries ORDER BY channel"):
        channels.setdefault(number, {})[channel] = state
    return [
        {"key": key, "title": title, "body": body, "level": level, "made_ms": made_ms, "channels": channels.get(n, {})}
        for n, key, title, body, level, made_ms in made
    ]
