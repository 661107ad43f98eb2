"""The compiled traffic against the same in Python: same numbers drawn, same blocks, same moments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulators.boards import BOARDS
from emulators.chance import Chance
from emulators.devices.device import Device
from emulators.firmware import Allocation, Firmware, Plan, Run, Runtime, Task
from emulators.workloads.pieces import churn, leak


def modelled(slots: int, low: int, high: int, every_ms: int) -> Run:
    """Of so many blocks about half are held at any time; four change each step."""

    def run(device: Runtime) -> Iterator[int]:
        chance = device.chance
        held: list[Allocation | None] = [None] * slots
        while True:
            for _ in range(4):
                slot = chance.below(slots)
                if held[slot]:
                    device.free(held[slot])
                    held[slot] = None
                else:
                    held[slot] = device.malloc(chance.between(low, high))
            device.use_stack(1200 + chance.below(400))
            yield every_ms

    return run


def told(board: str, run: Run, *, stack: int = 4096, tracking: bool = False) -> list[str]:
    """What a device reports in ten minutes, with a leak beside the traffic that wakes at the same moments."""
    tasks = (Task("early", leak(8, 3000)), Task("traffic", run, stack), Task("late", leak(8, 2000)))
    firmware = Firmware(Plan(tasks, tracking=tracking))
    device = Device("one", BOARDS[board], firmware, Chance(7))
    for now_ms in range(0, 600_001, 7_300):
        device.advance(now_ms)
        device.report()
    return [repr(item) for item in device.take()]


@pytest.mark.parametrize("board", ["mt3620", "esp32", "esp32s3-psram", "zephyr-nrf52840"])
@pytest.mark.parametrize(("low", "high"), [(16, 200), (100, 60_000)], ids=["roomy", "scarce"])
def test_compiled_traffic_is_that_of_its_model(board: str, low: int, high: int) -> None:
    """Large blocks fill heaps: NULL, and on the MT3620 SIGKILL in the middle of a step."""
    sizes = (24, low, high, 500)
    compiled = told(board, churn(*sizes))
    assert compiled == told(board, modelled(*sizes))
    fell_short = any("oom_kill" in one or "alloc_failed" in one for one in compiled)
    assert fell_short == (high > 1000 and board != "esp32s3-psram")


def test_tracked_tasks_are_asked_for_each_block() -> None:
    sizes = (24, 16, 900, 1000)
    compiled = told("esp32s3", churn(*sizes), tracking=True)
    assert compiled == told("esp32s3", modelled(*sizes), tracking=True)
    assert any("names=('traffic', " in one for one in compiled)


def test_a_stack_that_is_not_deep_enough_ends_the_boot_at_that_step() -> None:
    sizes = (24, 16, 200, 1000)
    compiled = told("esp32", churn(*sizes), stack=1590)
    assert compiled == told("esp32", modelled(*sizes), stack=1590)
    assert any("stack_overflow" in one for one in compiled)
