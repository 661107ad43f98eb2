"""The MT3620: what counts as user, total and peak memory, and the kill at the limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from emulators.boards import BOARDS
from emulators.chance import Chance
from emulators.devices.device import Device
from emulators.devices.mt3620 import LIBRARIES, OWN_HEAP, SOCKET_BYTES, Mt3620Memory
from emulators.firmware import Firmware, Plan, Runtime, Task
from emulators.workloads import WORKLOADS
from telemetry.readings import MT3620_LIMIT, About, Reading

BOARD = BOARDS["mt3620"]
TIMER_MS = 250


def _device(plan: Plan) -> Device:
    return Device("meter", BOARD, Firmware(plan), Chance(1))


def _memory(device: Device) -> Mt3620Memory:
    assert isinstance(device.memory, Mt3620Memory)
    return device.memory


def test_idle_application_shows_the_documented_numbers() -> None:
    memory = Mt3620Memory(BOARD, Plan(()))
    assert (memory.total(), memory.user_mode(), memory.peak) == (65536, 36864, 36864)


def test_freeing_the_list_lowers_total_and_leaves_user_memory() -> None:
    device = _device(WORKLOADS["memory-usage"].plan(BOARD, Chance(1)))
    falls = 0
    device.advance(0)
    for tick in range(1, 200):
        before = _memory(device).total(), _memory(device).user_mode(), _memory(device).peak
        device.advance(tick * TIMER_MS)
        after = _memory(device).total(), _memory(device).user_mode(), _memory(device).peak
        assert after[1] >= before[1], "user memory falls only when the application restarts"
        assert after[2] >= before[2], "the peak falls only when the application restarts"
        if after[0] < before[0]:
            falls += 1
            assert after[1] == before[1]
            assert before[0] - after[0] == 7 * SOCKET_BYTES  # eight sockets closed, one opened in the same event
    assert falls == 24  # every eighth event from the ninth on


def test_over_the_limit_the_application_is_killed_and_starts_anew_with_a_fresh_peak() -> None:
    def grow(device: Runtime) -> Iterator[int]:
        while True:
            device.malloc(10_000)
            yield 1000

    device = _device(Plan((Task("main", grow),)))
    peaks = []
    for second in range(60):
        device.advance(second * 1000)
        device.report()
        if device.is_up():
            peaks.append(_memory(device).peak)
    items = device.take()
    kills = [item for item in items if isinstance(item, Reading) and item.names == ("oom_kill",)]
    assert [kill.values["reason"] for kill in kills] == ["Child terminated with signal = 0x9 (SIGKILL)"] * len(kills)
    assert len(kills) == 2
    assert max(peaks) <= MT3620_LIMIT
    assert peaks.count(min(peaks)) == 3  # the first second of each run
    boots = [item.boot for item in items if isinstance(item, About)]
    assert boots == [1, 2, 3]


def test_memory_that_is_never_written_does_not_count() -> None:
    memory = Mt3620Memory(BOARD, Plan(()))
    memory.malloc("main", 400_000, written=False)
    assert memory.user_mode() < 36864 + 3 * 4096


def test_a_debugger_inflates_all_numbers_but_not_what_counts_against_the_limit() -> None:
    plain, watched = Mt3620Memory(BOARD, Plan(())), Mt3620Memory(BOARD, Plan((), debugger=True))
    assert watched.user_mode() > plain.user_mode()
    assert watched.total() > plain.total()
    assert watched.peak > plain.peak
    assert watched.free_bytes() == plain.free_bytes()


def test_readings_are_whole_kibibytes_with_their_quota() -> None:
    device = _device(WORKLOADS["steady"].plan(BOARD, Chance(1)))
    device.advance(5000)
    device.report()
    (reading,) = [one for one in device.take() if isinstance(one, Reading) and one.kind == "process"]
    assert reading.resolution == 1024
    assert reading.values["quota"] == MT3620_LIMIT
    assert all(int(value) % 1024 == 0 for value in reading.values.values())


def test_each_shared_buffer_channel_takes_a_kibibyte() -> None:
    assert Mt3620Memory(BOARD, Plan((), channels=3)).user_mode() == 36864 + 3 * 1024


def test_redeploying_resets_the_peak_and_kills_only_what_ignores_sigterm() -> None:
    for ignores, event in ((False, "update"), (True, "sigkill")):
        plan = WORKLOADS["ratchet"].plan(BOARD, Chance(1))
        device = _device(replace(plan, ignores_sigterm=ignores))
        device.advance(60_000)
        peak = _memory(device).peak
        device.redeploy(Firmware(Plan(()), "2.0.0"))
        device.advance(70_000)
        assert _memory(device).peak < peak
        events = [item.names[0] for item in device.take() if isinstance(item, Reading) and item.kind == "event"]
        assert events == ["boot", event, "boot"]


def test_heap_tracking_counts_the_applications_own_allocations_but_not_under_the_debugger() -> None:
    memory = Mt3620Memory(BOARD, Plan((), heap_tracking=True))
    before = dict(memory.tracked_heaps())[OWN_HEAP]
    memory.malloc("main", 1000, written=True)
    socket = memory.open_socket("main")
    assert dict(memory.tracked_heaps())[OWN_HEAP] - before == 1000 + SOCKET_BYTES
    memory.close_socket(socket)
    assert dict(memory.tracked_heaps())[OWN_HEAP] - before == 1000
    assert [one.names for one in memory.measures()] == [(), (OWN_HEAP,), *((name,) for name, _ in LIBRARIES)]
    assert Mt3620Memory(BOARD, Plan((), heap_tracking=True, debugger=True)).tracked_heaps() == []
