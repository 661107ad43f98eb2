"""`memfleet replay`: a saved console log through the whole path."""

from __future__ import annotations

import gzip
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from agent.bridge import Bridge
from agent.config import AgentConfig
from agent.process import Agent
from memfleet.lifeline import stop_on_signals
from memfleet.spans import seconds
from memfleet.version import VERSION
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.settings import load


def command(
    file: Annotated[Path, typer.Argument(help="The log; gzip is recognised, - is standard input.")],
    device: Annotated[str, typer.Option(help="Name of the device that printed it.")],
    system: Annotated[str, typer.Option(help="mt3620, esp32, zephyr or freertos; auto: by what it prints.")] = "auto",
    line_every: Annotated[str, typer.Option(help="Time from line to line, as 100ms or 1s.")] = "100ms",
    live: Annotated[bool, typer.Option(help="Take that time, instead of sending all at once.")] = False,
    broker: Annotated[str | None, typer.Option(help="mqtt://host:port.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Name of the fleet.")] = None,
    name: Annotated[str, typer.Option(help="Name of the agent that publishes.")] = "replay",
    data: Annotated[str | None, typer.Option(help="Folder of the outbox.")] = None,
) -> None:
    """Feed a saved console log through the same path as a live board: parser, outbox, broker, collector.

    The last line is stamped with the present time, those before it with the times that --line-every gives.

    [bold]Example:[/bold] memfleet replay crash.log --device bench-7 --broker mqtt://127.0.0.1:1883 --data /tmp/replay
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    lines = _lines(file)
    every_ms = seconds(line_every) * 1000
    settings = load(
        AgentConfig, None, os.environ, fleet=fleet, name=name, data_dir=data, broker={"url": broker} if broker else None
    )
    stop = stop_on_signals()
    agent = Agent(settings, Path(settings.data_dir), VERSION)
    bridge = Bridge(device, agent.outbox, None if system == "auto" else system)
    start = agent.now_ms() - (0 if live else every_ms * len(lines))
    count = 0
    try:
        with Progress(disable=not sys.stderr.isatty()) as progress:
            for number, line in enumerate(progress.track(lines, description="lines")):
                items = bridge.feed(line, round(start + every_ms * number))
                agent.take(items)
                count += len(items)
                agent.step(every_ms / 1000 if live else 0)
                if stop.is_set():
                    break
        agent.take(bridge.close(agent.now_ms()))
        if not agent.drain(30):
            waiting = agent.publisher.link.trouble or "the collector does not acknowledge"
            raise EnvironmentFault(f"{agent.outbox.depth} frames wait in the outbox: {waiting}", retry=True)
    finally:
        agent.close()
    console = bridge.console
    sys.stdout.write(f"{console.lines} lines, {console.understood} understood, {count} readings delivered\n")


def _lines(file: Path) -> list[bytes]:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None
    return list(_split(data))


def _split(data: bytes) -> Iterator[bytes]:
    yield from data.splitlines(keepends=True) if b"\r" not in data else (part + b"\n" for part in data.split(b"\n"))
