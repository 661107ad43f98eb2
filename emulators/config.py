"""The fleet file, `fleet.toml`: which devices, boards, workloads and rates an emulated fleet has."""

from __future__ import annotations

from typing import Annotated

import msgspec


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Devices that are alike: same board, firmware and workload; each draws its own numbers from the seed."""

    name: str
    """Devices are named `<name>-001`, `<name>-002`, ..."""
    count: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    """How many."""
    board: str
    """A board of `emulators/boards.py`, for example `esp32s3` or `mt3620`."""
    workload: str
    """What the firmware does, a name of `emulators/workloads`, for example `steady` or `slow-leak`."""
    firmware: str = "1.0.0"
    """Version that the devices report."""


class FleetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fleet of emulated devices."""

    seed: int = 1
    """The same seed gives the same readings, byte for byte."""
    report_ms: Annotated[int, msgspec.Meta(ge=100)] = 10_000
    """Milliseconds between two reports of a device."""
    groups: list[Group]
    """The devices."""
