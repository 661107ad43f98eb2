"""`memfleet replay`: a saved console log through the whole path."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from agent.bridge import Bridge
from agent.capture import Entry, read_capture
from agent.capture.segment import entries_of
from agent.config import AgentConfig, Port
from agent.process import Agent, never_silent
from memfleet.advice import read_of
from memfleet.lifeline import stop_on_signals
from memfleet.logfile import log_bytes
from memfleet.options import outbox_folder
from memfleet.spans import seconds
from memfleet.version import VERSION
from telemetry.clock import monotonic_ms
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.readings import About
from telemetry.settings import convert, load

_LOOK_S = 3
_PATIENCE_S = 30
_LEFT_OVER = "replay/left"
"""Remembered in the outbox: which lines were played to their end, for as long as not all of it is delivered."""


def command(
    file: Annotated[
        Path, typer.Argument(help="A log (plain, gzip, zstd; - is standard input), or a device's capture.")
    ],
    device: Annotated[str, typer.Option(help="Name of the device that printed it.")],
    system: Annotated[str, typer.Option(help="mt3620, esp32, zephyr or freertos; auto: by what it prints.")] = "auto",
    line_every: Annotated[str, typer.Option(help="Time from line to line of a log without times.")] = "100ms",
    speed: Annotated[float, typer.Option(help="Times as fast as it was; 1: live, 0: all at once.", min=0)] = 0,
    shift: Annotated[bool, typer.Option("--shift", help="Move a capture's times: its last line is now.")] = False,
    broker: Annotated[str | None, typer.Option(help="mqtt://host:port.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Name of the fleet.")] = None,
    name: Annotated[str, typer.Option(help="Name of the agent that publishes.")] = "replay",
    data: Annotated[
        str | None, typer.Option(help="Folder of the outbox; left out: its own, within the agent's.")
    ] = None,
) -> None:
    """Feed a saved console log through the same path as a live board: parser, outbox, broker, collector.

    A capture (the folder `capture/DEVICE` of an agent, or one file of it) keeps its own times. Any other log ends now,
    its lines --line-every apart. With --speed the first line is now, and the others come as fast as that says. A device
    that was played to its end is not called silent.

    [bold]Example:[/bold] memfleet replay crash.log --device bench-7 --broker mqtt://127.0.0.1:1883 --data /tmp/replay
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    board = convert(Port, {"port": str(file), "device": device, "system": system}, "the command line")
    link = {"url": broker} if broker else None
    settings = load(AgentConfig, None, os.environ, fleet=fleet, name=name, data_dir=data, broker=link)
    entries, timed = _entries(file, round(seconds(line_every) * 1000))
    stop = stop_on_signals()
    agent = Agent(settings, outbox_folder(settings, data), VERSION)
    try:
        played = _identity(entries, device)
        if agent.outbox.depth and _left_over(agent) == played:
            return
        bridge = Bridge(device, agent.outbox, None if board.system == "auto" else board.system)
        count = _play(agent, bridge, _Plan(entries, speed, move=shift or not timed), stop)
        agent.take_leave()
        if not stop.is_set():
            agent.outbox.remember(_LEFT_OVER, played)
        _deliver(agent, "run the same again to deliver them")
        agent.outbox.remember(_LEFT_OVER, "")
    finally:
        agent.close(asked=True)
    console = bridge.console
    sys.stdout.write(f"{read_of(console)}, {count} readings delivered\n")


def _left_over(agent: Agent) -> str:
    """Deliver what an earlier run left in the outbox; which lines it had played to their end: they need not be played
    again."""
    earlier, frames = agent.outbox.recall(_LEFT_OVER).get("", ""), agent.outbox.depth
    _deliver(agent, "an earlier run left them, and they go first")
    sys.stdout.write(f"delivered what an earlier run had left: {frames} frames\n")
    agent.outbox.remember(_LEFT_OVER, "")
    return earlier


def _identity(entries: Sequence[Entry], device: str) -> str:
    """The same for the same lines and times of a device, whatever file they came in: standard input has no name."""
    digest = hashlib.sha256(b"\n".join(b"%d %b" % (entry.time_ms, entry.data) for entry in entries))
    return f"{device} {digest.hexdigest()}"


def _deliver(agent: Agent, advice: str) -> None:
    """Wait until the collector has all; after some seconds say for what. EnvironmentFault after half a minute."""
    if agent.drain(_LOOK_S):
        return
    logging.warning("%s; waiting for up to %g s", _trouble(agent), _PATIENCE_S)
    if not agent.drain(_PATIENCE_S):
        raise EnvironmentFault(
            f"{agent.outbox.depth} frames wait in the outbox; {advice}: {_trouble(agent)}", retry=True
        )


def _trouble(agent: Agent) -> str:
    return agent.publisher.link.trouble or "the collector does not acknowledge"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to play, how fast (0: at once), and whether the times move with the present."""

    entries: list[Entry]
    speed: float
    move: bool

    def offsets(self) -> Iterator[tuple[int, bytes]]:
        """Milliseconds since the first line at which each line is due, by its own clock."""
        first = self.entries[0].time_ms if self.entries else 0
        for entry in self.entries:
            yield entry.time_ms - first, entry.data + (b"\n" if entry.complete else b"")


def _play(agent: Agent, bridge: Bridge, plan: _Plan, stop: threading.Event) -> int:
    """Feed all lines; the count of readings and descriptions."""
    count, begun, last_ms = 0, monotonic_ms(), 0
    start_ms = _start_ms(agent, plan)
    for offset, line in plan.offsets():
        due = round(offset / plan.speed) if plan.speed else offset
        while plan.speed and monotonic_ms() - begun < due and not stop.is_set():
            agent.step(min(0.25, (due - (monotonic_ms() - begun)) / 1000))
        last_ms = start_ms + due
        items = bridge.feed(line, last_ms)
        if not plan.speed:  # before all has come nobody waits for the rest, either: what came first may be weeks old
            items = [never_silent(item) if isinstance(item, About) else item for item in items]
        agent.take(items)
        count += len(items)
        agent.step(0)
        if stop.is_set():
            break
    items = bridge.close(last_ms)
    agent.take(items)
    return count + len(items)


def _start_ms(agent: Agent, plan: _Plan) -> int:
    if plan.speed or not plan.entries:
        return agent.now_ms()
    if plan.move:
        return agent.now_ms() - (plan.entries[-1].time_ms - plan.entries[0].time_ms)
    return plan.entries[0].time_ms


def _entries(file: Path, line_every_ms: int) -> tuple[list[Entry], bool]:
    """The lines with their times, and whether the times are the capture's own."""
    if file.is_dir():
        entries = list(read_capture(file))
        if not entries:
            raise UsageError(f"{file} holds no capture; give the folder capture/DEVICE of an agent's data")
        return entries, True
    if file.name.endswith(".zst") and file.exists() and (entries := list(entries_of(file))):
        return entries, True
    data = log_bytes(str(file))
    lines = data.split(b"\n")
    whole, rest = lines[:-1], lines[-1]
    entries = [Entry(number * line_every_ms, line) for number, line in enumerate(whole)]
    if rest:
        entries.append(Entry(len(whole) * line_every_ms, rest, complete=False))
    return entries, False
