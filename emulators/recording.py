"""A fleet's readings in virtual time, as lines of JSON: weeks in minutes, for files and backtests. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from emulators.fleet import Fleet
from telemetry.ndjson import encode
from telemetry.readings import About

STEP_MS = 60_000


def lines(fleet: Fleet, start_ms: int, span_ms: int) -> Iterator[bytes]:
    """Every reading of the fleet from its power-on at `start_ms` (milliseconds since 1970) for `span_ms`, one a line
    (telemetry/ndjson.py says how), in the order in which they arrive. The fleet must not have had power yet."""
    about: dict[str, About] = {}
    end_ms = start_ms + span_ms
    now_ms = start_ms
    while True:
        for item in fleet.advance(now_ms):
            if isinstance(item, About):
                about[item.device] = item
            else:
                yield encode(item, about[item.device]) + b"\n"
        if now_ms == end_ms:
            return
        now_ms = min(now_ms + STEP_MS, end_ms)
