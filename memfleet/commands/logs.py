"""`memfleet logs`: what a device printed."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from agent.capture import captured_devices, read_capture
from agent.capture.segment import stamp
from agent.consoles.transport import plain
from memfleet.options import DEFAULT_URL, JsonOption, TokenOption, UrlOption, agent_folder
from memfleet.spans import seconds
from memfleet.tables import moment_ms
from telemetry.clock import wall_ms
from telemetry.errors import UsageError

if TYPE_CHECKING:
    from memfleet.client import Client

MOST_LINES = 10_000
"""Lines that the collector is asked for."""


class Line(NamedTuple):
    """A line, when it was said and by which device."""

    time_ms: int
    device: str
    text: str


def command(
    device: Annotated[str, typer.Argument(help="Name of the device; not needed with the key of an incident.")] = "",
    data: Annotated[
        Path | None, typer.Option(help="Data folder of the agent, or of watch: read the whole log kept there.")
    ] = None,
    around: Annotated[
        str | None, typer.Option(help="A time, or the key of an incident: the lines before and after it.")
    ] = None,
    span: Annotated[str, typer.Option(help="How far around it, to either side.")] = "60s",
    since: Annotated[str | None, typer.Option(help="From that time on, or for so long: 10m, 2h.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to that time.")] = None,
    grep: Annotated[str | None, typer.Option(help="Only lines in which this regular expression is found.")] = None,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a device printed, or what all devices of an incident said when it began on each.

    On the gateway, --data reads the whole log as it was received. Elsewhere the collector is asked: it has the
    warnings and the lines around incidents. Times are shown in UTC; one that is given without a zone is local.

    [bold]Example:[/bold] memfleet logs bench-7 --data /var/lib/memfleet-agent --around 2026-11-20T22:14:18Z
    """
    if around is not None and (since is not None or until is not None):
        raise UsageError("--around goes without --since and --until; --span says how far around")
    wanted = _expression(grep)
    source = Source(url, token_file, data)
    incident = around if around is not None and "|" in around else None
    if incident is not None:
        found = source.around_incident(incident, device, round(seconds(span) * 1000))
    elif not device:
        raise UsageError("name a device, or an incident with --around KEY ('memfleet incidents' lists them)")
    else:
        found = source.between(device, *_range(around, span, since, until))
    lines = (line for line in found if wanted is None or wanted.search(line.text))
    if not _print(lines, incident is not None, as_json) and not as_json:
        source.must_know(device)
        sys.stderr.write("No line of that time; --since, --around and --span choose another.\n")


def _print(lines: Iterable[Line], name_device: bool, as_json: bool) -> int:
    """Write lines as they come; gives how many they were."""
    count = 0
    for line in lines:
        if as_json:
            shown = json.dumps(line._asdict(), ensure_ascii=False)
        else:
            text = plain(line.text)  # a terminal must not obey what a board printed
            shown = f"{stamp(line.time_ms).decode()} {f'{line.device} ' if name_device else ''}{text}"
        sys.stdout.write(shown + "\n")
        count += 1
    return count


def _range(around: str | None, span: str, since: str | None, until: str | None) -> tuple[int, int]:
    moment = partial(moment_ms, now_ms=wall_ms(), is_unset=True)  # a gateway's clock may not have been set
    if around is not None:
        middle, reach = moment(around), round(seconds(span) * 1000)
        return middle - reach, middle + reach
    return moment(since) if since else 0, moment(until or "now")


def _expression(grep: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(grep) if grep is not None else None
    except re.error as error:
        raise UsageError(f"--grep {grep!r} is no regular expression: {error}") from None


@dataclass(frozen=True, slots=True)
class Source:
    """Where lines are: in the capture in the folder `data`, else at the collector."""

    url: str
    token_file: Path | None
    data: Path | None

    def between(self, device: str, start_ms: int, end_ms: int) -> Iterator[Line]:
        """Lines of a device."""
        if self.data:
            return _kept(self.data, device, start_ms, end_ms)
        answer = self._ask("logs", device=device, start=start_ms, end=end_ms, limit=MOST_LINES)
        return (Line(one["time_ms"], device, _said(one)) for one in answer["logs"])

    def around_incident(self, key: str, device: str, reach_ms: int) -> Iterator[Line]:
        """Lines around the time at which an incident began on each device, or on this one."""
        if self.data is None:
            answer = self._ask("incident/lines", key=key, reach_ms=reach_ms, limit=MOST_LINES)
            told = (Line(one["time_ms"], one["device"], _said(one)) for one in answer["lines"])
            return (line for line in told if device in ("", line.device))
        began = {one["device"]: one["since_ms"] for one in reversed(self._ask("incident", key=key)["members"])}
        if device not in began:
            raise UsageError(f"with --data name one of the incident's devices: {', '.join(sorted(began))}")
        return self.between(device, began[device] - reach_ms, began[device] + reach_ms)

    def must_know(self, device: str) -> None:
        """UsageError when nothing was printed because nobody ever heard of that device."""
        if device and self.data is None:
            self._client().must_know(device)

    def _ask(self, path: str, **query: Any) -> Any:
        return self._client().get(path, **query)

    def _client(self) -> Client:
        from memfleet.client import Client  # the gateway needs no HTTP

        return Client(self.url, self.token_file, os.environ)


def _kept(data: Path, device: str, start_ms: int, end_ms: int) -> Iterator[Line]:
    """From the capture on this machine."""
    folder = agent_folder(data)
    directory = folder / "capture"
    if not (directory.is_dir() or (folder / "outbox.journal").exists()):
        raise UsageError(f"{folder} is no agent's folder; --data names that of an agent, or of watch")
    devices = captured_devices(directory)
    if device not in devices:
        known = ", ".join(devices) if devices else "none"
        raise UsageError(f"{directory} holds no log of {device}; it has {known}. A log is written every half minute")
    for entry in read_capture(directory / device, start_ms, end_ms):
        yield Line(entry.time_ms, device, entry.data.decode("utf-8", "replace"))


def _said(one: Mapping[str, Any]) -> str:
    head = f"{one['level']} {one['module']}".strip()
    return f"{head}: {one['text']}" if one["module"] else f"{head} {one['text']}".strip()
