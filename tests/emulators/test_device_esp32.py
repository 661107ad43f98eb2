"""The ESP32 family: several heaps, stacks from the heap, and heap task tracking as the example's README shows it."""

from __future__ import annotations

import pytest

from emulators.boards import BOARDS
from emulators.chance import Chance
from emulators.devices.device import Device
from emulators.devices.esp32 import Esp32Memory
from emulators.firmware import Firmware, Plan, Task
from emulators.workloads import WORKLOADS
from telemetry.readings import Reading

S3 = BOARDS["esp32s3"]

# Blocks that ESP-IDF holds before the scheduler starts, as the README of the heap_task_tracking example prints them.
PRE_SCHEDULER = {
    0x3FC96410: 164, 0x3FC96538: 12, 0x3FC9655C: 12, 0x3FC96580: 16, 0x3FC965A8: 24, 0x3FC965D8: 36, 0x3FC96614: 40,
    0x3FC96654: 36, 0x3FC96690: 40, 0x3FC966D0: 88, 0x3FC96740: 88, 0x3FC967B0: 88, 0x3FC96820: 432, 0x3FC969E8: 88,
    0x3FC96A58: 88, 0x3FC96AC8: 88, 0x3FC96B38: 132, 0x3FC96BD4: 132, 0x3FC96C70: 88, 0x3FC96CE0: 16,
    0x3FC96D08: 1312, 0x3FC97240: 344,
}  # fmt: skip
IPC0 = {
    0x3FC973B0: 1312, 0x3FC97950: 344, 0x3FC97AE4: 16, 0x3FC97B0C: 4224, 0x3FC98B90: 344, 0x3FC98D00: 1568,
    0x3FC99338: 344, 0x3FC994A8: 1568, 0x3FC99AE0: 344,
}  # fmt: skip
MAIN_LATE = {0x3FCE99F8: 20, 0x3FCE9A10: 12, 0x3FCE9A20: 16, 0x3FCE9A34: 20, 0x3FCE9A4C: 20}


def _run(workload: str, until_ms: int, board: str = "esp32s3") -> Device:
    device = Device("plug", BOARDS[board], Firmware(WORKLOADS[workload].plan(BOARDS[board], Chance(3))), Chance(3))
    device.advance(until_ms)
    return device


def _memory(device: Device) -> Esp32Memory:
    assert isinstance(device.memory, Esp32Memory)
    return device.memory


def test_tracked_blocks_stand_at_the_addresses_of_the_document() -> None:
    tracking = Esp32Memory(S3, Plan((), tracking=True)).tracking
    assert tracking is not None
    assert tracking.tasks["Pre-scheduler"].heaps["RAM#342512"].blocks == PRE_SCHEDULER
    ipc0 = tracking.tasks["ipc0"].heaps["RAM#342512"].blocks
    assert dict(list(ipc0.items())[:9]) == IPC0  # what ends at the tenth block is not told by the document
    assert tracking.tasks["main"].heaps["RAM#22308"].blocks == MAIN_LATE


def test_the_example_ends_with_the_numbers_of_the_document() -> None:
    tracking = _memory(_run("heap-task-tracking", 5000)).tracking
    assert tracking is not None
    main = tracking.tasks["main"]
    assert (main.peak, main.current) == (7456, 352)
    assert (main.heaps["RAM#22308"].peak, main.heaps["RAM#22308"].current) == (7192, 88)
    assert (tracking.tasks["ipc0"].current, tracking.tasks["Pre-scheduler"].peak) == (10080, 3364)
    leaking, clean = tracking.tasks["leaking_task"], tracking.tasks["no_leak_task"]
    assert not leaking.alive
    assert leaking.current > 0
    assert (clean.alive, clean.current) == (False, 0)


def test_tracking_costs_memory_for_each_block() -> None:
    plain, tracked = Esp32Memory(S3, Plan(())), Esp32Memory(S3, Plan((), tracking=True))
    before = plain.free_bytes(), tracked.free_bytes()
    plain.malloc("main", 400, written=False)
    tracked.malloc("main", 400, written=False)
    costs = before[0] - plain.free_bytes(), before[1] - tracked.free_bytes()
    assert costs[0] < costs[1]


def test_without_keeping_deleted_tasks_they_are_forgotten() -> None:
    memory = Esp32Memory(S3, Plan((), tracking=True))
    assert memory.tracking is not None
    memory.tracking.keep_deleted = False
    memory.begin(Task("short", lambda device: iter(())), "main")
    memory.malloc("short", 100, written=False)
    memory.end("short")
    assert "short" not in memory.tracking.tasks


def test_a_deleted_task_gives_its_stack_back() -> None:
    memory = Esp32Memory(S3, Plan(()))
    before = memory.free_bytes()
    memory.begin(Task("short", lambda device: iter(()), stack=8192), "main")
    assert before - memory.free_bytes() > 8192
    memory.end("short")
    assert memory.free_bytes() == before


def test_heaps_are_read_together_by_kind() -> None:
    device = _run("steady", 3000, "esp32s3-psram")
    device.report()
    heaps = {one.names[0]: one.values for one in device.take() if isinstance(one, Reading) and one.kind == "heap"}
    assert set(heaps) == {"internal", "psram"}
    assert heaps["internal"]["size"] == 0x5724 + 0x42C78
    assert heaps["psram"]["size"] == 8185 * 1024
    assert int(heaps["internal"]["largest_free"]) < int(heaps["internal"]["free"])


def test_large_blocks_go_to_external_memory_first_and_small_ones_last() -> None:
    memory = Esp32Memory(BOARDS["esp32s3-psram"], Plan(()))
    large, small = memory.malloc("main", 20_000, written=False), memory.malloc("main", 200, written=False)
    assert large is not None
    assert small is not None
    assert (large.region.spec.internal, small.region.spec.internal) == (False, True)


@pytest.mark.parametrize("tracking", [False, True])
def test_realloc_moves_between_heaps_and_frees_what_it_left(tracking: bool) -> None:
    memory = Esp32Memory(S3, Plan((), tracking=tracking))
    held = memory.malloc("main", 1000, written=False)
    before = memory.free_bytes()
    moved = memory.realloc("main", held, 60_000)  # more than the small heap has
    assert moved is not None
    memory.free(moved)
    assert memory.free_bytes() > before
    assert memory.realloc("main", None, 0) is None


def test_a_tracked_block_keeps_owner_and_record_when_it_grows_in_place() -> None:
    memory = Esp32Memory(S3, Plan((), tracking=True))
    assert memory.tracking is not None
    held = memory.malloc("main", 1000, written=False)
    assert held is not None
    before = memory.tracking.tasks["main"].current
    grown = memory.realloc("other", held, 3000)
    assert grown is not None
    assert grown.address == held.address
    assert memory.tracking.tasks["main"].current - before == grown.block.usable - held.block.usable > 0
    assert "other" not in memory.tracking.tasks
    memory.free(grown)
    assert memory.tracking.tasks["main"].current == before - held.block.usable


def _named(memory: Esp32Memory) -> dict[str, dict[str, int]]:
    return {
        one.names[0]: {name: int(value) for name, value in one.values.items()}
        for one in memory.measures()
        if one.kind == "heap"
    }


def test_rtc_ram_is_internal_but_out_of_reach_of_dma() -> None:
    heaps = _named(Esp32Memory(BOARDS["esp32c3-rtc"], Plan(())))
    assert list(heaps) == ["internal", "rtc", "dma"]
    for field in ("size", "free", "used", "alloc_blocks", "free_blocks"):
        assert heaps["internal"][field] == heaps["rtc"][field] + heaps["dma"][field]
    assert heaps["rtc"]["size"] == 0x1DE8


def test_malloc_comes_to_rtc_ram_when_all_other_is_full() -> None:
    memory = Esp32Memory(BOARDS["esp32c3-rtc"], Plan(()))
    before = _named(memory)["rtc"]["used"]
    held = []
    while (block := memory.malloc("main", 4000, written=False)) and not block.region.spec.rtc:
        held.append(block)
    assert block is not None
    assert _named(memory)["rtc"]["used"] - before == block.block.usable
    assert _named(memory)["dma"]["largest_free"] < 4000


def test_a_chip_whose_ram_is_all_alike_tells_no_heap_twice() -> None:
    assert list(_named(Esp32Memory(S3, Plan(())))) == ["internal"]
    assert list(_named(Esp32Memory(BOARDS["esp32s3-psram"], Plan(())))) == ["internal", "psram"]
