"""What an agent can be told. The text below each setting gives its meaning and unit; docs are made of these."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from telemetry.settings import Broker

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Positive = Annotated[int, Meta(ge=1)]
System = Literal["auto", "mt3620", "esp32", "zephyr", "freertos"]


class _Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Port(_Settings, frozen=True):
    """One console."""

    port: str
    """Where it is: `/dev/ttyUSB0`, `/dev/serial/by-id/...`, a pseudo-terminal, `socket://host:port`, `rfc2217://...`."""
    device: Name
    """The device's name in the fleet."""
    baud: Positive = 115200
    """Speed, bits a second."""
    system: System = "auto"
    """What the device runs; auto: told by what it prints."""


class Source(_Settings, frozen=True):
    """One broker on which devices publish by themselves."""

    maps: tuple[str, ...] = ()
    """What to read: names of maps that ship (`tasmota`, `shelly`, ...) and paths of your own; empty: all that ship."""
    poll_s: Annotated[int, Meta(ge=0)] = 60
    """Devices that answer questions only (Shelly) are asked once in so many seconds; 0: never."""
    broker: Broker = Broker()
    """Where they publish."""


class Outbox(_Settings, frozen=True):
    """What is kept on the agent's disk until the collector has it."""

    max_mb: Positive = 512
    """Quota, MiB; the oldest frames go first and are counted."""
    commit_ms: Positive = 1000
    """Readings reach the disk once in so many milliseconds (SD cards wear out by commits)."""


class AgentConfig(_Settings, frozen=True):
    """An agent: some devices, one outbox, one connection to the broker."""

    fleet: Name = "fleet"
    """Name of the fleet; a level of every topic."""
    name: Name = "agent"
    """The agent's name: its identity at the broker."""
    data_dir: str = "/var/lib/memfleet-agent"
    """Where the outbox stands."""
    clock: Literal["wall", "monotonic"] = "wall"
    """monotonic: this gateway's clock is not to be trusted; the collector sets the time."""
    broker: Broker = Broker()
    ports: tuple[Port, ...] = ()
    sources: tuple[Source, ...] = ()
    outbox: Outbox = Outbox()
