"""A fleet of ESP32 devices that publish as known systems do, without a fleet file."""

from __future__ import annotations

from collections.abc import Sequence

from emulators.config import Group

KINDS = (
    ("esp32", "slow-leak"), ("esp32c3", "steady"), ("esp32s3", "daily"), ("esp32", "steady"), ("esp32c6", "warm-up"),
    ("esp32s3", "fragmentation"), ("esp32c3", "server"), ("esp32", "saw-tooth"),
)  # fmt: skip
"""Board and workload of the devices in turn: one in eight leaks."""


FIRMWARE = {"tasmota": "15.1.0", "shelly": "1.7.1", "esphome": "2025.10.4"}
REPORT_MS = 5_000


def publishing_groups(systems: Sequence[str], devices: int) -> list[Group]:
    """So many devices, shared evenly among the systems, each named after its system and a number."""
    groups = []
    for index in range(devices):
        number, place = divmod(index, len(systems))
        system, (board, workload) = systems[place], KINDS[number % len(KINDS)]
        groups.append(
            Group(
                name=system, first=number + 1, board=board, workload=workload, firmware=FIRMWARE[system],
                report_ms=REPORT_MS, publish_as=system,  # type: ignore[arg-type]  # a voice's name
            )
        )  # fmt: skip
    return groups
