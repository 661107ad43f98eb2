"""The fleet file, `fleet.toml`: which devices, boards, workloads and rates an emulated fleet has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from emulators.boards import BOARDS, Board
from emulators.workloads import WORKLOADS
from telemetry.errors import ConfigError
from telemetry.topics import is_name

MOST_DEVICES = 1_000_000
Count = Annotated[int, msgspec.Meta(ge=1, le=MOST_DEVICES)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the devices' readings come through."""

    offline_percent: Percent = 0
    """Share of the time in which a device cannot be reached; what it reads meanwhile arrives when it is back."""
    offline_ms: Annotated[int, msgspec.Meta(ge=1000)] = 60_000
    """How long it cannot be reached each time, milliseconds."""
    duplicate_percent: Percent = 0
    """Share of the reports that arrive twice."""


class Clock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The devices' own clocks, from which their readings take the time."""

    drift_ppm: Annotated[int, msgspec.Meta(ge=-100_000, le=100_000)] = 0
    """Millionths by which they run fast; below 0: slow."""
    unset_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Milliseconds after each boot until the time is known; before that they count from 1970."""


class Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Other firmware over the air."""

    after_ms: Annotated[int, msgspec.Meta(ge=1)]
    """When, milliseconds after power-on."""
    firmware: str
    """Version that the devices report from then on."""
    workload: str
    """What the new firmware does."""


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Devices that are alike: same board, firmware and workload; each draws its own numbers from the seed."""

    name: str
    """Devices are named `<name>-001`, `<name>-002`, ..."""
    first: Annotated[int, msgspec.Meta(ge=1)] = 1
    """Number of the first one."""
    count: Count = 1
    """How many."""
    board: str
    """A board of `emulators/boards.py`, for example `esp32s3` or `mt3620`."""
    workload: str
    """What the firmware does, a name of `emulators/workloads`, for example `steady` or `slow-leak`."""
    firmware: str = "1.0.0"
    """Version that the devices report."""
    report_ms: Annotated[int, msgspec.Meta(ge=100)] = 10_000
    """Milliseconds between two reports of a device."""
    publish_as: Literal["memfleet", "tasmota", "shelly", "esphome"] = "memfleet"
    """In whose words they publish: memfleet's own frames, or as devices of that system do."""
    network: Network = Network()
    """How their readings come through."""
    clock: Clock = Clock()
    """How well they know the time."""

    update: Update | None = None
    """An update during their life; unset: none."""

    def device_names(self) -> list[str]:
        """The names of its devices, in order."""
        return [f"{self.name}-{number:03}" for number in range(self.first, self.first + self.count)]


class FleetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fleet of emulated devices."""

    seed: int = 1
    """The same seed gives the same readings, byte for byte."""
    groups: list[Group]
    """The devices."""


def require_sound(config: FleetConfig, source: str) -> FleetConfig:
    """The configuration itself when boards, workloads and names exist and fit; ConfigError lists every fault."""
    faults = [fault for index, group in enumerate(config.groups) for fault in faults_of(group, f"groups[{index}]")]
    faults += faults_between(config.groups)
    if faults:
        raise ConfigError(source, faults)
    return config


def faults_of(group: Group, path: str) -> list[str]:
    """What a group names that does not exist or does not fit, each fault behind `path`."""
    faults = []
    board = BOARDS.get(group.board)
    if not is_name(group.device_names()[-1]):
        faults.append(f"{path}.name: {group.name!r} cannot begin a device's name: letters, digits, '_', '.', '-'")
    if board is None:
        faults.append(f"{path}.board: no board {group.board!r}; there are {', '.join(BOARDS)}")
    if board and group.publish_as != "memfleet" and board.platform != "esp32":
        faults.append(f"{path}.publish_as: {group.publish_as} runs on ESP32 boards only, not on {board.name}")
    faults += _workload_faults(board, group.workload, f"{path}.workload")
    if group.update:
        faults += _workload_faults(board, group.update.workload, f"{path}.update.workload")
    return faults


def _workload_faults(board: Board | None, name: str, path: str) -> list[str]:
    workload = WORKLOADS.get(name)
    if workload is None:
        return [f"{path}: no workload {name!r}; there are {', '.join(WORKLOADS)}"]
    if board and board.platform not in workload.platforms:
        return [f"{path}: {name} does not run on {board.platform} ({board.name})"]
    return []


def faults_between(groups: Sequence[Group]) -> list[str]:
    """A fleet of no groups, and groups of one name whose numbers overlap: their devices would share names."""
    faults = [] if groups else ["groups: a fleet needs one at least; begin it with [[groups]]"]
    ends: dict[str, int] = {}
    for group in sorted(groups, key=lambda group: (group.name, group.first)):
        if group.first <= ends.get(group.name, 0):
            faults.append(f"groups: two devices {group.name}-{group.first:03}; give one group another name or `first`")
        ends[group.name] = max(ends.get(group.name, 0), group.first + group.count - 1)
    return faults
