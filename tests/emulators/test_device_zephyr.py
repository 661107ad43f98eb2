"""Zephyr: where the tutorial's round number and the allocator differ, the allocator wins."""

from __future__ import annotations

import itertools

from emulators.boards import BOARDS
from emulators.chance import Chance
from emulators.devices.device import Device
from emulators.devices.zephyr import SOCKETS, ZephyrMemory
from emulators.firmware import Firmware, Plan, Task
from emulators.workloads import WORKLOADS
from telemetry.readings import Reading

BOARD = BOARDS["zephyr-esp32s3"]


def _numbers(workload: str, seconds: int) -> list[tuple[int, int]]:
    device = Device("sensor", BOARD, Firmware(WORKLOADS[workload].plan(BOARD, Chance(1))), Chance(1))
    numbers = []
    for second in range(seconds):
        device.advance(second * 1000)
        assert isinstance(device.memory, ZephyrMemory)
        stats = device.memory.region.heap.stats()
        numbers.append((stats.free, stats.used))
    return numbers


def test_each_leaked_block_of_100_bytes_moves_free_by_112_and_allocated_by_108() -> None:
    numbers = _numbers("tutorial-leak", 100)
    steps = {(before[0] - after[0], after[1] - before[1]) for before, after in itertools.pairwise(numbers)}
    assert steps == {(112, 108)}


def test_the_leak_goes_on_after_the_heap_is_exhausted() -> None:
    numbers = _numbers("tutorial-leak", 260)
    assert len({used for _, used in numbers}) == 198  # that many blocks fit into 22308 bytes
    assert numbers[-1] == numbers[-50]


def test_the_mended_stage_stays_level() -> None:
    assert len(set(_numbers("tutorial-mended", 50))) == 1


def test_a_failed_allocation_is_reported_once_between_two_reports() -> None:
    device = Device("sensor", BOARD, Firmware(WORKLOADS["tutorial-leak"].plan(BOARD, Chance(1))), Chance(1))
    device.advance(300_000)
    failures = [one for one in device.take() if isinstance(one, Reading) and one.names == ("alloc_failed",)]
    assert [(one.values["size"], one.values["caller"]) for one in failures] == [(100, "main")]


def test_sockets_come_from_a_pool_and_not_from_the_heap() -> None:
    memory = ZephyrMemory(BOARD, Plan(()))
    free = memory.free_bytes()
    sockets = [memory.open_socket("main") for _ in range(SOCKETS + 1)]
    assert memory.free_bytes() == free
    assert sockets[-1] is None
    memory.close_socket(sockets[0])
    assert memory.open_socket("main") is not None


def test_a_stack_keeps_its_deepest_mark() -> None:
    memory = ZephyrMemory(BOARD, Plan(()))
    memory.begin(Task("main", lambda device: iter(()), stack=1024, depth=400), "boot")
    assert memory.use_stack("main", 700)
    assert memory.use_stack("main", 500)
    assert memory.stacks.free("main") == 324
    assert not memory.use_stack("main", 1025)
    assert memory.stacks.free("main") == 0
