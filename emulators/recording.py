"""A fleet's readings in virtual time: weeks in minutes, for files, stores and backtests. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emulators.fleet import Fleet
from telemetry.ndjson import encode
from telemetry.readings import About, Reading

STEP_MS = 60_000


def lived(fleet: Fleet, start_ms: int, span_ms: int) -> Iterator[About | Reading]:
    """Everything that the fleet reports from its power-on at `start_ms` (milliseconds since 1970) for `span_ms`, in the
    order in which it arrives. The fleet must not have had power yet."""
    end_ms = start_ms + span_ms
    now_ms = start_ms
    yield from fleet.advance(now_ms)
    while now_ms < end_ms:
        now_ms = min(now_ms + STEP_MS, end_ms)
        yield from fleet.advance(now_ms)


def lines(items: Iterable[About | Reading]) -> Iterator[bytes]:
    """The readings as lines of JSON, as telemetry/ndjson.py says."""
    about: dict[str, About] = {}
    for item in items:
        if isinstance(item, About):
            about[item.device] = item
        else:
            yield encode(item, about[item.device]) + b"\n"
