"""What people ask of a collector at the command line about what fires: to know of it, to keep quiet about it or not."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from memfleet.client import Client
from memfleet.spans import seconds
from memfleet.tables import clock
from telemetry.clock import wall_ms
from telemetry.errors import UsageError

SpanOption = Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 3d.")]


def answered(one: Mapping[str, Any]) -> str:
    """What people did about an alert or incident that is open, in a word or two; "" where nobody did anything."""
    if one["acknowledged_ms"]:
        return "acknowledged"
    until_ms = one["silenced_until_ms"]
    return f"silenced until {clock(until_ms)}" if until_ms > wall_ms() else ""


def acknowledge(client: Client, key: str) -> None:
    """Say that whoever calls has seen it, and print that this was said."""
    client.post("alerts/acknowledge", {"key": key, "by": getpass.getuser()})
    print(f"acknowledged {key}")  # noqa: T201 - the command's answer


def silence(client: Client, pattern: str, span: str) -> None:
    """Keep quiet about the keys that match, from now on for that span; print until when."""
    if not span.strip()[-1:].isalpha():
        raise UsageError(f"--for {span}: seconds, minutes, hours? write 30m, 2h or 3d")
    until_ms = wall_ms() + int(seconds(span) * 1000)
    if until_ms <= wall_ms():
        raise UsageError(f"--for {span}: a silence that is over at once keeps nothing quiet; write 30m, 2h or 3d")
    client.post("silences", {"pattern": pattern, "until_ms": until_ms, "by": getpass.getuser()})
    print(f"silenced {pattern} until {clock(until_ms)}")  # noqa: T201 - the command's answer


def unsilence(client: Client, pattern: str) -> None:
    """End the silence of that very pattern before its time."""
    client.post("silences/end", {"pattern": pattern, "by": getpass.getuser()})
    print(f"no longer silenced: {pattern}")  # noqa: T201 - the command's answer
