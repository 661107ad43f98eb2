"""What an agent can be told. The text below each setting gives its meaning and unit; docs are made of these."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from telemetry.settings import Broker, Name, Positive, Settings, once_each

System = Literal["auto", "mt3620", "esp32", "zephyr", "freertos"]


class Port(Settings, frozen=True):
    """One console."""

    port: str
    """Where it is: `/dev/serial/by-id/...`, `/dev/ttyUSB0`, `socket://host:port`, `rfc2217://host:port`, a file,
    `-` for standard input, `syslog://0.0.0.0:5514` (UDP), `command:...` (run every `every_s`), `azsphere:` (its
    memory table)."""
    device: Name
    """The device's name in the fleet, of one port only: its boots are counted, and its log is kept, by that name."""
    baud: Annotated[int, Meta(ge=1, le=20_000_000)] = 115200
    """Speed, bits a second."""
    system: System = "auto"
    """What the device runs; auto: told by what it prints."""
    relay: bool = False
    """Offer a two-way terminal, `relay/<device>` in the data folder, for `idf.py monitor` and the like."""
    ask: tuple[str, ...] = ()
    """Commands to type into the board's shell every `every_s`, as `kernel thread stacks`."""
    every_s: Positive = 60
    """Seconds from one round of `ask` (or run of `command:`, `azsphere:`) to the next."""


class Source(Settings, frozen=True):
    """One broker on which devices publish by themselves."""

    maps: tuple[str, ...] = ()
    """What to read: names of maps that ship (`tasmota`, `shelly`, ...) and paths of your own; empty: all that ship."""
    poll_s: Annotated[int, Meta(ge=0)] = 60
    """Devices that answer questions only (Shelly) are asked once in so many seconds; 0: never."""
    broker: Broker = Broker()
    """Where they publish."""


class Capture(Settings, frozen=True):
    """The raw log of every console, kept on the agent's disk."""

    enabled: bool = True
    """Keep it."""
    max_mb: Positive = 32
    """Most that one device's log may take, MiB, packed (about ten times as much text); the oldest goes first."""
    max_days: Positive = 14
    """How long it is kept."""
    write_s: Positive = 30
    """Seconds from write to write (SD cards wear out by writes); a crash is written at once."""
    mask: tuple[str, ...] = ()
    """Regular expressions of secrets: what they match (or their groups, when they have some) is replaced by `***`
    before anything is kept, read or sent."""
    window_s: Positive = 60
    """At an incident the lines of so many seconds before and after it are published."""


class Outbox(Settings, frozen=True):
    """What is kept on the agent's disk until the collector has it."""

    max_mb: Positive = 512
    """Quota, MiB; the oldest frames go first and are counted."""
    commit_ms: Positive = 1000
    """Readings reach the disk once in so many milliseconds (SD cards wear out by commits)."""


class AgentConfig(Settings, frozen=True):
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
    capture: Capture = Capture()
    patterns_file: str = ""
    """Pattern file (TOML) of lines that only your firmware prints; `memfleet parse --try` helps to write it."""
    elf_dir: str = ""
    """Folder of your firmware's ELF files: addresses of crashes and failed allocations get function and line."""

    def __post_init__(self) -> None:
        once_each(port=[port.port for port in self.ports], device=[port.device for port in self.ports])
