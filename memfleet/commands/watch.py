"""`memfleet watch`: the desk in one command."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from agent.config import AgentConfig, Outbox, Port
from agent.process import Gateway
from memfleet.advice import no_memory_yet
from memfleet.alone import Alone
from memfleet.board import fleet_board
from memfleet.lifeline import stop_on_signals
from memfleet.local import LocalCollector
from memfleet.spans import some_seconds
from memfleet.version import VERSION
from telemetry.clock import monotonic_ms
from telemetry.errors import UsageError
from telemetry.settings import convert

ADVISE_MS = 60_000
_ROWS = 20
LOOK_MS = 1_000


def command(
    source: Annotated[str, typer.Argument(help="The board's port, a log file that is being written, or - for stdin.")],
    device: Annotated[str | None, typer.Option(help="Its name; by default that of the port.")] = None,
    system: Annotated[str, typer.Option(help="mt3620, esp32, zephyr or freertos; auto: by what it prints.")] = "auto",
    baud: Annotated[int, typer.Option(min=1, help="Speed of the port, bits a second.")] = 115200,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Where the page should be.")] = 8080,
    data: Annotated[Path | None, typer.Option(help="Where to keep what was seen, so that tomorrow continues.")] = None,
    for_: Annotated[str | None, typer.Option("--for", help="End after that time, as 45s or 10m.")] = None,
    relay: Annotated[bool, typer.Option("--relay", help="Offer the port as a terminal, for idf.py monitor.")] = False,
) -> None:
    """Watch the board on your desk: agent, broker, collector and page in one command, no configuration.

    [bold]Example:[/bold] memfleet watch /dev/ttyUSB0
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    span_s = some_seconds("--for", for_) if for_ else None
    name = device or _name_of(source)
    given = {"port": source, "device": name, "baud": baud, "system": system, "relay": relay}
    board = convert(Port, given, "the command line")
    directory = data or _default_directory(os.environ)
    stop = stop_on_signals()
    console = Console()
    with Alone(directory, "memfleet watch", "give this one --data") as alone:
        collector = LocalCollector(directory, "desk", port)
        try:
            with console.status("starting the page ..."):
                collector.start(lambda _: {}, stop)
            if not stop.is_set():
                page = f"The page is at [bold]{collector.url}[/bold]"
                console.print(f"Watching [bold]{source}[/bold] as {name}. {page}")
            agent = Gateway(_agent_config(collector, board), directory / "agent", VERSION)
            if relay:
                console.print(f"Its terminal for others is {directory / 'agent' / 'relay' / name}")
            desk = _Desk(collector, agent, console)
            until_ms = None if span_s is None else monotonic_ms() + span_s * 1000
            try:
                with Live(console=console, auto_refresh=False) as live:
                    while not stop.is_set() and (until_ms is None or monotonic_ms() < until_ms):
                        alone.look()
                        desk.round(live)
                desk.leave()
            finally:
                agent.close(asked=stop.is_set() or span_s is not None)
        finally:
            collector.close()


class _Desk:
    """One look after the other at the board: read it, keep the processes up, draw, advise."""

    def __init__(self, collector: LocalCollector, agent: Gateway, console: Console) -> None:
        self._collector = collector
        self._agent = agent
        self._console = console
        self._heard_ms = self._look_ms = monotonic_ms()
        self._ended = False

    def round(self, live: Live) -> None:
        if self._agent.step(0.2):
            self._heard_ms = monotonic_ms()
        now = monotonic_ms()
        if now - self._look_ms < LOOK_MS:
            return
        self._look_ms = now
        self._collector.watch()
        if self._agent.ports.ended and not self._ended:
            self._ended = True
            self._agent.finish()
            self._console.print("The input has ended; the page stays until Ctrl-C.")
        if now - self._heard_ms >= ADVISE_MS and not self._ended:
            self._advise((now - self._heard_ms) / 1000)
            self._heard_ms = now
        self._draw(live)

    def _advise(self, waited_s: float) -> None:
        trouble = self._agent.ports.trouble
        if trouble:
            self._console.print("; ".join(trouble.values()))
            return
        for bridge in self._agent.bridges.values():
            found = bridge.console
            self._console.print(no_memory_yet(waited_s, found.lines, found.understood, found.system))

    def leave(self) -> None:
        """Where nobody looked on, say how it stands."""
        if not self._console.is_terminal and (board := self._board()):
            self._console.print(board)

    def _draw(self, live: Live) -> None:
        if self._console.is_terminal and (board := self._board()):
            live.update(board, refresh=True)

    def _board(self) -> RenderableType | None:
        answer = self._collector.get(f"/api/v1/devices?limit={_ROWS}")
        alerts = self._collector.get("/api/v1/alerts")
        if not answer or not alerts:
            return None
        return fleet_board(f"memfleet watch  {self._collector.url}", answer, alerts["alerts"], _ROWS)


def _agent_config(collector: LocalCollector, port: Port) -> AgentConfig:
    return AgentConfig(
        fleet=collector.fleet,
        name="desk",
        broker=collector.broker.settings,
        ports=(port,),
        outbox=Outbox(commit_ms=200),
    )


def _name_of(source: str) -> str:
    """A device name from a port or file: its last part, with what a name cannot hold left out."""
    if source == "-":
        return "stdin"
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(source).name).strip("-_.")[:64]
    if not name:
        raise UsageError(f"{source!r} gives no name; name the device with --device")
    return name


def _default_directory(environment: os._Environ[str]) -> Path:
    home = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "memfleet" / "watch"
