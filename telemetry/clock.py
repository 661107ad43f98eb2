"""The two clocks. Everything else takes the time as an argument or one of these functions as a parameter."""

from __future__ import annotations

import time
from datetime import UTC, datetime

SET_FROM_MS = 946_684_800_000
"""The beginning of 2000: no clock that was set says less."""


def wall_ms() -> int:
    """Milliseconds since 1970: for stamps, never for spans."""
    return time.time_ns() // 1_000_000


def stamp(time_ms: int) -> str:
    """A moment as people read it, UTC: `2026-11-20 12:00:00Z`; the bare number where there is no such year."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return str(time_ms)


def monotonic_ms() -> int:
    """Milliseconds of a clock that no one sets: for spans, time-outs and retries."""
    return time.monotonic_ns() // 1_000_000
