"""`memfleet emulate`: an emulated fleet, published as a real one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from agent.config import AgentConfig
from emulators import fleet_file
from emulators.config import MOST_DEVICES, FleetConfig
from emulators.demo import demo_groups
from emulators.fleet import Fleet
from emulators.publishers.groups import publishing_groups
from emulators.recording import lines, lived
from memfleet.emulated import publish, serve_consoles, write_lines
from memfleet.lifeline import die_with_parent, stop_on_signals
from memfleet.options import must_be_writable, outbox_folder
from memfleet.spans import some_seconds
from telemetry.errors import UsageError
from telemetry.readings import About, Reading
from telemetry.settings import load

DEVICES = 200
POWER_ON = datetime(2026, 1, 1)  # UTC, as typer reads it
"""The same for all, so that the same file and seed give the same bytes."""


class System(StrEnum):
    """Whose words."""

    tasmota = "tasmota"
    shelly = "shelly"
    esphome = "esphome"


def command(
    file: Annotated[Path | None, typer.Argument(help="Fleet file (TOML); without one, the demo's mix.")] = None,
    devices: Annotated[
        int | None, typer.Option(help="How many devices the mix has; 200 when left out.", min=1, max=MOST_DEVICES)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same mix; 1 when left out.")] = None,
    broker: Annotated[str | None, typer.Option(help="mqtt://host:port.")] = None,
    protocol: Annotated[str | None, typer.Option(help="MQTT version: auto, 5 or 3.1.1.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Name of the fleet.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the agent that publishes.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Folder of the outbox; left out: its own, within the agent's.")
    ] = None,
    as_: Annotated[
        list[System] | None, typer.Option("--as", help="Publish as such devices do; repeated: a mix of them.")
    ] = None,
    consoles: Annotated[
        bool, typer.Option("--consoles", help="Publish nothing: print each device's console into a pseudo-terminal.")
    ] = False,
    virtual: Annotated[
        str | None, typer.Option(help="Publish nothing: write what this span brings, such as 14d, to --out or --store.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --virtual: a file of lines of JSON, .gz packs it.")] = None,
    store: Annotated[
        str | None, typer.Option(help="With --virtual: the store of this name in a collector's --config.")
    ] = None,
    collector: Annotated[Path | None, typer.Option("--config", help="With --store: a collector's file.")] = None,
    start: Annotated[datetime, typer.Option(help="With --virtual: when the devices get power, UTC.")] = POWER_ON,
) -> None:
    """Run an emulated fleet: devices whose heaps behave as the real ones, published through an agent's outbox, or as
    Tasmota, Shelly and ESPHome devices publish; or printing into serial ports, or weeks of readings into a file.

    [bold]Example:[/bold] memfleet emulate --devices 50 --broker mqtt://127.0.0.1:1883 --data /tmp/emulated

    [bold]Example:[/bold] memfleet emulate fleet.toml --consoles

    [bold]Example:[/bold] memfleet emulate fleet.toml --virtual 14d --out fleet.ndjson.gz

    [bold]Example:[/bold] memfleet emulate fleet.toml --virtual 14d --store influxdb --config collector.toml
    """
    goal = [name for name, given in (("out", out), ("store", store)) if given]
    if len(goal) != (virtual is not None) or bool(store) != bool(collector):
        raise UsageError(
            "--virtual SPAN goes with --out FILE, or with --store NAME and --config FILE: how much time, and where its "
            "readings go"
        )
    config = _config(file, devices, seed, as_ or [])
    if virtual is not None:
        if out is not None:
            must_be_writable(out)
        power_on_ms = round(start.replace(tzinfo=UTC).timestamp() * 1000)
        items = lived(Fleet.from_config(config), power_on_ms, round(some_seconds("--virtual", virtual) * 1000))
        typer.echo(_recorded(items, out, store, collector))
    elif consoles:
        serve_consoles(config, stop_on_signals(), typer.echo)
    else:
        link = {"url": broker, "protocol": protocol}
        settings = load(
            AgentConfig, None, os.environ, fleet=fleet, name=name or "emulator", data_dir=data,
            broker={key: value for key, value in link.items() if value} or None,
        )  # fmt: skip
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
        die_with_parent()
        settings = replace(settings, data_dir=str(outbox_folder(settings, data)))
        publish(Fleet.from_config(config), settings, stop_on_signals())


def _recorded(items: Iterable[About | Reading], out: Path | None, store: str | None, collector: Path | None) -> str:
    """Write what a span brought; what to say of it."""
    if out is not None:
        return f"{write_lines(lines(items), out)} readings in {out}"
    from collector.config import CollectorConfig
    from memfleet.straight import write_store

    written, refused = write_store(items, load(CollectorConfig, collector, os.environ), store or "")
    return "\n".join([f"{written} readings in {store}", *(f"refused: {reason}" for reason in refused)])


def _config(file: Path | None, devices: int | None, seed: int | None, systems: list[System]) -> FleetConfig:
    if file is not None and (systems or devices is not None or seed is not None):
        raise UsageError("--as, --devices and --seed are for the built-in mixes; a fleet file says all that itself")
    if file is not None:
        return fleet_file.read(file)
    count = DEVICES if devices is None else devices
    groups = demo_groups(count)
    if systems:
        groups = publishing_groups([system.value for system in dict.fromkeys(systems)], count)
    return FleetConfig(seed=1 if seed is None else seed, groups=groups)
