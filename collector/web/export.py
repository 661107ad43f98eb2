"""GET /export: readings as lines of JSON, made while they are sent, on a connection of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from collector.series.export import export_lines
from collector.series.reader import open_reader
from collector.web.services import Services
from telemetry.errors import UsageError
from telemetry.readings import KINDS

_CHUNK_LINES = 500
_DAY_MS = 86_400_000


def add_export(api: APIRouter, services: Services) -> None:
    """Serve it."""

    @api.get("/export")
    def export(
        start: int | None = None,
        end: int | None = None,
        device: Annotated[list[str] | None, Query()] = None,
        kind: Annotated[list[str] | None, Query()] = None,
        format: Literal["ndjson"] = "ndjson",  # noqa: A002 - the name in the address
    ) -> StreamingResponse:
        """Readings from `start` to `end` (by default the last day), one a line; of all devices and kinds, or these."""
        end_ms = services.now_ms() if end is None else end
        start_ms = end_ms - _DAY_MS if start is None else start
        if start_ms > end_ms:
            raise UsageError(f"start {start_ms} is after end {end_ms}")
        for each in kind or ():
            if each not in KINDS:
                raise UsageError(f"kind: {each[:80]!r} is none of {', '.join(KINDS)}")
        open_reader(services.series.path).close()  # what cannot be read is said now: later there is no status to say it
        chunks = _chunks(services, (start_ms, end_ms), device or [], kind or [])
        return StreamingResponse(chunks, media_type=f"application/x-{format}")


def _chunks(services: Services, span_ms: tuple[int, int], devices: list[str], kinds: list[str]) -> Iterator[bytes]:
    with closing(open_reader(services.series.path)) as db:
        chunk: list[bytes] = []
        for line in export_lines(db, span_ms, devices, kinds):
            chunk.append(line)
            if len(chunk) == _CHUNK_LINES:
                yield b"\n".join(chunk) + b"\n"
                chunk = []
        if chunk:
            yield b"\n".join(chunk) + b"\n"
