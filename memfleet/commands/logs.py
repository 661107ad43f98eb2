"""`memfleet logs`: what a device printed."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.capture import captured_devices, read_capture
from agent.capture.segment import stamp
from agent.consoles.transport import plain
from memfleet.options import DEFAULT_URL, JsonOption, TokenOption, UrlOption
from memfleet.spans import seconds
from memfleet.tables import moment_ms
from telemetry.clock import wall_ms
from telemetry.errors import UsageError

MOST_LINES = 10_000
"""Lines that the collector is asked for."""

Line = tuple[int, str]


def command(
    device: Annotated[str, typer.Argument(help="Name of the device.")],
    data: Annotated[
        Path | None, typer.Option(help="The agent's data folder: read the whole log that is kept there.")
    ] = None,
    around: Annotated[str | None, typer.Option(help="A time: the lines before and after it.")] = None,
    span: Annotated[str, typer.Option(help="How far around it, to either side.")] = "60s",
    since: Annotated[str | None, typer.Option(help="From that time on, or for so long: 10m, 2h.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to that time.")] = None,
    grep: Annotated[str | None, typer.Option(help="Only lines in which this regular expression is found.")] = None,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a device printed.

    On the gateway, --data reads the whole log as it was received. Elsewhere the collector is asked: it has the
    warnings and the lines around incidents. Times are shown in UTC; one that is given without a zone is local.

    [bold]Example:[/bold] memfleet logs bench-7 --data /var/lib/memfleet-agent --around 2026-11-20T22:14:18Z
    """
    start_ms, end_ms = _range(around, span, since, until)
    wanted = _expression(grep)
    found = _kept(data, device, start_ms, end_ms) if data else _asked(url, token_file, device, (start_ms, end_ms))
    lines = (line for line in found if wanted is None or wanted.search(line[1]))
    count = 0
    for time_ms, text in lines:
        shown = json.dumps({"time_ms": time_ms, "text": text}, ensure_ascii=False) if as_json else _shown(time_ms, text)
        sys.stdout.write(shown + "\n")
        count += 1
    if not count and not as_json:
        sys.stderr.write("No line of that time; --since and --around choose another.\n")


def _range(around: str | None, span: str, since: str | None, until: str | None) -> tuple[int, int]:
    now = wall_ms()
    if around is not None:
        if since is not None or until is not None:
            raise UsageError("--around goes without --since and --until; --span says how far around")
        middle, reach = moment_ms(around, now), round(seconds(span) * 1000)
        return middle - reach, middle + reach
    return moment_ms(since, now) if since else 0, moment_ms(until, now) if until else now


def _expression(grep: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(grep) if grep is not None else None
    except re.error as error:
        raise UsageError(f"--grep {grep!r} is no regular expression: {error}") from None


def _kept(data: Path, device: str, start_ms: int, end_ms: int) -> Iterator[Line]:
    """From the capture on this machine."""
    directory = data / "capture"
    devices = captured_devices(directory)
    if device not in devices:
        known = ", ".join(devices) if devices else "none"
        raise UsageError(f"{directory} holds no log of {device}; it has {known}")
    for entry in read_capture(directory / device, start_ms, end_ms):
        yield entry.time_ms, entry.data.decode("utf-8", "replace")


def _asked(url: str, token_file: Path | None, device: str, when: tuple[int, int]) -> Iterator[Line]:
    """From the collector."""
    from memfleet.client import Client  # the gateway needs no HTTP

    answer: dict[str, Any] = Client(url, token_file, os.environ).get(
        "logs", device=device, start=when[0], end=when[1], limit=MOST_LINES
    )
    for line in answer["logs"]:
        head = f"{line['level']} {line['module']}: " if line["module"] else f"{line['level']} " if line["level"] else ""
        yield line["time_ms"], head + line["text"]


def _shown(time_ms: int, text: str) -> str:
    return f"{stamp(time_ms).decode()} {plain(text)}"  # a terminal must not obey what a board printed
