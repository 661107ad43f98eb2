"""What all routes share: how an answer is written, who asks, the stretch of time that is asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import HTTPException, Query, Request, Response
from pydantic import Field

from telemetry.clock import stamp
from telemetry.errors import UsageError

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

MOST = 2**53
"""Times and numbers of rows are below it, as JSON's are; what is larger has no place in a file of ours."""

Moment = Annotated[int | None, Query(ge=0, le=MOST)]
Limit = Annotated[int, Query(ge=1, le=10_000)]
By = Annotated[str, Field(max_length=200)]
Level = Literal["", "error", "warning", "info", "debug"]
State = Literal["critical", "warning", "silent", "ok"]
"""Of a device, the worst first."""


class Hour:
    """From `start` to `end`; by default the hour that ends now."""

    LENGTH_MS = HOUR_MS

    def __init__(self, start: Moment = None, end: Moment = None) -> None:
        self._start, self._end = start, end

    def resolve(self, now_ms: int) -> tuple[int, int]:
        """Both ends; UsageError when they are the wrong way round."""
        end = now_ms if self._end is None else self._end
        start = end - self.LENGTH_MS if self._start is None else self._start
        if start > end:
            raise UsageError(f"start {stamp(start)} is after end {stamp(end)}")
        return start, end


class Day(Hour):
    """From `start` to `end`; by default the day that ends now."""

    LENGTH_MS = DAY_MS


class Fortnight(Hour):
    """From `start` to `end`; by default the 14 days that end now."""

    LENGTH_MS = 14 * DAY_MS


def devices_asked(db: sqlite3.Connection, names: Sequence[str] | None) -> list[str]:
    """The devices named, or all; 404 where nobody has heard of one: nothing found would pass for nothing wrong."""
    known = [name for (name,) in db.execute("SELECT device FROM devices ORDER BY device")]
    if unknown := sorted(set(names or ()) - set(known)):
        raise HTTPException(404, f"no device named {unknown[0][:80]!r} has reported")
    return list(names or known)


def json_answer(content: Any, status: int = 200) -> Response:
    """The answer with this content: rows as msgspec writes them, many times faster than through their schema."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def caller(request: Request) -> str:
    """Who asks, for the record."""
    return request.client.host if request.client else ""
