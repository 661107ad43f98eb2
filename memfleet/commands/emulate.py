"""`memfleet emulate`: an emulated fleet, published as a real one."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from agent.config import AgentConfig
from agent.process import Agent
from emulators.config import FleetConfig
from emulators.fleet import Fleet
from memfleet.lifeline import die_with_parent, stop_on_signals
from memfleet.version import VERSION
from telemetry.settings import load

ROUND_S = 0.25


def command(
    file: Annotated[Path | None, typer.Argument(help="Fleet file (TOML); without one, the demo's mix.")] = None,
    devices: Annotated[int, typer.Option(help="How many devices the demo's mix has.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Same seed, same fleet.")] = 1,
    broker: Annotated[str | None, typer.Option(help="mqtt://host:port.")] = None,
    protocol: Annotated[str | None, typer.Option(help="MQTT version: auto, 5 or 3.1.1.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Name of the fleet.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the agent that publishes.")] = None,
    data: Annotated[str | None, typer.Option(help="Folder of the outbox.")] = None,
) -> None:
    """Run an emulated fleet: devices whose heaps behave as the real ones, published through an agent's outbox.

    [bold]Example:[/bold] memfleet emulate --devices 50 --broker mqtt://127.0.0.1:1883 --data /tmp/emulated
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    link = {"url": broker, "protocol": protocol}
    settings = load(
        AgentConfig,
        None,
        os.environ,
        fleet=fleet,
        name=name or "emulator",
        data_dir=data,
        broker={key: value for key, value in link.items() if value} or None,
    )
    emulated = Fleet.from_config(load(FleetConfig, file, {})) if file else Fleet.demo(devices, seed)
    die_with_parent()
    stop = stop_on_signals()
    agent = Agent(settings, Path(settings.data_dir), VERSION)
    try:
        while not stop.is_set():
            agent.take(emulated.advance(agent.now_ms()))
            agent.step(ROUND_S)
    finally:
        agent.close()
