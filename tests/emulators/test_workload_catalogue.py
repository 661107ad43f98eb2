"""Every workload on every board it is for: it runs, and what is said to be wrong with it is what its heap shows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from emulators.boards import BOARDS, Board
from emulators.chance import Chance
from emulators.devices.device import Device
from emulators.firmware import Firmware, Plan, Runtime, Task
from emulators.truth import FAULTS, cost_of, truth_of
from emulators.workloads import WORKLOADS
from emulators.workloads.pieces import leak, services
from telemetry.readings import About, Reading, fault_of

PAIRS = [
    (name, board.name)
    for name, entry in WORKLOADS.items()
    for board in BOARDS.values()
    if board.platform in entry.platforms
]


def _lived(workload: str, board: Board, seed: int, hours: float, every_ms: int) -> list[About | Reading]:
    return _run(WORKLOADS[workload].plan(board, Chance(seed)), board, seed, hours, every_ms)


def _run(plan: Plan, board: Board, seed: int, hours: float, every_ms: int) -> list[About | Reading]:
    device = Device("device", board, Firmware(plan), Chance(seed))
    for now_ms in range(0, int(hours * 3_600_000), every_ms):
        device.advance(now_ms)
        device.report()
    return device.take()


FIRMWARES_HEAP = (("internal",), ("system",))
"""The heaps that malloc of an ESP32 and k_malloc take from."""


def _used(items: list[About | Reading], boot: int = 1) -> tuple[list[int], list[int]]:
    """Uptime and used memory of one boot: what left the heap's free bytes, or the process' user memory."""
    points = [
        (one.uptime_ms or 0, int(one.values["user_mode"]) if one.kind == "process" else -int(one.values["free"]))
        for one in items
        if isinstance(one, Reading) and one.boot == boot and (one.kind == "process" or one.names in FIRMWARES_HEAP)
    ]
    times, used = zip(*points, strict=True)
    return list(times), list(used)


@pytest.mark.parametrize(("workload", "board"), PAIRS)
def test_runs_and_reports_what_such_a_device_can_print(workload: str, board: str) -> None:
    items = _lived(workload, BOARDS[board], seed=2, hours=0.05, every_ms=5000)
    assert isinstance(items[0], About)
    readings = [one for one in items if isinstance(one, Reading)]
    assert {"process", "heap"} & {one.kind for one in readings}
    for one in readings:
        assert fault_of(one.kind, one.values, one.flags, one.resolution) is None
    times = [one.time_ms for one in readings if one.kind != "log"]
    assert times == sorted(times)


@pytest.mark.parametrize("workload", [name for name in WORKLOADS if not WORKLOADS[name].prints])
def test_truth_names_a_known_fault(workload: str) -> None:
    board = next(board for board in BOARDS.values() if board.platform in WORKLOADS[workload].platforms)
    truth = truth_of(board, WORKLOADS[workload].plan(board, Chance(1)))
    assert truth.fault in FAULTS
    assert (truth.leak_bytes_per_hour > 0) == (truth.fault == "leak")


@pytest.mark.parametrize(
    ("board", "block", "every_ms"), [("mt3620", 200, 9000), ("esp32s3", 100, 4000), ("zephyr-nrf52840", 40, 60_000)]
)
def test_a_leak_grows_as_fast_as_the_truth_says(board: str, block: int, every_ms: int) -> None:
    chip = BOARDS[board]
    traffic = () if board == "mt3620" else services(chip)  # under musl a leak also spoils the holes of the traffic
    plan = Plan((*traffic, Task("uploader", leak(block, every_ms))), "leak", (block, every_ms))
    times, used = _used(_run(plan, chip, seed=4, hours=1.5, every_ms=30_000))
    slope = np.polyfit(times[20:], used[20:], 1)[0] * 3_600_000
    assert slope == pytest.approx(truth_of(chip, plan).leak_bytes_per_hour, rel=0.1)


@pytest.mark.parametrize("board", ["mt3620", "esp32s3", "zephyr-esp32s3"])
@pytest.mark.parametrize("workload", ["steady", "server", "saw-tooth", "frees-caches", "warm-up"])
def test_what_is_healthy_does_not_drift(workload: str, board: str) -> None:
    chip = BOARDS[board]
    times, used = _used(_lived(workload, chip, seed=5, hours=2, every_ms=30_000))
    settled = len(times) // 2
    hourly = np.polyfit(times[settled:], used[settled:], 1)[0] * 3_600_000
    assert abs(hourly) < chip.room * 0.06
    assert WORKLOADS[workload].plan(chip, Chance(5)).fault == "healthy"


@pytest.mark.parametrize("board", ["esp32", "esp32s3", "esp32c6"])
def test_fragmentation_shrinks_the_largest_block_and_not_what_is_free(board: str) -> None:
    items = _lived("fragmentation", BOARDS[board], seed=6, hours=0.5, every_ms=10_000)
    heaps = [one.values for one in items if isinstance(one, Reading) and one.kind == "heap"]
    first, settled, late = heaps[0], heaps[9], heaps[len(heaps) // 2 :]
    assert np.mean([int(one["free"]) for one in late]) > 0.85 * int(settled["free"])
    assert np.mean([int(one["largest_free"]) for one in late]) < 0.45 * int(first["largest_free"])


@pytest.mark.parametrize(
    ("workload", "board", "event"),
    [
        ("fast-leak", "mt3620", "oom_kill"),
        ("fast-leak", "esp32", "alloc_failed"),
        ("fast-leak", "zephyr-esp32s3", "alloc_failed"),
        ("panics", "esp32c3", "panic"),
        ("self-healing", "esp32c6", "restart"),
        ("overuse-restart", "mt3620", "restart"),
        ("stack-creep", "esp32s3", "stack_overflow"),
    ],
)
def test_a_fault_comes_to_its_end(workload: str, board: str, event: str) -> None:
    items = _lived(workload, BOARDS[board], seed=7, hours=0.5, every_ms=10_000)
    assert event in {one.names[0] for one in items if isinstance(one, Reading) and one.kind == "event"}


def test_after_a_reset_everything_begins_anew() -> None:
    items = _lived("panics", BOARDS["esp32"], seed=8, hours=0.5, every_ms=5000)
    abouts = [one for one in items if isinstance(one, About)]
    assert [one.boot for one in abouts] == list(range(1, len(abouts) + 1))
    first, second = _used(items, 1)[1], _used(items, 2)[1]
    assert abs(second[0] - first[0]) < 20_000
    assert max(first) - second[0] > 100_000


def test_adding_a_workload_takes_a_generator() -> None:
    def forgetful(device: Runtime) -> Iterator[int]:
        while True:
            device.malloc(60)
            yield 1000

    board = BOARDS["zephyr-nrf52840"]
    device = Device("device", board, Firmware(Plan((Task("main", forgetful),), "leak", (60, 1000))), Chance(1))
    device.advance(9000)
    assert device.memory.free_bytes() == 16384 - (16384 - _fresh(board)) - 10 * cost_of(board.allocator, 60)


def _fresh(board: Board) -> int:
    device = Device("device", board, Firmware(Plan(())), Chance(1))
    device.advance(0)
    return device.memory.free_bytes()
