"""What `memfleet emulate` does with a fleet: publish it, or put consoles on pseudo-terminals, or readings in a file."""

from __future__ import annotations

import gzip
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from agent.config import AgentConfig
from agent.haste import wished
from agent.process import Agent
from emulators.config import FleetConfig
from emulators.fleet import Fleet
from emulators.ports import Ports
from emulators.publishers.broadcast import Broadcast
from memfleet.version import VERSION
from telemetry.clock import wall_ms
from telemetry.errors import EnvironmentFault
from telemetry.messages import Command
from telemetry.mqtt import Link
from telemetry.readings import About

_LOG = logging.getLogger("memfleet")

PUBLISH_ROUND_S = 0.25
ROUND_S = 0.05
LEAVE_S = 2.0
"""The collector has so long to hear that nothing more is to come; else the next run tells it first."""
LEVEL = 6


def publish(fleet: Fleet, settings: AgentConfig, stop: threading.Event) -> None:
    """Publish a fleet in real time until `stop` is set: through an agent's outbox, or as its devices do themselves.

    Of the former it takes leave: nobody is to wait for what was switched off.
    """
    broadcast = Broadcast(fleet.systems(), settings.broker, f"{settings.fleet}-{settings.name}-devices")
    said = ""
    if len(broadcast) == len(fleet):
        while not stop.is_set():
            broadcast.take(fleet.advance(wall_ms()))
            broadcast.link.step(PUBLISH_ROUND_S)
            said = _tell(broadcast.link, said)
        broadcast.link.close()
        return
    agent = Agent(settings, Path(settings.data_dir), VERSION)
    fleet.count_on(agent.outbox.boot_of)
    obeyed: Command | None = None
    try:
        while not stop.is_set():
            reported = broadcast.take(fleet.advance(agent.now_ms()))
            for about in reported:
                if isinstance(about, About):
                    agent.outbox.set_boot(about.device, about.boot)
            agent.take(reported)
            agent.step(PUBLISH_ROUND_S)
            said = _tell(agent.publisher.link, said)
            if len(broadcast):
                broadcast.link.step(0)
            if agent.publisher.command != obeyed:
                obeyed = agent.publisher.command
                obey(fleet, obeyed, agent.now_ms())
        agent.take_leave()
        if agent.publisher.link.up:
            agent.drain(LEAVE_S)
    finally:
        agent.close(asked=stop.is_set())


def _tell(link: Link, said: str) -> str:
    """Say once what keeps the broker away, and once that it is there again; what was said."""
    if link.trouble != said:
        _LOG.log(logging.WARNING if link.trouble else logging.INFO, link.trouble or "connected to the broker")
    return link.trouble


def obey(fleet: Fleet, command: Command | None, now_ms: int) -> None:
    """The collector's wish: some devices report more often for a while, and tell their log. `now_ms` is the fleet's."""
    if command is not None:
        haste = wished(command, wall_ms(), now_ms)
        fleet.hurry(haste.devices, haste.every_ms, haste.until_ms)


def serve_consoles(config: FleetConfig, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Each device's console on a pseudo-terminal of its own until `stop` is set; first says where, one a line."""
    try:
        ports = Ports(config)
    except OSError as error:
        raise EnvironmentFault(f"no pseudo-terminal for each device: {error.strerror}", retry=False) from None
    try:
        for device, path in ports.paths.items():
            say(f"{device}\t{path}")
        while not stop.wait(ROUND_S):
            ports.step()
    finally:
        ports.close()


def write_lines(lines: Iterable[bytes], path: Path) -> int:
    """Write the lines to a file, packed when its name ends in .gz; how many there were. The same lines give the same
    bytes. The file appears under its name when it is whole."""
    partial = path.with_name(path.name + ".part")
    count = 0
    try:
        with partial.open("wb") as raw:
            packed = path.suffix == ".gz"
            out = gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) if packed else raw
            for line in lines:
                out.write(line)
                count += 1
            if packed:
                out.close()
        partial.replace(path)
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror}", retry=False) from None
    finally:
        partial.unlink(missing_ok=True)
    return count
