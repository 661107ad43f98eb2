"""The demo's fleet: products of all platforms, every eighth with a leak; names do not tell which."""

from __future__ import annotations

from emulators.boards import BOARDS
from emulators.config import Group

PRODUCTS = {"mt3620": "meter", "esp32": "plug", "zephyr": "sensor"}

LEAKING = (
    ("zephyr-esp32s3", "fast-leak"),
    ("mt3620", "fast-leak"),
    ("esp32s3", "slow-leak-tracked"),
    ("esp32", "fast-leak"),
    ("esp32c3", "leak-after-event"),
    ("zephyr-esp32s3", "tutorial-leak"),
    ("esp32c6", "self-healing"),
    ("zephyr-nrf52840", "slow-leak"),
    ("mt3620", "overuse-restart"),
    ("esp32c3", "panics"),
)

OTHERS = (
    ("esp32s3", "steady"),
    ("mt3620", "memory-usage"),
    ("zephyr-nrf52840", "steady"),
    ("esp32", "server"),
    ("esp32c3", "saw-tooth"),
    ("mt3620", "ratchet"),
    ("zephyr-esp32s3", "saw-tooth"),
    ("esp32c6", "warm-up"),
    ("esp32s3-psram", "steady"),
    ("zephyr-nrf52840", "steady"),
    ("mt3620", "steady"),
    ("esp32", "daily"),
    ("zephyr-esp32s3", "tutorial-mended"),
    ("esp32c3", "steady"),
    ("mt3620", "server"),
    ("esp32s3", "steady-tracked"),
    ("zephyr-nrf52840", "server"),
    ("esp32c6", "frees-caches"),
    ("mt3620", "steady"),
    ("esp32", "steady"),
    ("zephyr-esp32s3", "warm-up"),
    ("esp32s3", "fragmentation"),
    ("mt3620", "saw-tooth"),
    ("esp32c3", "stack-creep"),
)

LEAKING_EVERY = 8
REPORT_MS = 2000
OLD, NEW = "2.4.1", "2.5.0"
"""Firmware: the new one is on all that leak and on some that do not."""


def demo_groups(devices: int) -> list[Group]:
    """So many devices, one a group."""
    groups = []
    numbers = dict.fromkeys(PRODUCTS.values(), 0)
    for index in range(devices):
        eighth, rest = divmod(index, LEAKING_EVERY)
        leaking = rest == 0
        if leaking:
            board, workload = LEAKING[eighth % len(LEAKING)]
        else:
            board, workload = OTHERS[(index - eighth - 1) % len(OTHERS)]
        product = PRODUCTS[BOARDS[board].platform]
        numbers[product] += 1
        firmware = NEW if leaking or index % 5 == 4 else OLD
        group = Group(
            name=product, first=numbers[product], board=board, workload=workload, firmware=firmware, report_ms=REPORT_MS
        )
        groups.append(group)
    return groups
