"""Zephyr: where the tutorial's round number and the allocator differ, the allocator wins."""

from __future__ import annotations

import itertools

from emulators.boards import BOARDS
from emulators.chance import Chance
from emulators.devices.device import Device
from emulators.devices.zephyr import SOCKET_BYTES, SOCKETS, ZephyrMemory
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


def _heaps(memory: ZephyrMemory) -> dict[str, int]:
    return {one.names[0]: int(one.values["used"]) for one in memory.measures() if one.kind == "heap"}


def test_each_heap_stands_under_its_own_name() -> None:
    memory = ZephyrMemory(BOARD, Plan(()))
    assert list(_heaps(memory)) == ["system", "net_buf", "libc"]
    empty = _heaps(memory)
    memory.malloc("main", 100, written=True)
    socket = memory.open_socket("main")
    memory.begin(Task("main", lambda device: iter(()), stack=1024), "boot")
    used = {name: count - empty[name] for name, count in _heaps(memory).items()}
    assert used == {"system": 108, "net_buf": 260 + 132, "libc": 100}
    memory.end("main")
    memory.close_socket(socket)
    assert {name: count - empty[name] for name, count in _heaps(memory).items()} == {
        "system": 108, "net_buf": 0, "libc": 0,
    }  # fmt: skip


def test_the_pool_of_sockets_tells_what_it_holds_and_held() -> None:
    memory = ZephyrMemory(BOARD, Plan(()))
    sockets = [memory.open_socket("main") for _ in range(3)]
    memory.close_socket(sockets[0])
    (pool,) = [one for one in memory.measures() if one.kind == "pool"]
    assert pool.names == ("net_context",)
    assert dict(pool.values) == {
        "size": SOCKETS * SOCKET_BYTES, "used": 2 * SOCKET_BYTES, "max_used": 3 * SOCKET_BYTES,
        "block_size": SOCKET_BYTES, "blocks_free": SOCKETS - 2,
    }  # fmt: skip
