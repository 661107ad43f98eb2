"""What all routes share: how an answer is written, who asks, the stretch of time that is asked for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import Query, Request, Response
from pydantic import BaseModel

from telemetry.errors import UsageError

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

Limit = Annotated[int, Query(ge=1, le=10_000)]
Level = Literal["", "error", "warning", "info", "debug"]


class Hour(BaseModel):
    """From `start` to `end`; by default the hour that ends now."""

    start: int | None = None
    end: int | None = None

    def resolve(self, now_ms: int) -> tuple[int, int]:
        """Both ends; UsageError when they are the wrong way round."""
        return _both(self.start, self.end, now_ms, HOUR_MS)


class Day(Hour):
    """From `start` to `end`; by default the day that ends now."""

    def resolve(self, now_ms: int) -> tuple[int, int]:
        """Both ends; UsageError when they are the wrong way round."""
        return _both(self.start, self.end, now_ms, DAY_MS)


class Fortnight(Hour):
    """From `start` to `end`; by default the 14 days that end now."""

    def resolve(self, now_ms: int) -> tuple[int, int]:
        """Both ends; UsageError when they are the wrong way round."""
        return _both(self.start, self.end, now_ms, 14 * DAY_MS)


def _both(start: int | None, end: int | None, now_ms: int, length_ms: int) -> tuple[int, int]:
    last = now_ms if end is None else end
    first = last - length_ms if start is None else start
    if first > last:
        raise UsageError(f"start {first} is after end {last}")
    return first, last


def json_answer(content: Any, status: int = 200) -> Response:
    """The answer with this content: rows as msgspec writes them, many times faster than through their schema."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def caller(request: Request) -> str:
    """Who asks, for the record."""
    return request.client.host if request.client else ""
