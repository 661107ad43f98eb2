"""The two clocks. Everything else takes the time as an argument or one of these functions as a parameter."""

from __future__ import annotations

import time


def wall_ms() -> int:
    """Milliseconds since 1970: for stamps, never for spans."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Milliseconds of a clock that no one sets: for spans, time-outs and retries."""
    return time.monotonic_ns() // 1_000_000
