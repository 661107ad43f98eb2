"""`memfleet agent`: consoles at serial ports, and devices that publish by themselves, to the broker."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from agent.config import AgentConfig
from agent.process import Gateway
from memfleet.lifeline import die_with_parent, stop_on_signals
from memfleet.service import Service
from memfleet.version import VERSION
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.settings import load


def command(
    port: Annotated[list[str] | None, typer.Option(help="A console: /dev/ttyUSB0, a file, - for stdin.")] = None,
    device: Annotated[list[str] | None, typer.Option(help="Name of the device at that port, same order.")] = None,
    system: Annotated[str, typer.Option(help="mt3620, esp32, zephyr or freertos; auto: by what it prints.")] = "auto",
    baud: Annotated[int, typer.Option(min=1, help="Speed of the ports, bits a second.")] = 115200,
    broker: Annotated[str | None, typer.Option(help="mqtt://host:port or mqtts://host:port.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Name of the fleet.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of this agent.")] = None,
    data: Annotated[str | None, typer.Option(help="Folder of the outbox and of the consoles' logs.")] = None,
    relay: Annotated[bool, typer.Option("--relay", help="Offer each port as a terminal, DATA/relay/DEVICE.")] = False,
    config: Annotated[Path | None, typer.Option(help="Configuration file; options win over it.")] = None,
) -> None:
    """Read devices at serial ports, and those that publish by themselves, and publish their memory.

    What the broker or the collector cannot take now waits on disk.

    [bold]Example:[/bold] memfleet agent --port /dev/ttyUSB0 --device bench-7 --broker mqtt://lab:1883 --data ~/outbox
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings = load(
        AgentConfig,
        config,
        os.environ,
        fleet=fleet,
        name=name,
        data_dir=data,
        broker={"url": broker} if broker else None,
        ports=_ports(port or [], device or [], {"system": system, "baud": baud, "relay": relay}) or None,
    )
    if not settings.ports and not settings.sources:
        raise UsageError(
            "nothing to read: give --port and --device, or [[ports]] or [[sources]] in the configuration file"
            " (`memfleet discover` writes one)"
        )
    die_with_parent()
    stop = stop_on_signals()
    agent = Gateway(settings, Path(settings.data_dir), VERSION)
    service = Service(os.environ, lambda: True, time.monotonic)  # fed from the round below: one that hangs is not
    said: str | None = None
    try:
        while not stop.is_set() and not agent.ended:
            agent.step(0.5)
            service.look()
            link = agent.agent.publisher.link
            if link.trouble != said and (link.up or link.trouble):
                connected = f"connected to the broker {settings.broker.url}"
                logging.log(logging.WARNING if link.trouble else logging.INFO, link.trouble or connected)
                said = link.trouble
        if agent.ended:
            agent.finish()
            if not agent.agent.drain(10):
                left = f"{agent.agent.outbox.depth} frames wait in the outbox in {settings.data_dir}"
                raise EnvironmentFault(f"{left}; start the agent again to deliver them", retry=True)
    finally:
        service.stopping()
        agent.close(asked=stop.is_set() or agent.ended)


def _ports(ports: list[str], devices: list[str], alike: dict[str, object]) -> list[dict[str, object]]:
    """Settings of each port; `alike` are those that all have."""
    if len(ports) != len(devices):
        raise UsageError(f"{len(ports)} --port and {len(devices)} --device: every port needs the name of its device")
    return [{"port": port, "device": device, **alike} for port, device in zip(ports, devices, strict=True)]
