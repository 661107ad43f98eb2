"""GET /export: readings as lines, made while they are sent, on a connection of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from collector.series.export import export
from collector.series.reader import open_reader
from collector.web.answering import Day, devices_asked
from collector.web.formats import Form, form_of
from collector.web.services import Services
from telemetry.errors import UsageError
from telemetry.readings import KINDS

_CHUNK_LINES = 500
_MEDIA = {"ndjson": "application/x-ndjson", "csv": "text/csv", "line": "text/plain"}
_TEXT: Any = {200: {"content": {media: {"schema": {"type": "string"}} for media in _MEDIA.values()}}}


def add_export(api: APIRouter, services: Services) -> None:
    """Serve it."""

    @api.get("/export", response_class=Response, responses=_TEXT)
    def readings(
        span: Annotated[Day, Depends()],
        device: Annotated[list[str] | None, Query()] = None,
        kind: Annotated[list[str] | None, Query()] = None,
        format: Literal["ndjson", "csv", "line"] = "ndjson",  # noqa: A002 - the name in the address
    ) -> StreamingResponse:
        """Readings from `start` to `end` (by default the last day), one a line; of all devices and kinds, or these.

        ndjson: lines of JSON; csv: of one kind; line: InfluxDB's line protocol, times in milliseconds.
        """
        kinds = kind or []
        for each in kinds:
            if each not in KINDS:
                raise UsageError(f"kind: {each[:80]!r} is none of {', '.join(KINDS)}")
        form = form_of(format, kinds, services.config.fleet)
        if form is None:
            raise UsageError(f"kind: csv has the columns of one kind; name one of {', '.join(KINDS)}")
        with closing(open_reader(services.series.path)) as db:  # said now: later there is no status to say it
            devices_asked(db, device)
        chunks = _chunks(services, span.resolve(services.now_ms()), device or [], kinds, form)
        return StreamingResponse(chunks, media_type=_MEDIA[format])


def _chunks(
    services: Services, span_ms: tuple[int, int], devices: list[str], kinds: list[str], form: Form
) -> Iterator[bytes]:
    with closing(open_reader(services.series.path)) as db:
        chunk: list[bytes] = []
        for line in form(export(db, span_ms, devices, kinds)):
            chunk.append(line)
            if len(chunk) == _CHUNK_LINES:
                yield b"\n".join(chunk) + b"\n"
                chunk = []
        if chunk:
            yield b"\n".join(chunk) + b"\n"
